"""Tally: what the connections of one context have done, in numbers.

A connection counts in the tally of the context that it was made with, even if it has another one since. It lives as
long as any of the two, and is moved in the middle of a step, without the GIL: see tally.h.
"""

cimport cython
from libc.stdlib cimport calloc, free


@cython.final
cdef class Tally:
    def __cinit__(self):
        self.numbers = <wt_tally *>calloc(1, sizeof(wt_tally))
        if self.numbers == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.numbers)

    cdef dict kinds(self, Family family):
        cdef dict counts = {}
        cdef uint64_t key
        cdef int i
        for i in range(WT_KINDS):
            key = wt_read(&self.numbers.kinds[i].key)
            if key >> 56 == <uint64_t>family:
                counts[key & ((<uint64_t>1 << 56) - 1)] = wt_read(&self.numbers.kinds[i].count)
        return counts

    cdef uint64_t others(self, Family family):
        return wt_read(&self.numbers.others[<int>family])
