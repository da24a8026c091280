"""Outcomes: how a handshake or a connection has ended, as a number to count it by.

The number says what came to pass, and nothing that a peer can make up: its alert, and OpenSSL's code if its certificate
was refused. Should it bring about more kinds than the table has places (tally.h), the rest of them counts as one.
"""

from libc.errno cimport ECONNABORTED, ECONNRESET, ENOTCONN, EPIPE, ETIMEDOUT

from wiretight._core.base.errors cimport alert_in, is_alert
from wiretight._core.openssl.err cimport ERR_GET_LIB, ERR_GET_REASON, ERR_LIB_SSL
from wiretight._core.openssl.ssl cimport (
    SSL_R_CALLBACK_FAILED, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_HTTP_REQUEST, SSL_R_NO_APPLICATION_PROTOCOL,
    SSL_R_NO_CIPHERS_AVAILABLE, SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SHARED_GROUPS,
    SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SSL_R_NO_SUITABLE_GROUPS, SSL_R_NO_SUITABLE_KEY_SHARE,
    SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, SSL_R_UNSUPPORTED_PROTOCOL,
    SSL_R_VERSION_TOO_HIGH, SSL_R_VERSION_TOO_LOW, SSL_R_WRONG_SSL_VERSION, SSL_R_WRONG_VERSION_NUMBER,
)

cdef enum:
    SSL_ERROR_EOF = 8       # as in errors
    UNREGISTERED = 255      # stands for all alerts that no RFC names

cdef tuple NAMES = (
    "unknown", "abandoned", "timeout", "peer_gone", "unheard", "refused", "certificate", "no_certificate", "version",
    "cipher", "group", "signature", "alpn", "not_tls", "callback", "protocol", "system",
)
cdef dict ENDINGS = {<int>CLOSED_BY_PEER: "closed_by_peer", <int>CLOSED: "closed", <int>TRUNCATED: "truncated"}
cdef tuple SENDERS = (None, "we", "peer")

RESUMPTIONS = ("not_offered", "refused", "unknown_key", "expired", "resumed")


cdef bint is_registered(int alert) noexcept nogil:
    """Whether it is one of IANA's: a peer may send any number, and should not fill the table with them."""
    return (
        alert in (0, 10, 20, 21, 22, 30, 60, 70, 71, 80, 86, 90, 100, 120, 121)
        or 40 <= alert <= 51 or 109 <= alert <= 116
    )


cdef uint64_t packed(Reason reason, Sender sender, int alert, long verify_code) noexcept nogil:
    cdef uint64_t number = alert if sender == NOBODY or is_registered(alert) else UNREGISTERED
    cdef uint64_t code = verify_code if 0 <= verify_code < 1 << 16 else 1       # X509_V_ERR_UNSPECIFIED
    return <uint64_t>reason << 40 | <uint64_t>sender << 32 | (number << 16 if sender != NOBODY else 0) | code


cdef bint has_sender(uint64_t outcome) noexcept nogil:
    return (outcome >> 32 & 0xFF) != <uint64_t>NOBODY


def unpacked(outcome, /):
    """(reason, alert or None, "we" or "peer" who has sent it, X509_V_ERR_* or 0). Since 0.1."""
    cdef uint64_t number = outcome
    cdef int reason = <int>(number >> 40 & 0xFF)
    cdef int alert = <int>(number >> 16 & 0xFF)
    sender = SENDERS[number >> 32 & 0xFF]
    name = ENDINGS[reason] if reason in ENDINGS else NAMES[reason]
    return name, None if sender is None else alert, sender, <int>(number & 0xFFFF)


cdef uint64_t outcome_of(const Failure *failure, bint raised, bint was_heard) noexcept nogil:
    """Of a step that has FAILED. `raised`: a callback has; `was_heard`: the peer has sent something before."""
    cdef bint is_end = failure.ssl_error == SSL_ERROR_EOF
    cdef int alert = alert_in(failure.alert) if failure.alert else alert_in(failure.code)
    cdef Sender sender = PEER if failure.alert or is_alert(failure) else NOBODY
    # At the end of the stream OpenSSL sends one, too, to a peer that is gone.
    if sender == NOBODY and failure.sent_alert and not is_end:
        sender, alert = WE, failure.sent_alert & 0xFF
    return packed(reason_of(failure, raised, was_heard, sender, is_end), sender, alert, failure.verify_result)


cdef Reason reason_of(
    const Failure *failure, bint raised, bint was_heard, Sender sender, bint is_end
) noexcept nogil:
    cdef int reason = ERR_GET_REASON(failure.code) if ERR_GET_LIB(failure.code) == ERR_LIB_SSL else 0
    if raised or reason == SSL_R_CALLBACK_FAILED:
        return CALLBACK
    if sender == PEER:
        return REFUSED
    if failure.verify_result:
        return CERTIFICATE
    if is_end or is_of_a_peer_that_is_gone(failure.errno_) or not failure.code and not failure.errno_:
        return PEER_GONE if was_heard else UNHEARD
    if failure.errno_:
        return SYSTEM
    return mismatch(reason)


cdef bint is_of_a_peer_that_is_gone(int error) noexcept nogil:
    return error in (EPIPE, ECONNRESET, ECONNABORTED, ENOTCONN, ETIMEDOUT)


cdef Reason mismatch(int reason) noexcept nogil:
    """OpenSSL: ERR_GET_REASON(3)"""
    if reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return NO_CERTIFICATE
    if reason == SSL_R_NO_APPLICATION_PROTOCOL:
        return ALPN_MISMATCH
    if reason in (
        SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_VERSION_TOO_LOW, SSL_R_VERSION_TOO_HIGH,
        SSL_R_WRONG_SSL_VERSION,
    ):
        return VERSION_MISMATCH
    if reason in (SSL_R_NO_SHARED_CIPHER, SSL_R_NO_CIPHERS_AVAILABLE):
        return CIPHER_MISMATCH
    if reason in (SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SHARED_GROUPS, SSL_R_NO_SUITABLE_GROUPS):
        return GROUP_MISMATCH
    if reason in (SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM):
        return SIGNATURE_MISMATCH
    if reason in (SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_WRONG_VERSION_NUMBER):
        return NOT_TLS
    return PROTOCOL
