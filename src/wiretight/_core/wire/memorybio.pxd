"""MemoryBIO: a queue of bytes between OpenSSL and a program."""

from wiretight._core.base.mutex cimport wt_mutex


cdef class MemoryBIO:
    cdef wt_mutex lock      # the connection touches the bytes without the GIL
    cdef char *data
    cdef size_t start, end, capacity
    cdef bint eof_written

    # For a connection, which never waits with the GIL; -1 is a failure
    cdef bint try_take(self, char *into, size_t size, Py_ssize_t *taken, bint *at_eof) noexcept nogil
    cdef bint try_put(self, const char *data, size_t size, int *kept) noexcept nogil
    cdef Py_ssize_t take(self, char *into, size_t size, bint *at_eof) noexcept nogil
    cdef int put(self, const char *data, size_t size) noexcept nogil

    # With the lock held
    cdef size_t take_locked(self, char *into, size_t size) noexcept nogil
    cdef size_t take_or_end(self, char *into, size_t size, bint *at_eof) noexcept nogil
    cdef int put_locked(self, const char *data, size_t size) noexcept nogil
    cdef int reserve(self, size_t size) noexcept nogil

    cdef int lock_with_gil(self) except -1
