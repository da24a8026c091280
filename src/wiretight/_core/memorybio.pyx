"""MemoryBIO: a queue of bytes between OpenSSL and a program."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.pythread cimport (
    PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock, PyThread_release_lock, WAIT_LOCK,
)
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from wiretight._errors import SSLError

cdef enum:
    KEPT_WHEN_EMPTY = 32 * 1024     # an idle object gives larger storage back


cdef class MemoryBIO:
    """A queue of bytes that stands for one direction of a transport.

    A program writes the ciphertext that it received from its peer into the incoming MemoryBIO of an SSLObject, and
    sends what it reads from the outgoing one.

    Since 0.1. Source: `ssl.MemoryBIO` of the standard library.
    """

    def __cinit__(self):
        self.lock = PyThread_allocate_lock()
        if self.lock == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.data)
        if self.lock != NULL:
            PyThread_free_lock(self.lock)

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def read(self, size=-1, /):
        """Takes up to `size` bytes out; all of them if `size` is negative.

        Returns b"" when it is empty, at the end and before it alike: `eof` tells which. Since 0.1.
        """
        cdef Py_ssize_t wanted = -1 if size is None else size
        cdef bytes taken
        self.acquire()
        try:
            if wanted < 0 or <size_t>wanted > self.end - self.start:
                wanted = self.end - self.start
            taken = PyBytes_FromStringAndSize(NULL, wanted)
            self.take_locked(PyBytes_AS_STRING(taken), wanted)
            return taken
        finally:
            PyThread_release_lock(self.lock)

    def write(self, b, /):
        """Appends the bytes-like object `b` and returns its length in bytes.

        Raises SSLError after write_eof(). Since 0.1.
        """
        cdef Py_buffer view
        if self.eof_written:
            raise SSLError("cannot write() after write_eof()")
        PyObject_GetBuffer(b, &view, PyBUF_SIMPLE)
        try:
            if view.len and self.put(<const char *>view.buf, view.len) < 0:
                raise MemoryError
            return view.len
        finally:
            PyBuffer_Release(&view)

    def write_eof(self):
        """Marks the end: once the bytes are read, `eof` is true. It cannot be taken back. Since 0.1."""
        self.eof_written = True

    @property
    def pending(self):
        """How many bytes wait to be read. Since 0.1."""
        return self.end - self.start

    @property
    def eof(self):
        """Whether write_eof() was called and every byte has been read. Since 0.1."""
        return self.eof_written and self.start == self.end

    cdef int acquire(self) except -1:
        if not PyThread_acquire_lock(self.lock, 0):
            with nogil:
                PyThread_acquire_lock(self.lock, WAIT_LOCK)
        return 0

    cdef Py_ssize_t take(self, char *into, size_t size) noexcept nogil:
        """Moves up to `size` bytes out and says how many."""
        PyThread_acquire_lock(self.lock, WAIT_LOCK)
        if size > self.end - self.start:
            size = self.end - self.start
        self.take_locked(into, size)
        PyThread_release_lock(self.lock)
        return size

    cdef void take_locked(self, char *into, size_t size) noexcept nogil:
        if size:
            memcpy(into, self.data + self.start, size)
            self.start += size
        if self.start == self.end:
            self.start = self.end = 0
            if self.capacity > KEPT_WHEN_EMPTY:
                free(self.data)
                self.data = NULL
                self.capacity = 0

    cdef int put(self, const char *data, size_t size) noexcept nogil:
        """Appends `size` bytes; -1 when there is no memory for them, and then nothing has changed."""
        cdef int kept = 0
        PyThread_acquire_lock(self.lock, WAIT_LOCK)
        if size > self.capacity - self.end:
            kept = self.make_room(size)
        if kept == 0:
            memcpy(self.data + self.end, data, size)
            self.end += size
        PyThread_release_lock(self.lock)
        return kept

    cdef int make_room(self, size_t size) noexcept nogil:
        cdef size_t held = self.end - self.start
        cdef size_t capacity = self.capacity
        cdef char *larger
        if held + size > self.capacity // 2:
            capacity = 2 * (held + size)
            larger = <char *>malloc(capacity)
            if larger == NULL:
                return -1
            if held:
                memcpy(larger, self.data + self.start, held)
            free(self.data)
            self.data = larger
            self.capacity = capacity
        else:
            memmove(self.data, self.data + self.start, held)
        self.start = 0
        self.end = held
        return 0
