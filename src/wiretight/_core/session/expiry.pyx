"""Expiry: a session ends when its server says so, and with the certificate that its peer was verified by.

A server that resumes does not look at the client's certificate again, and OpenSSL compares nothing but the lifetime of
the session, which it counts anew from each ticket. So that lifetime is cut to what the certificate has left: see
callbacks/serversessions.pyx. A server that has been told to keep sessions for less time than it said in the ticket
looks at that when the ticket comes back.
"""

from libc.math cimport HUGE_VAL
from libc.time cimport time, time_t, tm

from wiretight._core.openssl.asn1 cimport ASN1_TIME_to_tm
from wiretight._core.openssl.err cimport ERR_pop_to_mark, ERR_set_mark
from wiretight._core.openssl.ssl cimport (
    SSL_SESSION_get_time, SSL_SESSION_get_timeout, SSL_SESSION_set_time, SSL_SESSION_set_timeout,
)
from wiretight._core.openssl.x509 cimport X509_get0_notAfter

cdef extern from "<time.h>" nogil:
    time_t timegm(tm *parts)


cdef void end_after(SSL_SESSION *session, long seconds, X509 *peer) noexcept nogil:
    """OpenSSL: SSL_SESSION_set_timeout(3)"""
    cdef double left
    if peer != NULL:
        left = end_of(peer) - SSL_SESSION_get_time(session)
        if left < 1:        # a verify_callback has tolerated it. Of a lifetime of 0, d2i_SSL_SESSION() makes 3
            SSL_SESSION_set_time(session, <long>(SSL_SESSION_get_time(session) + left - 1))
            left = 1
        if left < seconds:
            seconds = <long>left
    if SSL_SESSION_get_timeout(session) != seconds:
        SSL_SESSION_set_timeout(session, seconds)


cdef bint has_ended(SSL_SESSION *session, long seconds) noexcept nogil:
    """OpenSSL: SSL_SESSION_get_time(3)"""
    return SSL_SESSION_get_time(session) + min(seconds, SSL_SESSION_get_timeout(session)) <= time(NULL)


cdef double end_of(X509 *certificate) noexcept nogil:
    """OpenSSL: ASN1_TIME_to_tm(3)"""
    cdef tm parts
    cdef double end = HUGE_VAL
    ERR_set_mark()
    if ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts):
        end = timegm(&parts)
    ERR_pop_to_mark()
    return end
