"""Outcomes: how a handshake or a connection has ended, as a number to count it by."""

from libc.stdint cimport uint64_t

from wiretight._core.base.errors cimport Failure

# Why a handshake has failed. In the order of names in outcomes.pyx.
cdef enum Reason:
    UNKNOWN
    ABANDONED           # by the program, without a failure before
    TIMED_OUT
    PEER_GONE
    UNHEARD             # the peer has gone without a byte
    REFUSED             # by the peer, with an alert
    CERTIFICATE         # of the peer
    NO_CERTIFICATE
    VERSION_MISMATCH
    CIPHER_MISMATCH
    GROUP_MISMATCH
    SIGNATURE_MISMATCH
    ALPN_MISMATCH
    NOT_TLS
    CALLBACK
    PROTOCOL            # the peer, or an attacker, has broken it
    SYSTEM

# How a connection has ended whose handshake was done, if it has not failed.
cdef enum Ending:
    CLOSED_BY_PEER = 100    # with its close_notify
    CLOSED                  # by the program, before the peer has
    TRUNCATED               # the peer's data has ended without its close_notify

# Whether an earlier session was resumed, and why not. In the order of names in outcomes.pyx.
cdef enum Resumption:
    NOT_OFFERED
    REFUSED_SESSION         # it was offered, and not taken: bound to other terms, or the server's reason
    UNKNOWN_KEY             # the ticket is encrypted under a key that this server has not
    EXPIRED
    RESUMED

# Who has sent the alert.
cdef enum Sender:
    NOBODY
    WE
    PEER


# A Reason, the alert and who has sent it, and the X509_V_ERR_*, in one number
cdef uint64_t packed(Reason reason, Sender sender, int alert, long verify_code) noexcept nogil
cdef bint has_sender(uint64_t outcome) noexcept nogil       # of an alert
cdef uint64_t outcome_of(const Failure *failure, bint raised, bint was_heard) noexcept nogil
