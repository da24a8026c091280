"""The dictionaries that get_ciphers() returns."""

from wiretight._core.openssl.ssl cimport stack_st_SSL_CIPHER


cdef list described(const stack_st_SSL_CIPHER *ciphers)
