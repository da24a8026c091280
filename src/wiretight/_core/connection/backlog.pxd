"""Backlog: plaintext that was encrypted for a call that ended before the kernel accepted its records."""

from libc.stdint cimport uint64_t

from wiretight._core.connection.pieces cimport Pieces

cdef enum:
    BATCH = 4       # records encrypted before they are sent


cdef struct Mark:
    uint64_t cipher_end     # the record is in the kernel once the wire has flushed this many bytes
    size_t plain_end        # and then this many bytes of the call are sent


# One call's progress: of its bytes, `committed` are encrypted and `sent` are in the kernel.
cdef struct Writing:
    size_t committed, sent
    int count
    Mark marks[BATCH]


cdef void note(Writing *writing, uint64_t flushed) noexcept nogil


cdef class Backlog:
    cdef char *plaintext
    cdef size_t size
    cdef int count
    cdef Mark *marks

    cdef bint is_retried_by(self, const char *data, Pieces *pieces, size_t sent, size_t size) noexcept nogil
    cdef void adopt(self, size_t size, Writing *writing) noexcept nogil
    cdef int keep(self, const char *left, const Writing *writing) noexcept nogil
    cdef void clear(self) noexcept nogil
