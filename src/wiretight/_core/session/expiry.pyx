"""Expiry: a session ends with the certificate that its peer was verified by.

A server that resumes does not look at the client's certificate again, and OpenSSL compares nothing but the lifetime of
the session, which it counts anew from each ticket. So that lifetime is cut to what the certificate has left, whenever
a ticket is made, and for a session that TLS 1.2 resumes by its number, when the certificate is verified.
"""

from libc.math cimport HUGE_VAL
from libc.time cimport time_t, tm

from wiretight._core.openssl.asn1 cimport ASN1_TIME_to_tm
from wiretight._core.openssl.err cimport ERR_pop_to_mark, ERR_set_mark
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_CTX_set_session_ticket_cb, SSL_SESSION_get0_peer, SSL_SESSION_get_time, SSL_SESSION_get_timeout,
    SSL_SESSION_set_time, SSL_SESSION_set_timeout, SSL_get0_session,
)
from wiretight._core.openssl.x509 cimport X509_get0_notAfter

cdef extern from "<time.h>" nogil:
    time_t timegm(tm *parts)


cdef int install(Context context) noexcept:
    """OpenSSL: SSL_CTX_set_session_ticket_cb(3)"""
    SSL_CTX_set_session_ticket_cb(context.ctx, on_ticket, NULL, NULL)
    return 0


cdef int on_ticket(SSL *ssl, void *_) noexcept nogil:
    """Called before a ticket is made of the session. OpenSSL: SSL_CTX_set_session_ticket_cb(3)"""
    cdef SSL_SESSION *session = SSL_get0_session(ssl)
    end_with(session, SSL_SESSION_get0_peer(session))
    return 1


cdef void end_with(SSL_SESSION *session, X509 *peer) noexcept nogil:
    """OpenSSL: SSL_SESSION_set_timeout(3)"""
    cdef double begin, left
    if peer == NULL:
        return
    begin = SSL_SESSION_get_time(session)
    left = end_of(peer) - begin
    if left < 0:        # a verify_callback has tolerated it
        SSL_SESSION_set_time(session, <long>(begin + left))
        left = 0
    if left < SSL_SESSION_get_timeout(session):
        SSL_SESSION_set_timeout(session, <long>left)


cdef double end_of(X509 *certificate) noexcept nogil:
    """OpenSSL: ASN1_TIME_to_tm(3)"""
    cdef tm parts
    cdef double end = HUGE_VAL
    ERR_set_mark()
    if ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts):
        end = timegm(&parts)
    ERR_pop_to_mark()
    return end
