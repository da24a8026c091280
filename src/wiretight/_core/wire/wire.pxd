"""Wire: the BIO of a connection. It alone moves ciphertext, and it alone waits."""

from libc.stdint cimport int64_t, uint64_t

from wiretight._core.openssl.bio cimport BIO
from wiretight._core.wire.biopair cimport BioPair
from wiretight._core.wire.descriptor cimport Descriptor
from wiretight._core.wire.records cimport RecordCount


# How a wait ended.
cdef enum Wake:
    READY
    TIMED_OUT
    INTERRUPTED


cdef class Wire(Descriptor):
    cdef BIO *bio

    cdef bint on_socket             # over the descriptor, not over BIOs
    cdef bint can_drop

    cdef BioPair bios               # None over a descriptor
    cdef bint bio_refused           # in this step: the outgoing one is not called again

    # Incoming: a window onto the head of the kernel's queue. What OpenSSL has consumed of it leaves the kernel in
    # settle().
    cdef unsigned char *window
    cdef size_t window_size, consumed, delivered
    cdef size_t space               # the caller's free space
    cdef bint has_data              # the step has bytes for the caller: one look, and no bad news
    cdef int fetches                # of the step
    cdef uint64_t read_limit        # `bytes_in` at which a step without data ends
    cdef size_t undiscarded         # bytes at the head of the kernel's queue that OpenSSL has consumed before
    cdef bint limited               # a step without data ended at `read_limit`, and not for want of bytes
    cdef bint drained               # the last look emptied the kernel
    cdef bint waits                 # the caller does: its socket is not non-blocking
    cdef bint at_eof
    cdef bint exclusive             # nobody else reads from this descriptor: looks take what they see
    cdef bint owns_window           # the window is our own, with what an exclusive step left over
    cdef int pending_errno          # errno that a blocking look took, for the next step
    cdef int error                  # errno of the descriptor, 0: of a step's the first
    cdef int ending                 # errno that the connection ended with, for every later read; 0
    cdef bint is_gone               # the peer is, and nothing can be sent any more

    # Outgoing: gathered in a lent buffer; what the kernel did not take is owned.
    cdef unsigned char *gathered
    cdef size_t gathered_size
    cdef unsigned char *unsent
    cdef size_t unsent_start, unsent_end, unsent_capacity
    cdef uint64_t enqueued, flushed

    cdef bint out_of_memory         # there was no memory for bytes of the stream: the connection cannot go on

    cdef uint64_t bytes_in, bytes_out, syscalls
    cdef RecordCount records_in, records_out

    # Incoming flow
    cdef void begin(self) noexcept nogil
    cdef void drop_undiscarded(self) noexcept nogil
    cdef int take(self, char *into, int size) noexcept nogil
    cdef int fetch(self, char *into, int size) noexcept nogil
    cdef void fail(self, int error) noexcept nogil
    cdef void look_for_refusal(self) noexcept nogil
    cdef size_t look_size(self, size_t needed) noexcept nogil
    cdef void show(self, unsigned char *window, size_t size, size_t asked) noexcept nogil
    cdef int take_from_bio(self, char *into, int size) noexcept nogil
    cdef bint drop(self, size_t size) noexcept nogil
    cdef void settle_window(self) noexcept nogil
    cdef void settle(self) noexcept nogil
    cdef int hold(self, const unsigned char *data, size_t size) noexcept nogil
    cdef void keep_event(self) noexcept nogil
    cdef bint may_have_more(self) noexcept nogil

    # Outgoing flow
    cdef int put(self, const char *data, int size) noexcept nogil
    cdef int put_into_bio(self, const char *data, size_t size) noexcept nogil
    cdef int own(self, const unsigned char *data, size_t size) noexcept nogil
    cdef void lose(self) noexcept nogil
    cdef bint flush(self) noexcept nogil
    cdef size_t send_some(self, const unsigned char *data, size_t size) noexcept nogil
    cdef bint has_unsent(self) noexcept nogil
    cdef void forget(self) noexcept nogil
    cdef bint is_overfull(self) noexcept nogil

    # Waiting
    cdef Wake wait(self, bint for_write, int64_t deadline) noexcept nogil
