"""Accounting: what a connection adds to the tally of its context."""

from libc.stdint cimport int64_t, uint64_t

from wiretight._core.base.errors cimport Failure, Status
from wiretight._core.base.mutex cimport atomic_uint
from wiretight._core.context.tally cimport wt_add, wt_tally
from wiretight._core.openssl.ssl cimport SSL

# How far a connection has come.
cdef enum Phase:
    UNBEGUN
    SHAKING         # hands
    OPENED          # the handshake is done
    OVER            # and the end is counted


cdef struct Moved:
    uint64_t bytes_in, bytes_out, records_in, records_out


# What is known of a connection, under its lock.
cdef struct Account:
    wt_tally *tally
    Phase phase
    int64_t began           # the handshake, in ns of wt_now()
    int64_t took            # ns, once it is over
    bint offered            # a session
    bint unknown_key        # the ticket that was offered
    bint expired            # likewise
    uint64_t outcome        # how it has failed; 0: not, so far
    uint64_t handshake      # the outcome of that; 0: it is done
    atomic_uint news        # its handshake is over, and its handshake_callback has not been told
    Moved moved             # what is counted already


cdef void begin_handshake(SSL *ssl, Account *account) noexcept nogil
# After a step, in which the handshake may have ended
cdef void follow(
    SSL *ssl, Account *account, Status status, const Failure *failure, bint raised, bint is_handshake
) noexcept nogil
# After a step of another verb than those, which has FAILED
cdef void note_refusal(Account *account, const Failure *failure) noexcept nogil
# After an SSL_shutdown() that has succeeded, and may have met an alert
cdef bint was_refused(Account *account) noexcept nogil
# Before it ends, the program could have tried again
cdef void note_timeout(Account *account) noexcept nogil
# The program has done with it
cdef void settle(SSL *ssl, Account *account, bint was_cut) noexcept nogil


cdef inline void count_moved(
    Account *account, const void *self, uint64_t bytes_in, uint64_t bytes_out, uint64_t records_in, uint64_t records_out
) noexcept nogil:
    cdef int shard = <int>(<size_t>self >> 8 & 7)
    if bytes_in != account.moved.bytes_in:
        wt_add(&account.tally.traffic[shard].bytes_in, bytes_in - account.moved.bytes_in)
        account.moved.bytes_in = bytes_in
        if records_in != account.moved.records_in:
            wt_add(&account.tally.traffic[shard].records_in, records_in - account.moved.records_in)
            account.moved.records_in = records_in
    if bytes_out != account.moved.bytes_out:
        wt_add(&account.tally.traffic[shard].bytes_out, bytes_out - account.moved.bytes_out)
        account.moved.bytes_out = bytes_out
        if records_out != account.moved.records_out:
            wt_add(&account.tally.traffic[shard].records_out, records_out - account.moved.records_out)
            account.moved.records_out = records_out
