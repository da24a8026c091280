"""Stream: the verbs of a connection, as steps that move bytes between OpenSSL and its Wire."""

from cpython.object cimport PyObject
from libc.stdint cimport uint64_t
from libc.string cimport memset

from wiretight._core.base.errors cimport FAILED, Failure, Status
from wiretight._core.base.mutex cimport wt_mutex_lock, wt_mutex_unlock
from wiretight._core.connection.accounting cimport SHAKING, count_moved, follow, note_refusal
from wiretight._core.connection.backlog cimport Backlog, Writing
from wiretight._core.connection.negotiated cimport Negotiated
from wiretight._core.connection.pieces cimport Pieces, span
from wiretight._core.connection.state cimport State
from wiretight._core.wire.wire cimport Wire

cdef enum Verb:
    HANDSHAKE
    READ
    WRITE
    SHUTDOWN
    CLOSE       # the first half of a shutdown: our close_notify, in the kernel
    NOTIFY      # half of a shutdown: our close_notify, as far as the kernel accepts it
    FLUSH       # sends what the wire has of earlier calls
    LOOK        # looks for an alert that explains a reset, and reads nothing
    UPDATE      # new keys for what we send, as far as the kernel accepts it
    UPDATE_BOTH     # and asks the peer to do the same


# A verb in progress, over all of its steps.
cdef struct Operation:
    Verb verb
    char *data
    size_t size
    bint peeks              # READ: what is read stays to be read
    size_t got              # READ: bytes of the last step
    Pieces *pieces          # WRITE: where the bytes are, if not at `data`; NULL
    Writing writing         # WRITE
    PyObject *raised        # the last exception of a callback or a BIO; owned by the caller


cdef inline Operation operation(Verb verb, char *data, size_t size) noexcept nogil:
    cdef Operation op
    memset(&op, 0, sizeof(Operation))
    op.verb = verb
    op.data = data
    op.size = size
    return op


# `size` of the plaintext of a WRITE, at most SPAN, beginning with byte `start`
cdef inline const char *plaintext(const Operation *op, size_t start, size_t size) noexcept nogil:
    return op.data + start if op.pieces == NULL else span(op.pieces, start, size)


cdef class Stream(Negotiated):
    cdef Wire wire
    cdef Backlog backlog

    cdef Failure failure            # why the last verb FAILED
    cdef Failure deferred           # the failure that a read met behind data, for the next read
    cdef bint has_deferred
    cdef bint has_failed            # at least one call of OpenSSL has
    cdef unsigned long alert        # with which the peer refused us; 0: none
    cdef bint has_closed_writing    # by a CLOSE: the peer's close_notify is an end like any other
    cdef State state
    cdef bint serves_carried        # this step is for the connection that the wire `carries`
    cdef bint was_cut               # the peer's data has ended without its close_notify
    cdef uint64_t sealed            # records of data since the keys were updated, where somebody counts them

    # Called with the lock and the turn, by whoever waits
    cdef Status step(self, Operation *op) noexcept nogil
    cdef Status send(self, Operation *op) noexcept nogil
    cdef bint has_more(self) noexcept nogil

    # The parts of a step
    cdef Status admit(self, const Operation *op) noexcept nogil
    cdef Status operate(self, Operation *op) noexcept nogil
    cdef Status require_protocol(self) noexcept nogil
    cdef Status answer(self, Operation *op, Status status) noexcept nogil

    # What each verb asks of OpenSSL
    cdef Status read_records(self, Operation *op) noexcept nogil
    cdef Status begin_to_read(self) noexcept nogil
    cdef Status peek_record(self, Operation *op) noexcept nogil
    cdef Status write_records(self, Operation *op) noexcept nogil
    cdef Status encrypt(self, Operation *op) noexcept nogil
    cdef Status close_writing(self) noexcept nogil
    cdef Status shut_down(self) noexcept nogil
    cdef Status update_keys(self, bint asks_peer) noexcept nogil

    # Outcomes
    cdef void enter(self, State state) noexcept nogil
    cdef void follow_wire(self) noexcept nogil
    cdef bint is_at_end(self) noexcept nogil
    cdef Status result(self, int ret) noexcept nogil
    cdef bint is_cut(self) noexcept nogil
    cdef bint may_go_on(self) noexcept nogil
    cdef bint has_served(self) noexcept nogil
    cdef Status failed_with(self, int error) noexcept nogil
    cdef void look_for_alert(self) noexcept nogil
    cdef Status ended(self) noexcept nogil
    cdef Status blocked(self) noexcept nogil
    cdef Status refused_turn(self, int error) noexcept nogil


cdef inline void keep_account(Stream self, const Operation *op, Status status) noexcept nogil:
    count_moved(
        &self.account, <void *>self, self.wire.bytes_in, self.wire.bytes_out, self.wire.records_in.count,
        self.wire.records_out.count)
    if op.verb <= WRITE and (self.account.phase == SHAKING or status == FAILED):
        follow(
            self.ssl, &self.account, status, &self.failure, op.raised != NULL,
            op.verb == HANDSHAKE or self.lacks_protocol)
    elif status == FAILED:
        note_refusal(&self.account, &self.failure)


cdef inline void lose(Stream self) noexcept nogil:
    """Ends the stream, because the caller cannot know what it has received or sent. Called without the lock."""
    wt_mutex_lock(&self.descriptor.lock)
    self.wire.out_of_memory = True
    wt_mutex_unlock(&self.descriptor.lock)
