"""Outgoing: the bytes that OpenSSL writes, gathered, and sent as far as the kernel accepts them."""

from libc.stdint cimport uint64_t

from wiretight._core.wire.biopair cimport BioPair
from wiretight._core.wire.descriptor cimport Descriptor
from wiretight._core.wire.records cimport RecordCount


cdef class Outgoing(Descriptor):
    cdef BioPair bios               # None over a descriptor
    cdef bint bio_refused           # the outgoing one failed in this step, and is not called again

    # Gathered in a lent buffer, and owned once the kernel has not accepted it.
    cdef unsigned char *gathered
    cdef size_t gathered_size
    cdef unsigned char *unsent
    cdef size_t unsent_start, unsent_end, unsent_capacity
    cdef uint64_t enqueued, flushed
    cdef bint out_of_memory         # there was no memory for bytes of the stream: the connection cannot go on

    cdef bint write_wants_read      # before more can be sent: only a Tunnel's
    cdef uint64_t bytes_out
    cdef RecordCount records_out

    # What OpenSSL calls
    cdef int put(self, const char *data, int size) noexcept nogil
    cdef int put_into_bio(self, const char *data, size_t size) noexcept nogil
    cdef int own(self, const unsigned char *data, size_t size) noexcept nogil
    cdef void lose(self) noexcept nogil

    # To the kernel
    cdef bint flush(self) noexcept nogil
    cdef size_t send_some(self, const unsigned char *data, size_t size) noexcept nogil
    cdef bint has_unsent(self) noexcept nogil
    cdef bint is_overfull(self) noexcept nogil
    cdef void forget(self) noexcept nogil
