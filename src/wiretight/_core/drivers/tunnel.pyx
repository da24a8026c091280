"""Tunnel: the wire of a connection inside another one, which carries its bytes: TLS in TLS.

What the kernel is to other wires, a connection is to this one, its carrier: a look into the kernel's queue is a read of
the carrier, a send() is a write. It reads no more than OpenSSL asks for, a record's header and then its body, so that
what follows the close_notify of the connection inside is still the carrier's to read.

To everybody else both are one. They share the carrier's lock and turns, so that nobody waits for one of them with the
other's, and the descriptor is the carrier's, which waits for it and gives it back. Its own verbs are refused while it
`carries`; it answers questions, and calls back into Python, as ever.
"""

from cython cimport critical_section, no_gc_clear
from cpython.weakref cimport PyWeakref_NewRef
from libc.errno cimport EBADF, ENOMEM, EPIPE, EPROTO
from libc.stdint cimport int64_t

from wiretight._core.base.errors cimport (
    AGAIN, CLOSED, DONE, FAILED, Failure, OWN_CALLBACK, Status, WANT_READ, WANT_WRITE, turn_refused,
)
from wiretight._core.base.mutex cimport wt_mutex_lock, wt_mutex_unlock
from wiretight._core.connection.backlog cimport BATCH, note
from wiretight._core.connection.connection cimport Connection
from wiretight._core.connection.hostname cimport a_label
from wiretight._core.connection.stream cimport NOTIFY, READ, WRITE, Operation, Stream, operation
from wiretight._core.context.context cimport Context
from wiretight._core.drivers.driver cimport Driver
from wiretight._core.drivers.sslsocket cimport _SSLSocket, count_end, new_connection
from wiretight._core.openssl.ssl cimport SSL_is_init_finished, SSL_pending
from wiretight._core.wire.records cimport count_records
from wiretight._core.wire.wire cimport Wake, Wire
from wiretight._standard.system import os

cdef enum:
    RECORD = 16384          # RFC 8446, 5.1
    MOST = BATCH * RECORD   # of one write: between batches the carrier would yield the lock, in the middle of our step
    SSL_ERROR_EOF = 8       # as in errors


@no_gc_clear
cdef class Tunnel(Wire):
    """A wire over `carrier`. Its `fd` says whether it may be used; who uses the number is the carrier."""

    # --- What OpenSSL reads -------------------------------------------------------------------------------------------

    cdef void begin(self) noexcept nogil:
        Wire.begin(self)
        self.read_wants_write = self.write_wants_read = self.rest_is_awaited = False
        self.carrier.wire.waits = self.waits
        self.carrier.wire.drained = False

    cdef int take(self, char *into, int size) noexcept nogil:
        """The BIO's read, as of any wire."""
        cdef Operation op = operation(READ, into, size)
        cdef Status status
        if self.fd < 0:
            self.error = EBADF
            return 0
        if self.bytes_in >= self.read_limit:
            self.limited = True
            return -1
        status = self.carry(&op)
        if status == DONE:
            self.bytes_in += op.got
            count_records(&self.records_in, <const unsigned char *>into, op.got)
            return <int>op.got
        self.limited = status == AGAIN
        self.read_wants_write = status == WANT_WRITE
        if status == FAILED:
            self.carrier_failed()
        # To the connection inside, the carrier's end is that of a TCP connection.
        self.at_eof = self.at_eof or status == CLOSED
        return 0 if self.at_eof or status == FAILED else -1

    cdef bint has_bytes(self) noexcept nogil:
        """OpenSSL: SSL_pending(3)"""
        return self.carrier.wire.has_bytes() or self.carrier.unread != NULL or SSL_pending(self.carrier.ssl)

    cdef bint has_taken(self) noexcept nogil:
        return self.carrier.wire.has_taken()

    cdef bint may_have_more(self) noexcept nogil:
        """A step reads one record: the next may end the stream, and could not be left where it was."""
        return False

    cdef void keep_event(self) noexcept nogil:
        """For select(), there is a byte until a read reports it."""
        self.undiscarded = 1

    cdef void report_event(self) noexcept nogil:
        self.undiscarded = 0

    cdef void drop_undiscarded(self) noexcept nogil:
        self.undiscarded = 0

    cdef bint is_awaited(self) noexcept nogil:
        return self.carrier.descriptor.waiting

    cdef void wake_others(self, bint rest_is_awaited) noexcept nogil:
        self.rest_is_awaited = rest_is_awaited

    cdef void settle(self) noexcept nogil:
        self.carrier.wire.settle()
        if not self.carries:
            self.let_go(self.rest_is_awaited)

    cdef void let_go(self, bint is_needed) noexcept nogil:
        """OpenSSL: SSL_pending(3)"""
        self.carrier.wire.let_go(
            is_needed or self.undiscarded or SSL_pending(self.carrier.ssl) or self.carrier.unread != NULL
        )

    # --- What it writes -----------------------------------------------------------------------------------------------

    cdef bint flush(self) noexcept nogil:
        cdef bint sent = Wire.flush(self)
        self.count_sent()       # a read of the carrier may have sent it
        return sent

    cdef bint has_unsent(self) noexcept nogil:
        return Wire.has_unsent(self) or self.carrier.wire.has_unsent()

    cdef size_t send_some(self, const unsigned char *data, size_t size) noexcept nogil:
        """Has the carrier encrypt what it takes, and send what it has. How many bytes it took."""
        cdef Operation op
        cdef Status status = DONE
        cdef size_t taken = 0
        if self.fd < 0 or self.out_of_memory:
            self.error = EBADF if self.fd < 0 else ENOMEM
            return 0
        while status == DONE:
            op = operation(WRITE, <char *>data + taken, min(size - taken, <size_t>MOST))
            status = self.carry(&op)
            self.count_sent()
            if op.writing.committed:
                taken += op.writing.committed
                self.flushed += op.writing.sent
                self.bytes_out += op.writing.sent
                self.writing = op.writing
            if taken == size:
                break
        self.write_wants_read = status == WANT_READ
        if status == FAILED:
            self.carrier_failed()
        if status == CLOSED or (status == FAILED and self.at_eof):
            self.fail(EPIPE)
        return taken

    cdef void count_sent(self) noexcept nogil:
        """Counts what the carrier took and the kernel has."""
        cdef size_t counted = self.writing.sent
        note(&self.writing, self.carrier.wire.flushed)
        self.flushed += self.writing.sent - counted
        self.bytes_out += self.writing.sent - counted

    cdef void notify_outwards(self) noexcept nogil:
        cdef Operation op = operation(NOTIFY, NULL, 0)
        if not Wire.has_unsent(self):       # or it would come before the rest of ours
            self.carry(&op)
            self.carrier.wire.notify_outwards()

    # --- The carrier --------------------------------------------------------------------------------------------------

    cdef Status carry(self, Operation *op) noexcept nogil:
        """A step of the carrier, in the middle of one of ours. The turn is ours, so that no other begins meanwhile."""
        cdef Status status
        if op.verb == READ and self.carrier.unread != NULL:
            op.got = self.carrier.take_unread(op.data, op.size, False)
            return DONE
        op.raised = self.carrier.descriptor.take_raised()       # by a callback: for the verb of ours, too
        self.carrier.serves_carried = True
        self.carrier.may_suspend = False    # who calls us again knows nothing of its callbacks
        status = self.carrier.send(op) if op.verb == WRITE else self.carrier.step(op)
        self.carrier.serves_carried = False
        self.carrier.descriptor.raised = op.raised
        return status

    cdef void carrier_failed(self) noexcept nogil:
        """Takes down a failure of the carrier, as an errno and the reason behind it, or as the end of the stream."""
        cdef Failure failure = self.carrier.failure
        self.carrier.wire.explain(&failure)
        if failure.ssl_error == SSL_ERROR_EOF:
            self.at_eof = True
            return
        if not self.error:      # the first of the step is the one that is reported
            self.cause = failure
            self.has_cause = True
        if failure.errno_:
            self.fail(failure.errno_)
        else:
            # A fatal error of TLS: it neither reads nor writes any more.
            self.fail(EPROTO)
            self.is_gone = True
            self.ending = EPROTO

    cdef void explain(self, Failure *failure) noexcept nogil:
        if self.has_cause and failure.errno_ == (self.cause.errno_ or EPROTO) and not failure.alert:
            failure[0] = self.cause

    cdef Wake wait(self, bint for_write, int64_t deadline) noexcept nogil:
        return self.carrier.wire.wait(for_write, deadline)

    cdef int release(self, bint shut_down) except -1:
        if not self.carrier.descriptor.orphaned_by_fork():
            with nogil:
                wt_mutex_lock(&self.carrier.descriptor.lock)
                self.fd = -1
                wt_mutex_unlock(&self.carrier.descriptor.lock)
        self.carrier.wire.release(shut_down)
        return count_end(self.carrier)


# --- Into a connection, and out of it ---------------------------------------------------------------------------------

cdef enum:
    UNFINISHED_HANDSHAKE = 1
    UNFINISHED_SEND
    UNUSABLE


def begin_carrying(_SSLSocket carrier not None):
    """Reserves a connection for another one inside it: its own verbs raise OSError (EBADF) from now on.

    Raises ValueError if its handshake or a send is not complete, or in a callback of it, OSError if it carries one
    already or is closed, and what a call of it has left for the next one; then nothing has changed. Since 0.1.

    OpenSSL: SSL_is_init_finished(3)
    """
    if carrier.descriptor.is_callback():
        raise turn_refused(OWN_CALLBACK)
    carrier.raise_owed()
    cdef int refusal = carrier.change(begin, NULL)
    if refusal == UNFINISHED_HANDSHAKE:
        raise ValueError("the connection that is to carry another one has not shaken hands: call do_handshake() first")
    if refusal == UNFINISHED_SEND:
        raise ValueError(
            "the connection that is to carry another one has a send to complete: let it end, or send the bytes again")
    if refusal == 0 and not carrier.claim_descriptor():
        carrier.change(end, NULL)
        refusal = UNUSABLE
    if refusal:
        raise OSError(EBADF, "the connection that is to carry another one is closed, or carries one already")


def end_carrying(_SSLSocket carrier not None):
    """Gives a connection, and its descriptor, back to its own users. Since 0.1."""
    with critical_section(carrier):
        carrier.descriptor_is_claimed = False
    carrier.change(end, NULL)


def connection_inside(
    _SSLSocket carrier not None, Context context not None, sock, bint server_side, hostname, owner, session
):
    """A connection whose bytes `carrier` moves, over the descriptor of `sock`, which is held weakly.

    Raises SSLError for a context of the other side, ValueError for a bad name. Since 0.1.
    """
    cdef Tunnel tunnel = Tunnel(carrier.wire.fd)
    tunnel.carrier = carrier
    cdef _SSLSocket connection = new_connection(
        tunnel, carrier.descriptor, context, server_side, a_label(hostname), owner, session)
    connection.socket_reference = PyWeakref_NewRef(sock, None)
    return connection


def leave_carrier(_SSLSocket connection not None):
    """Ends a connection inside another one, and returns that, which is still to be given back to its users.

    Raises OSError (EBADF) if it was closed meanwhile. Since 0.1.
    """
    if not connection.claim_descriptor():
        raise OSError(EBADF, os.strerror(EBADF))
    connection.change(leave, NULL)
    count_end(connection)
    return (<Tunnel>connection.wire).carrier


def abandon(_SSLSocket carrier not None):
    """Gives the descriptor of a carrier back when there is no connection inside it to do so. Since 0.1."""
    carrier.wire.release(True)
    count_end(carrier)


cdef int begin(Connection connection, void *_) noexcept nogil:
    cdef void *carrier = <void *>connection
    if not SSL_is_init_finished(connection.ssl):
        return UNFINISHED_HANDSHAKE
    if (<Driver>carrier).wire.carries or (<Driver>carrier).wire.fd < 0:
        return UNUSABLE
    if (<Driver>carrier).sends or (<Driver>carrier).backlog.size:
        return UNFINISHED_SEND
    (<Driver>carrier).wire.carries = True
    return 0


cdef int end(Connection connection, void *_) noexcept nogil:
    cdef void *carrier = <void *>connection
    (<Stream>carrier).wire.carries = False
    (<Stream>carrier).wire.let_go(False)
    return 0


cdef int leave(Connection connection, void *_) noexcept nogil:
    (<Stream><void *>connection).wire.fd = -1
    return 0
