"""Expiry: a session ends with the first of the certificates that its peer was verified by."""

from wiretight._core.openssl.ssl cimport SSL_SESSION
from wiretight._core.openssl.x509 cimport stack_st_X509


# Before anybody else has the session. False without memory
cdef bint keep_end(SSL_SESSION *session, stack_st_X509 *verified) noexcept nogil
cdef double verified_until(SSL_SESSION *session) noexcept nogil        # in seconds since 1970; HUGE_VAL: nobody was
cdef void end_after(SSL_SESSION *session, long seconds) noexcept nogil  # or earlier, with what verified its peer
cdef bint has_ended(SSL_SESSION *session, long seconds) noexcept nogil  # it lasts no longer than that
