"""What a context is configured with, as immutable settings, and the SSL_CTX that is made of them."""
