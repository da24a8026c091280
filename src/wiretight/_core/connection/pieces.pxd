"""Pieces: several buffers that are sent as one."""

from cpython.buffer cimport Py_buffer

cdef enum:
    SPAN = 65536        # the most bytes that can be asked for at once


cdef struct Pieces:
    Py_buffer *views
    Py_ssize_t at       # where the last bytes came from, and how many bytes are in the views before it
    size_t before
    char *scratch       # SPAN bytes


# `size` of the bytes, beginning with number `start`: where they are, or a copy in the scratch
cdef const char *span(Pieces *pieces, size_t start, size_t size) noexcept nogil
