"""Expiry: a session ends with the first of the certificates that its peer was verified by."""

from libc.stdint cimport uint64_t

from wiretight._core.openssl.ssl cimport SSL_CTX, SSL_SESSION
from wiretight._core.openssl.x509 cimport stack_st_X509


# Before anybody else has the session. False without memory
cdef bint keep_end(SSL_SESSION *session, stack_st_X509 *verified) noexcept nogil
cdef double verified_until(SSL_SESSION *session) noexcept nogil        # in seconds since 1970; HUGE_VAL: nobody was
cdef void end_after(SSL_SESSION *session, long seconds) noexcept nogil  # or earlier, with what verified its peer
cdef bint has_ended(SSL_SESSION *session, long seconds) noexcept nogil  # it lasts no longer than that

# A session_timeout of this process has become shorter
cdef void note_shortened() noexcept nogil
cdef uint64_t times_shortened() noexcept nogil
# Empties OpenSSL's own cache of `ctx`, if that was last done before. `emptied` is the caller's, and locked
cdef void empty_if_shortened(SSL_CTX *ctx, uint64_t *emptied, uint64_t shortened) noexcept nogil
