"""MemoryBIO: a queue of bytes between OpenSSL and a program."""

from cpython.pythread cimport PyThread_type_lock


cdef class MemoryBIO:
    cdef PyThread_type_lock lock    # the connection touches the bytes without the GIL
    cdef char *data
    cdef size_t start, end, capacity
    cdef bint eof_written

    cdef Py_ssize_t take(self, char *into, size_t size) noexcept nogil
    cdef int put(self, const char *data, size_t size) noexcept nogil
    cdef int acquire(self) except -1
    cdef void take_locked(self, char *into, size_t size) noexcept nogil
    cdef int make_room(self, size_t size) noexcept nogil
