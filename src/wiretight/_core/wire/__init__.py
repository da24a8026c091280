"""Bytes on their way: the descriptor, the records and the BIO between OpenSSL and a socket or a MemoryBIO."""
