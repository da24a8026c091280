"""BioPair: the two BIOs of a connection that has no descriptor."""

from wiretight._core.wire.descriptor cimport Descriptor
from wiretight._core.wire.memorybio cimport MemoryBIO


cdef class BioPair:
    # Ours are used directly, anything else with read() and write() through Python.
    cdef object incoming, outgoing
    cdef MemoryBIO own_incoming, own_outgoing

    # In the middle of a verb, whose turn it is. -1 is a failure; what a foreign BIO raised is no error of OpenSSL's.
    cdef Py_ssize_t take(self, Descriptor turn, char *into, size_t size, bint *at_eof) noexcept nogil
    cdef int put(self, Descriptor turn, const char *data, size_t size) noexcept nogil
