"""The subject with other implementations of TLS at the far end: the standard `ssl`, OpenSSL's programs, curl."""
