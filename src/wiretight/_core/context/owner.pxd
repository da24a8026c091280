"""Owner: the way back from an SSL_CTX to its Context, for callbacks to which OpenSSL passes nothing else."""

from wiretight._core.openssl.ssl cimport SSL_CTX


cdef class Handle:
    cdef SSL_CTX *ctx


cdef int set_owner(SSL_CTX *ctx, object owner) except -1
cdef object owner_of(const SSL_CTX *ctx)        # a new reference; None once it is gone
cdef Handle handle(SSL_CTX *ctx)                # adds a reference of its own
