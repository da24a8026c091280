"""Wire: the BIO of a connection. It alone moves ciphertext, and it alone waits."""

from cpython.pythread cimport PyThread_type_lock
from libc.stdint cimport int64_t, uint64_t

from wiretight._core.memorybio cimport MemoryBIO
from wiretight._core.openssl.bio cimport BIO


cdef extern from "mutex.h" nogil:
    ctypedef struct wt_mutex:
        pass
    int wt_mutex_init(wt_mutex *mutex)
    void wt_mutex_destroy(wt_mutex *mutex)
    bint wt_mutex_try(wt_mutex *mutex)
    void wt_mutex_lock(wt_mutex *mutex)
    void wt_mutex_unlock(wt_mutex *mutex)
    bint wt_mutex_contended(wt_mutex *mutex)


# How a wait ended.
cdef enum Wake:
    READY
    TIMED_OUT
    INTERRUPTED


cdef struct RecordCount:
    uint64_t count
    unsigned char header[5]
    unsigned int header_size
    size_t body_left


cdef class Wire:
    cdef BIO *bio

    # Over a descriptor: its number while it is ours, -1 once it was given back.
    cdef int fd
    cdef bint on_socket
    cdef bint can_drop

    # Over two BIOs: ours are used directly, anything else with read() and write() through Python.
    cdef object incoming, outgoing
    cdef MemoryBIO own_incoming, own_outgoing
    cdef object raised              # what a foreign BIO raised; the funnel raises it again

    # The lock of the connection.
    cdef wt_mutex lock
    cdef unsigned long owner
    cdef int waiting                # threads inside poll()
    cdef PyThread_type_lock gone    # given by the last of them to a release() that waits for it

    # Incoming: a window onto the head of the kernel's queue. What OpenSSL has eaten of it leaves the kernel in settle().
    cdef unsigned char *window
    cdef size_t window_size, eaten, safe
    cdef size_t room                # the caller's free room
    cdef bint may_fetch
    cdef int fetches
    cdef size_t stale               # bytes at the head of the kernel's queue that OpenSSL has eaten before
    cdef bint dry                   # the last look emptied the kernel
    cdef bint at_eof
    cdef int refusal                # errno that a blocking look took, for the next step
    cdef int error                  # errno of the descriptor, 0

    # Outgoing: gathered in a lent buffer; what the kernel did not take is owned.
    cdef unsigned char *gathered
    cdef size_t gathered_size
    cdef unsigned char *unsent
    cdef size_t unsent_start, unsent_end, unsent_capacity
    cdef uint64_t enqueued, flushed

    cdef bint lost                  # there was no memory to own them: the connection cannot go on

    cdef uint64_t bytes_in, bytes_out, syscalls
    cdef RecordCount records_in, records_out

    # Lock
    cdef int enter(self) except -1
    cdef int enter_io(self) except -1
    cdef bint is_mine(self) noexcept
    cdef void leave(self) noexcept nogil
    cdef void let_others_in(self) noexcept nogil

    # Incoming flow
    cdef void begin(self) noexcept nogil
    cdef void drop_stale(self) noexcept nogil
    cdef int take(self, char *into, int size) noexcept nogil
    cdef int fetch(self, char *into, int size) noexcept nogil
    cdef size_t look_size(self, size_t needed) noexcept nogil
    cdef void show(self, unsigned char *window, size_t size, size_t asked) noexcept nogil
    cdef int take_from_bio(self, char *into, int size) noexcept nogil
    cdef int take_from_foreign(self, char *into, int size) noexcept
    cdef bint drop(self, size_t size) noexcept nogil
    cdef void settle_window(self) noexcept nogil
    cdef void settle(self) noexcept nogil
    cdef void keep_event(self) noexcept nogil
    cdef bint may_have_more(self) noexcept nogil

    # Outgoing flow
    cdef int put(self, const char *data, int size) noexcept nogil
    cdef int put_into_bio(self, const char *data, size_t size) noexcept nogil
    cdef int put_into_foreign(self, const char *data, size_t size) noexcept
    cdef int own(self, const unsigned char *data, size_t size) noexcept nogil
    cdef bint flush(self) noexcept nogil
    cdef size_t send_some(self, const unsigned char *data, size_t size) noexcept nogil
    cdef bint has_unsent(self) noexcept nogil
    cdef bint is_overfull(self) noexcept nogil

    # Waiting, and the end
    cdef Wake wait(self, bint for_write, int64_t deadline) noexcept nogil
    cdef int serve_signals(self) except -1
    cdef int release(self, bint shut_down) except -1
