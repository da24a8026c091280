"""BioPair: the two BIOs of a connection that has no descriptor.

The lock of a MemoryBIO is usually free, and its bytes move in the middle of the verb. If somebody has the lock, or if
the BIO is a Python object of the program's, the verb leaves to Python meanwhile.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcpy


cdef class BioPair:
    """Where ciphertext comes from, and where it goes."""

    def __cinit__(self, incoming, outgoing):
        self.incoming = incoming
        self.outgoing = outgoing
        if type(incoming) is MemoryBIO:
            self.own_incoming = incoming
        if type(outgoing) is MemoryBIO:
            self.own_outgoing = outgoing

    cdef Py_ssize_t take(self, Descriptor turn, char *into, size_t size, bint *at_eof) noexcept nogil:
        """Moves up to `size` bytes, and tells whether that is the end; 0 if there are none, or the BIO raised."""
        cdef Py_ssize_t taken
        at_eof[0] = False
        if self.own_incoming is not None:
            if self.own_incoming.try_take(into, size, &taken, at_eof):
                return taken
            if not turn.keeps_gil:
                return self.own_incoming.take(into, size, at_eof)
        turn.leave_to_python()
        taken = take_with_gil(self, turn, into, size, at_eof)
        turn.back_from_python()
        return taken

    cdef int put(self, Descriptor turn, const char *data, size_t size) noexcept nogil:
        """Writes all of it and returns 0, or nothing and returns -1."""
        cdef int kept
        if self.own_outgoing is not None:
            if self.own_outgoing.try_put(data, size, &kept):
                return kept
            if not turn.keeps_gil:
                return self.own_outgoing.put(data, size)
        turn.leave_to_python()
        kept = put_with_gil(self, turn, data, size)
        turn.back_from_python()
        return kept


cdef Py_ssize_t take_with_gil(BioPair self, Descriptor turn, char *into, size_t size, bint *at_eof) noexcept with gil:
    cdef Py_ssize_t taken
    if self.own_incoming is not None:
        with nogil:
            taken = self.own_incoming.take(into, size, at_eof)
        return taken
    try:
        data = bytes(memoryview(self.incoming.read(size)))      # bytes(5) alone would be five zeros
        if <size_t>len(data) > size:
            raise ValueError(f"read({size}) of the incoming BIO returned {len(data)} bytes")
        memcpy(into, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
        if not data and getattr(self.incoming, "eof", False):
            at_eof[0] = True
        return len(data)
    except BaseException as error:
        turn.keep_raised(error)
        return 0


cdef int put_with_gil(BioPair self, Descriptor turn, const char *data, size_t size) noexcept with gil:
    cdef int kept
    if self.own_outgoing is not None:
        with nogil:
            kept = self.own_outgoing.put(data, size)
        return kept
    try:
        wrote = self.outgoing.write(PyBytes_FromStringAndSize(data, size))
        if wrote is not None and wrote != size:
            raise ValueError(f"write() of the outgoing BIO took {wrote} of {size} bytes: it must take all")
        return 0
    except BaseException as error:
        turn.keep_raised(error)
        return -1
