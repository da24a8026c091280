"""Driver: one call of a verb, from its first step to its end. It waits, and decides what to raise."""

from libc.stdint cimport int64_t
from libc.string cimport memset

from wiretight._core.base.errors cimport Failure, Status
from wiretight._core.base.mutex cimport atomic_uint
from wiretight._core.connection.stream cimport Operation, Stream, Verb

cdef extern from "<stdatomic.h>" nogil:
    ctypedef long long atomic_llong

# One call of a verb, from its first step to its end.
cdef struct Call:
    Operation op
    int64_t timeout         # ns: negative for none, 0 on a non-blocking socket
    bint knows_timeout      # False: `timeout` is that of the previous call
    int64_t deadline        # ns of wt_now(): negative for none, 0 before the first wait
    Status status           # AGAIN before the first step
    bint has_begun
    bint timed_out
    bint is_over
    bint is_end             # a read has met the peer's close_notify, and we have not sent ours
    Failure failure


cdef inline void begin(Call *call, Verb verb, char *data, size_t size) noexcept nogil:
    memset(call, 0, sizeof(Call))
    call.op.verb = verb
    call.op.data = data
    call.op.size = size


cdef class Driver(Stream):
    cdef object socket_reference        # weak; None over BIOs
    cdef bint follows_socket            # which closes its descriptor without telling this connection
    cdef char *unread                   # read by a call that a callback's exception ended, for the next read
    cdef size_t unread_start, unread_end
    cdef object owed                    # what ends the program, after a call that has sent: for the next call
    cdef atomic_uint owes               # it does; read without the lock
    cdef bint is_unprepared             # for a handshake that has not begun
    cdef int sends                      # that have begun and are not over
    cdef atomic_llong last_read         # these two are guesses, read without the lock
    cdef atomic_llong last_timeout

    # One call
    cdef size_t drive(self, Verb verb, char *data, size_t size, object deadline) except? 0xFFFFFFFF
    cdef size_t run(self, Call *call, object deadline) except? 0xFFFFFFFF
    cdef int prepare_handshake(self) except -1
    cdef object problem_of_telling(self, Call *call, object problem)
    cdef int raise_or_owe(self, Call *call, object problem) except -1
    cdef int raise_owed(self) except -1
    cdef bint could_suspend(self) noexcept nogil
    cdef bint keeps_gil_for(self, Call *call) noexcept nogil
    cdef void advance(self, Call *call) noexcept nogil
    cdef void advance_locked(self, Call *call) noexcept nogil
    cdef Status next_step(self, Call *call) noexcept nogil
    cdef bint is_drained(self) noexcept nogil
    cdef bint is_late(self, Call *call) noexcept nogil
    cdef bint is_refused(self, Call *call) noexcept nogil
    cdef void wait(self, Call *call) noexcept nogil
    cdef void finish(self, Call *call) noexcept nogil
    cdef void give_up(self, Call *call) noexcept nogil
    cdef void keep_backlog(self, Call *call) noexcept nogil
    cdef object problem_of(self, Call *call)
    cdef void put_back(self, Call *call) noexcept nogil

    cdef size_t take_unread(self, char *into, size_t size, bint stays) noexcept nogil
    cdef void keep_unread(self, const char *data, size_t size) noexcept nogil
    cdef object as_int(self, size_t count)
    cdef object underlying_socket(self)
    cdef object socket_to_use(self)
    cdef int64_t timeout_of(self, object sock) except? -2
    cdef object exception_for(self, Call *call)
