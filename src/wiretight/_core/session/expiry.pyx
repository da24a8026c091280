"""Expiry: a session ends when its server says so, and with the first of the certificates that its peer was verified by.

Whoever resumes looks at no certificate again. OpenSSL keeps the peer's own with the session, but not those that vouch
for it, of the intermediate CAs and the trust anchor. So the earliest end of the verified chain is kept there as what
OpenSSL calls application data, which is part of a session's DER: whatever is made of the session inherits it, such as
its next ticket, what a cache keeps of it, and its bytes for another process.

A client compares it with the clock. A server of OpenSSL compares nothing but the lifetime of the session, which it
counts anew from each ticket. So that lifetime is cut to what the certificates have left: see
callbacks/serversessions.pyx. A server that has been told to keep sessions for less time than it said in the ticket
looks at that when the ticket comes back.

Nobody asks it about a session in OpenSSL's own cache, nor may the time of such a session be changed: other threads sort
by it. Therefore all that is there goes when a session_timeout becomes shorter, of whichever context, because a server
that another context chose for has its sessions in the cache of that. A cache is emptied before its next connection. The
connections that are open by then put nothing into it any more.
"""

from libc.math cimport HUGE_VAL
from libc.stdint cimport int64_t, uint64_t
from libc.time cimport time, time_t, tm

from wiretight._core.context.tally cimport wt_add, wt_number, wt_read
from wiretight._core.openssl.asn1 cimport ASN1_TIME_to_tm
from wiretight._core.openssl.err cimport ERR_pop_to_mark, ERR_set_mark
from wiretight._core.openssl.ssl cimport (
    SSL_CTX, SSL_SESSION, SSL_SESSION_get0_peer, SSL_SESSION_get0_ticket_appdata, SSL_SESSION_get_time,
    SSL_SESSION_get_timeout, SSL_SESSION_set1_ticket_appdata, SSL_SESSION_set_time, SSL_SESSION_set_timeout,
)
from wiretight._core.openssl.x509 cimport X509, X509_get0_notAfter, sk_X509_num, sk_X509_value

cdef extern from "<time.h>" nogil:
    time_t timegm(tm *parts)

cdef extern from "compat.h" nogil:
    void wt_forget_sessions(SSL_CTX *ctx)

cdef enum:
    SIZE = 8        # of a kept end: seconds since 1970, big-endian, because other machines read it
    SLACK = 60      # seconds that the clocks of servers with the same keys or cache may be apart

cdef wt_number shortenings


cdef bint keep_end(SSL_SESSION *session, stack_st_X509 *verified) noexcept nogil:
    """OpenSSL: SSL_SESSION_set1_ticket_appdata(3)"""
    cdef double end = HUGE_VAL
    cdef unsigned char octets[SIZE]
    cdef uint64_t seconds
    cdef int i
    for i in range(sk_X509_num(verified)):
        end = min(end, end_of(sk_X509_value(verified, i)))
    if end == HUGE_VAL:
        return True
    seconds = <uint64_t><int64_t>end
    for i in range(SIZE):
        octets[i] = seconds >> 8 * (SIZE - 1 - i) & 0xFF
    return SSL_SESSION_set1_ticket_appdata(session, octets, SIZE)


cdef double verified_until(SSL_SESSION *session) noexcept nogil:
    """OpenSSL: SSL_SESSION_get0_peer(3), SSL_SESSION_get0_ticket_appdata(3)"""
    cdef X509 *peer = SSL_SESSION_get0_peer(session)
    cdef double end = HUGE_VAL if peer == NULL else end_of(peer)
    cdef void *octets = NULL
    cdef size_t size = 0
    cdef uint64_t seconds = 0
    cdef int i
    if SSL_SESSION_get0_ticket_appdata(session, &octets, &size) and size == SIZE:
        for i in range(SIZE):
            seconds = seconds << 8 | (<unsigned char *>octets)[i]
        end = min(end, <double><int64_t>seconds)
    return end


cdef void end_after(SSL_SESSION *session, long seconds) noexcept nogil:
    """OpenSSL: SSL_SESSION_set_timeout(3)"""
    cdef double end = verified_until(session)
    cdef double left = end - SSL_SESSION_get_time(session)
    if left < 1:        # a verify_callback tolerated it. Of a lifetime of 0, d2i_SSL_SESSION() makes 3; of time 0, now
        SSL_SESSION_set_time(session, <long>max(1, end - 1))
        left = 1
    if left < seconds:
        seconds = <long>left
    if SSL_SESSION_get_timeout(session) != seconds:
        SSL_SESSION_set_timeout(session, seconds)


cdef bint has_ended(SSL_SESSION *session, long seconds) noexcept nogil:
    """Also if it begins in the future: it was made by a wrong clock, and nobody knows when.

    OpenSSL: SSL_SESSION_get_time(3)
    """
    cdef double begin = SSL_SESSION_get_time(session)
    cdef double now = time(NULL)
    cdef double end = begin + min(seconds, SSL_SESSION_get_timeout(session))
    return begin > now + SLACK or min(end, verified_until(session)) <= now


# --- OpenSSL's own cache ---------------------------------------------------------------------------------------------
cdef void note_shortened() noexcept nogil:
    wt_add(&shortenings, 1)


cdef uint64_t times_shortened() noexcept nogil:
    return wt_read(&shortenings)


cdef void empty_if_shortened(SSL_CTX *ctx, uint64_t *emptied, uint64_t shortened) noexcept nogil:
    """OpenSSL: SSL_CTX_flush_sessions(3)"""
    if emptied[0] < shortened:
        emptied[0] = shortened
        wt_forget_sessions(ctx)


# --- certificates ----------------------------------------------------------------------------------------------------
cdef double end_of(const X509 *certificate) noexcept nogil:
    """In seconds since 1970; HUGE_VAL if it cannot be read. OpenSSL: ASN1_TIME_to_tm(3)"""
    cdef tm parts
    cdef double end = HUGE_VAL
    ERR_set_mark()
    if ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &parts):
        end = timegm(&parts)
    ERR_pop_to_mark()
    return end
