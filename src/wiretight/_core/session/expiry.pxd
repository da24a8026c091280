"""Expiry: a session ends with the certificate that its peer was verified by."""

from wiretight._core.context.context cimport Context
from wiretight._core.openssl.ssl cimport SSL_SESSION
from wiretight._core.openssl.x509 cimport X509


cdef int install(Context context) noexcept
cdef void end_with(SSL_SESSION *session, X509 *peer) noexcept nogil     # peer: or NULL
cdef double end_of(X509 *certificate) noexcept nogil                    # in seconds since 1970; HUGE_VAL: unreadable
