"""The configuration of a context, as immutable settings, and the SSL_CTX built from them."""
