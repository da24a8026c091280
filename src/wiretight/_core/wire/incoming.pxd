"""Incoming: the bytes that OpenSSL reads, through a window onto the head of the kernel's queue."""

from libc.stdint cimport uint64_t

from wiretight._core.base.mutex cimport atomic_uint
from wiretight._core.wire.outgoing cimport Outgoing
from wiretight._core.wire.records cimport RecordCount


cdef class Incoming(Outgoing):
    # What OpenSSL has consumed of the window leaves the kernel in settle().
    cdef unsigned char *window
    cdef size_t window_size, consumed, delivered
    cdef size_t space               # the caller's free space
    cdef bint has_data              # the step has bytes for the caller: no second look, and errors are for the next
    cdef int fetches                # of the step
    cdef uint64_t read_limit        # `bytes_in` at which a step without data ends
    cdef size_t undiscarded         # bytes at the head of the kernel's queue that OpenSSL has already consumed
    cdef bint holds_back            # that is a byte which is there for select() and for other threads
    cdef atomic_uint carries        # a connection inside ours, which reads what OpenSSL has decrypted
    cdef bint limited               # a step without data ended at `read_limit`, not for lack of bytes
    cdef bint read_wants_write      # before more can be read: only a Tunnel's
    cdef bint drained               # the last look emptied the kernel
    cdef bint waits                 # the caller waits: its socket is blocking or has a timeout
    cdef bint at_eof
    cdef bint reads_ahead           # looks take what they see from the kernel: nobody asks select()
    cdef bint taken                 # that is how the bytes of the window came
    cdef bint owns_window           # the window is a copy of what a step left over of them
    cdef bint has_event             # OpenSSL has met the end behind data, and nothing of it is in the kernel
    cdef bint can_drop
    cdef int pending_errno          # errno of a blocking look, for the next step

    cdef uint64_t bytes_in
    cdef RecordCount records_in

    # What OpenSSL calls
    cdef int take(self, char *into, int size) noexcept nogil
    cdef int fetch(self, char *into, int size) noexcept nogil
    cdef int take_from_bio(self, char *into, int size) noexcept nogil

    # The window
    cdef size_t look_size(self, size_t needed) noexcept nogil
    cdef void show(self, unsigned char *window, size_t size, size_t asked, bint taken) noexcept nogil
    cdef bint has_bytes(self) noexcept nogil
    cdef bint has_taken(self) noexcept nogil
    cdef bint fits(self, const unsigned char *rest, size_t size) noexcept nogil
    cdef bint may_have_more(self) noexcept nogil
    cdef void keep_event(self) noexcept nogil
    cdef void report_event(self) noexcept nogil
    cdef bint is_awaited(self) noexcept nogil
    cdef void wake_others(self, bint rest_is_awaited) noexcept nogil
    cdef void let_go(self, bint is_needed) noexcept nogil
    cdef void settle(self) noexcept nogil
    cdef void settle_window(self) noexcept nogil
    cdef void hold(self, const unsigned char *data, size_t size) noexcept nogil

    # The kernel's queue
    cdef void drop_undiscarded(self) noexcept nogil
    cdef bint drop(self, size_t size) noexcept nogil


cdef inline bint takes(Incoming wire) noexcept nogil:
    """Whether the next look takes what it sees."""
    return wire.reads_ahead and not wire.carries
