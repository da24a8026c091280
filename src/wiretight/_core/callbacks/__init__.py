"""OpenSSL's calls into Python: each finds its connection, and keeps an exception that the program raises."""
