"""Expiry: a session ends with the certificate that its peer was verified by."""

from wiretight._core.openssl.ssl cimport SSL_SESSION
from wiretight._core.openssl.x509 cimport X509


cdef void end_after(SSL_SESSION *session, long seconds, X509 *peer) noexcept nogil      # peer: or NULL
cdef bint has_ended(SSL_SESSION *session, long seconds) noexcept nogil  # it lasts no longer than that
cdef double end_of(X509 *certificate) noexcept nogil                    # in seconds since 1970; HUGE_VAL: unreadable
