"""The calls of OpenSSL into Python: each finds its connection, and keeps what the program raised."""
