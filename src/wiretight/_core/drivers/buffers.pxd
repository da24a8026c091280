"""Buffers: several objects of a program whose bytes are sent as one."""

from wiretight._core.connection.pieces cimport Pieces


cdef class Buffers:
    cdef list objects
    cdef Pieces pieces
    cdef Py_ssize_t held        # views of them
    cdef size_t size            # of all, in bytes
