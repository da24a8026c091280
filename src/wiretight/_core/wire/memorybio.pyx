"""MemoryBIO: a queue of bytes between OpenSSL and a program."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.number cimport PyNumber_Index
from libc.errno cimport EBADF
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from wiretight._core.base.mutex cimport (
    WT_LEVEL_BIO, wt_mutex_init, wt_mutex_is_orphaned, wt_mutex_lock, wt_mutex_lock_with_gil, wt_mutex_try,
    wt_mutex_unlock,
)

from wiretight._standard.errors import SSLError

cdef enum:
    KEPT_WHEN_EMPTY = 32 * 1024     # an empty object frees larger storage


cdef class MemoryBIO:
    """A queue of bytes that stands for one direction of a transport.

    A program writes the ciphertext that it received from its peer into the incoming MemoryBIO of an SSLObject, and
    sends what it reads from the outgoing one.

    Since 0.1. Source: `ssl.MemoryBIO` of the standard library.
    """

    def __cinit__(self):
        wt_mutex_init(&self.lock, WT_LEVEL_BIO)

    def __dealloc__(self):
        free(self.data)

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def read(self, size=-1, /):
        """Removes and returns up to `size` bytes; all of them if `size` is negative.

        Returns b"" if it is empty, whether or not that is the end: see `eof`. Raises OverflowError for a `size` that is
        out of range for a C int, and OSError in the child of a fork during which another thread used it. Since 0.1.
        """
        cdef int most = -1 if size is None else PyNumber_Index(size)
        cdef size_t wanted, taken
        cdef bytes data
        self.lock_with_gil()
        wanted = self.end - self.start
        wt_mutex_unlock(&self.lock)
        if most >= 0 and wanted > <size_t>most:
            wanted = most
        # Creating an object may run Python, the finalizers of what the garbage collector finds: so it is created
        # without the lock, and another thread may take bytes meanwhile.
        data = PyBytes_FromStringAndSize(NULL, wanted)
        self.lock_with_gil()
        taken = self.take_locked(PyBytes_AS_STRING(data), wanted)
        wt_mutex_unlock(&self.lock)
        return data if taken == wanted else data[:taken]

    def write(self, b, /):
        """Appends the bytes-like object `b` and returns its length in bytes.

        Raises SSLError after write_eof(). Since 0.1.
        """
        cdef Py_buffer view
        cdef bint ended
        cdef int kept = 0
        PyObject_GetBuffer(b, &view, PyBUF_SIMPLE)
        try:
            self.lock_with_gil()
            ended = self.eof_written
            if not ended and view.len:
                kept = self.put_locked(<const char *>view.buf, view.len)
            wt_mutex_unlock(&self.lock)
            if ended:
                raise SSLError("cannot write() after write_eof()")
            if kept < 0:
                raise MemoryError
            return view.len
        finally:
            PyBuffer_Release(&view)

    def write_eof(self):
        """Marks the end: once the bytes before it are read, `eof` is true. It cannot be undone. Since 0.1."""
        self.lock_with_gil()
        self.eof_written = True
        wt_mutex_unlock(&self.lock)

    @property
    def pending(self):
        """How many bytes wait to be read. Since 0.1."""
        cdef size_t size
        self.lock_with_gil()
        size = self.end - self.start
        wt_mutex_unlock(&self.lock)
        return size

    @property
    def eof(self):
        """Whether write_eof() was called and every byte has been read. Since 0.1."""
        cdef bint ended
        self.lock_with_gil()
        ended = self.eof_written and self.start == self.end
        wt_mutex_unlock(&self.lock)
        return ended

    cdef int lock_with_gil(self) except -1:
        if wt_mutex_is_orphaned(&self.lock):
            raise OSError(EBADF, "another thread was using this MemoryBIO when the process forked")
        wt_mutex_lock_with_gil(&self.lock)
        return 0

    # --- For a connection ---------------------------------------------------------------------------------------------

    cdef bint try_take(self, char *into, size_t size, Py_ssize_t *taken, bint *at_eof) noexcept nogil:
        """take(), or False if it would have to wait."""
        if wt_mutex_is_orphaned(&self.lock):
            taken[0] = -1
        elif wt_mutex_try(&self.lock):
            taken[0] = self.take_or_end(into, size, at_eof)
            wt_mutex_unlock(&self.lock)
        else:
            return False
        return True

    cdef Py_ssize_t take(self, char *into, size_t size, bint *at_eof) noexcept nogil:
        """Removes up to `size` bytes and returns how many; `at_eof` is whether the same moment was the end."""
        cdef Py_ssize_t taken
        if self.try_take(into, size, &taken, at_eof):
            return taken
        wt_mutex_lock(&self.lock)
        taken = self.take_or_end(into, size, at_eof)
        wt_mutex_unlock(&self.lock)
        return taken

    cdef bint try_put(self, const char *data, size_t size, int *kept) noexcept nogil:
        """put(), or False if it would have to wait."""
        if wt_mutex_is_orphaned(&self.lock):
            kept[0] = -1
        elif wt_mutex_try(&self.lock):
            kept[0] = self.put_locked(data, size)
            wt_mutex_unlock(&self.lock)
        else:
            return False
        return True

    cdef int put(self, const char *data, size_t size) noexcept nogil:
        """Appends `size` bytes, or returns -1 if there is no memory for them; then nothing has changed."""
        cdef int kept
        if self.try_put(data, size, &kept):
            return kept
        wt_mutex_lock(&self.lock)
        kept = self.put_locked(data, size)
        wt_mutex_unlock(&self.lock)
        return kept

    # --- With the lock held -------------------------------------------------------------------------------------------

    cdef size_t take_or_end(self, char *into, size_t size, bint *at_eof) noexcept nogil:
        size = self.take_locked(into, size)
        at_eof[0] = size == 0 and self.eof_written
        return size

    cdef size_t take_locked(self, char *into, size_t size) noexcept nogil:
        if size > self.end - self.start:
            size = self.end - self.start
        if size:
            memcpy(into, self.data + self.start, size)
            self.start += size
        if self.start == self.end:
            self.start = self.end = 0
            if self.capacity > KEPT_WHEN_EMPTY:
                free(self.data)
                self.data = NULL
                self.capacity = 0
        return size

    cdef int put_locked(self, const char *data, size_t size) noexcept nogil:
        cdef int kept = 0
        if size > self.capacity - self.end:
            kept = self.reserve(size)
        if kept == 0:
            memcpy(self.data + self.end, data, size)
            self.end += size
        return kept

    cdef int reserve(self, size_t size) noexcept nogil:
        cdef size_t unread = self.end - self.start
        cdef size_t capacity = self.capacity
        cdef char *larger
        if unread + size > self.capacity // 2:
            capacity = 2 * (unread + size)
            larger = <char *>malloc(capacity)
            if larger == NULL:
                return -1
            if unread:
                memcpy(larger, self.data + self.start, unread)
            free(self.data)
            self.data = larger
            self.capacity = capacity
        else:
            memmove(self.data, self.data + self.start, unread)
        self.start = 0
        self.end = unread
        return 0
