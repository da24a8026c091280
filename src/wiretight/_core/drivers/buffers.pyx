"""Buffers: several objects of a program whose bytes are sent as one."""

from cython cimport final
from cpython.buffer cimport Py_buffer, PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdlib cimport calloc, free

cdef extern from "lend.h" nogil:
    unsigned char *wt_lend()
    void wt_give_back(unsigned char *buffer)


@final
cdef class Buffers:
    """Holds the bytes-like objects of an iterable for the length of a call. Raises TypeError for one that is not."""

    def __cinit__(self, buffers):
        self.objects = list(buffers)
        self.pieces.views = <Py_buffer *>calloc(max(len(self.objects), 1), sizeof(Py_buffer))
        self.pieces.scratch = <char *>wt_lend()
        if self.pieces.views == NULL or self.pieces.scratch == NULL:
            raise MemoryError
        for data in self.objects:
            PyObject_GetBuffer(data, &self.pieces.views[self.held], PyBUF_SIMPLE)
            self.size += self.pieces.views[self.held].len
            self.held += 1

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.held):
            PyBuffer_Release(&self.pieces.views[i])
        free(self.pieces.views)
        wt_give_back(<unsigned char *>self.pieces.scratch)
