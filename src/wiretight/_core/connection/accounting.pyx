"""Accounting: what a connection adds to the tally of its context.

Each handshake that begins ends once: it is done, or it has failed in one way. It has failed when a verb says so; or
when the program gives the connection up, because until then it could have tried again. Each connection whose handshake
was done ends once, too. So what has begun, less what has ended, is what there is now.
"""

from wiretight._core.base.errors cimport CLOSED as CLOSE_NOTIFY, FAILED, failed, forget_errors, is_alert
from wiretight._core.connection.outcomes cimport (
    ABANDONED, CALLBACK, CLOSED, CLOSED_BY_PEER, EXPIRED, NOBODY, NOT_OFFERED, PEER_GONE, REFUSED_SESSION, RESUMED,
    TIMED_OUT, TRUNCATED, UNKNOWN_KEY, Reason, Resumption, has_sender, outcome_of, packed,
)
from wiretight._core.context.tally cimport (
    CIPHER, ENDING, FAILURE, GROUP, RESUMPTION, VERSION, key_of, wt_count_duration, wt_count_kind,
)
from wiretight._core.openssl.err cimport ERR_peek_last_error
from wiretight._core.openssl.ssl cimport (
    SSL_CIPHER_get_id, SSL_ERROR_SSL, SSL_RECEIVED_SHUTDOWN, SSL_get0_session, SSL_get_current_cipher, SSL_get_shutdown,
    SSL_is_init_finished, SSL_is_server, SSL_session_reused, SSL_version,
)

cdef extern from "clock.h" nogil:
    int64_t wt_now()

cdef extern from "compat.h" nogil:
    long wt_group_number(SSL *ssl)


cdef void begin_handshake(SSL *ssl, Account *account) noexcept nogil:
    """OpenSSL: SSL_get0_session(3)"""
    account.phase = SHAKING
    account.began = wt_now()
    account.offered = not SSL_is_server(ssl) and SSL_get0_session(ssl) != NULL
    wt_add(&account.tally.started, 1)


cdef void follow(
    SSL *ssl, Account *account, Status status, const Failure *failure, bint raised, bint is_handshake
) noexcept nogil:
    """OpenSSL: SSL_is_init_finished(3)"""
    cdef bint has_failed = status == FAILED and not failure.turn
    cdef bint was_heard = account.moved.bytes_in != 0
    cdef uint64_t outcome
    if account.phase == SHAKING:
        # A read or a write may fail for its own reasons after it has shaken hands.
        if SSL_is_init_finished(ssl) and not (has_failed and is_handshake):
            end_well(ssl, account)
        elif has_failed:
            end_badly(account, outcome_of(failure, raised, was_heard))
        elif status == CLOSE_NOTIFY:
            end_badly(account, packed(PEER_GONE, NOBODY, 0, 0))
        elif raised:
            account.outcome = packed(CALLBACK, NOBODY, 0, 0)
    if account.phase == OPENED and has_failed and account.outcome == 0:
        outcome = outcome_of(failure, raised, was_heard)
        # The other failures are the end of the data, which is_cut tells of, and mistakes of the program.
        account.outcome = outcome if has_sender(outcome) else 0


cdef void note_refusal(Account *account, const Failure *failure) noexcept nogil:
    """Of the failures of an unwrap(), only an alert of the peer is one of the connection."""
    if account.phase == OPENED and account.outcome == 0 and (failure.alert or is_alert(failure)):
        account.outcome = outcome_of(failure, False, True)


cdef bint was_refused(Account *account) noexcept nogil:
    """OpenSSL takes a fatal alert for a close_notify here, and only its error queue tells them apart.

    OpenSSL: ERR_peek_last_error(3)
    """
    cdef Failure failure
    failed(&failure, SSL_ERROR_SSL, 0, ERR_peek_last_error())
    if not is_alert(&failure):
        return False
    note_refusal(account, &failure)
    forget_errors()
    return True


cdef void end_well(SSL *ssl, Account *account) noexcept nogil:
    """OpenSSL: SSL_session_reused(3), SSL_get_current_cipher(3), SSL_version(3)"""
    cdef long group = wt_group_number(ssl)
    cdef Resumption resumption = NOT_OFFERED
    if SSL_session_reused(ssl):
        resumption = RESUMED
    elif account.unknown_key:
        resumption = UNKNOWN_KEY
    elif account.expired:
        resumption = EXPIRED
    elif account.offered:
        resumption = REFUSED_SESSION
    account.phase = OPENED
    account.outcome = 0
    account.took = wt_now() - account.began
    account.news = 1
    wt_add(&account.tally.done, 1)
    wt_count_duration(account.tally, account.took)
    wt_count_kind(account.tally, key_of(VERSION, SSL_version(ssl)))
    wt_count_kind(account.tally, key_of(CIPHER, SSL_CIPHER_get_id(SSL_get_current_cipher(ssl)) & <unsigned long>0xFFFF))
    wt_count_kind(account.tally, key_of(RESUMPTION, resumption))
    if group > 0:
        wt_count_kind(account.tally, key_of(GROUP, <uint64_t>group))


cdef void end_badly(Account *account, uint64_t outcome) noexcept nogil:
    account.phase = OVER
    account.handshake = outcome
    account.took = wt_now() - account.began
    account.news = 1
    wt_count_kind(account.tally, key_of(FAILURE, outcome))


cdef void note_timeout(Account *account) noexcept nogil:
    if account.phase == SHAKING and account.outcome == 0:
        account.outcome = packed(TIMED_OUT, NOBODY, 0, 0)


cdef void settle(SSL *ssl, Account *account, bint was_cut) noexcept nogil:
    """OpenSSL: SSL_get_shutdown(3)"""
    cdef int ending = CLOSED
    if account.phase == SHAKING:
        end_badly(account, account.outcome or packed(ABANDONED, NOBODY, 0, 0))
    elif account.phase == OPENED:
        if was_cut:
            ending = TRUNCATED
        elif SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN:
            ending = CLOSED_BY_PEER
        account.phase = OVER
        wt_count_kind(account.tally, key_of(ENDING, account.outcome or packed(<Reason>ending, NOBODY, 0, 0)))
