"""Encoding: a session as bytes, for another process."""

from wiretight._core.openssl.ssl cimport SSL_SESSION

# `terms`: of digest_of(); `name`: that they are for, or None
cdef bytes encoded(SSL_SESSION *session, bytes terms, str name)
cdef str name_in(const unsigned char *data, Py_ssize_t length)      # or None. ValueError: it is no session
# For the caller to free, without an exception; NULL: it was made on other terms. ValueError: it is no session
cdef SSL_SESSION *decoded(const unsigned char *data, Py_ssize_t length, bytes terms) except? NULL
