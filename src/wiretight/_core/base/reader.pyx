"""Reader: TLS's presentation language, read from its beginning (RFC 8446, section 3)."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE


class Undecodable(ValueError):
    """The bytes are not what they should be: too short, too long, or out of the allowed range."""

    __module__ = "wiretight._core.base.reader"


@cython.final
cdef class Reader:
    """Bytes being taken apart. Whatever is missing is an Undecodable.

    The only place that goes on in the bytes is `passed()`. A vector shares the bytes of what it is in.
    """
    cdef bytes data
    cdef const unsigned char *octets        # in data
    cdef size_t left

    def __cinit__(self, bytes data not None):
        self.data = data
        self.octets = <const unsigned char *>PyBytes_AS_STRING(data)
        self.left = PyBytes_GET_SIZE(data)

    def __bool__(self):
        return self.left > 0

    cdef const unsigned char *passed(self, size_t size) except NULL:
        """Where the next `size` bytes are, and goes on behind them."""
        cdef const unsigned char *octets = self.octets
        if size > self.left:
            raise Undecodable("it ends too early")
        self.octets += size
        self.left -= size
        return octets

    cpdef bytes take(self, size_t size):
        """The next `size` bytes."""
        cdef const char *octets = <const char *>self.passed(size)
        return PyBytes_FromStringAndSize(octets, size)

    cpdef unsigned int number(self, size_t size) except? -1:
        """The next number, of `size` bytes, which are at most four."""
        return value_of(self.passed(size), size)

    cpdef Reader vector(self, size_t size):
        """The next vector, whose length is a number of `size` bytes."""
        cdef Reader vector = Reader.__new__(Reader, self.data)
        vector.left = self.number(size)
        vector.octets = self.passed(vector.left)
        return vector

    def numbers(self, size_t size):
        """All that is left, as numbers of `size` bytes."""
        cdef size_t length = self.left
        cdef const unsigned char *octets = self.passed(length)
        cdef list found = [None] * (length // size)
        cdef size_t at
        if length % size:
            raise Undecodable("it ends too early")
        if size == 2:       # a ClientHello has room for 65,000 of them
            for at in range(length // 2):
                found[at] = octets[2 * at] << 8 | octets[2 * at + 1]
        else:
            for at in range(length // size):
                found[at] = value_of(octets + size * at, size)
        return found

    def vectors(self, size_t size, Py_ssize_t most=65535):
        """All that is left, as vectors, of which there may be `most`."""
        cdef list found = []
        while self.left:
            if len(found) == most:
                raise Undecodable("a list is too long")
            found.append(self.vector(size))
        return found

    def rest(self):
        """All that is left."""
        return self.take(self.left)

    def end(self):
        """Nothing may be left."""
        if self.left:
            raise Undecodable("bytes are left over")


cdef unsigned int value_of(const unsigned char *octets, size_t size) noexcept nogil:
    cdef unsigned int value = 0
    cdef size_t at
    for at in range(size):
        value = value << 8 | octets[at]
    return value
