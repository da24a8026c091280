"""Pieces: several buffers that are sent as one.

What lies in one of them is used there; only what is spread over several is copied, so that a record is as full as it
would be if all had been joined.
"""

from libc.string cimport memcpy


cdef const char *span(Pieces *pieces, size_t start, size_t size) noexcept nogil:
    cdef size_t copied = 0
    cdef size_t share
    cdef Py_buffer *view
    if start < pieces.before:       # what was left behind is asked for again
        pieces.at = 0
        pieces.before = 0
    while start - pieces.before >= <size_t>pieces.views[pieces.at].len:
        pieces.before += pieces.views[pieces.at].len
        pieces.at += 1
    view = &pieces.views[pieces.at]
    start -= pieces.before
    if size <= <size_t>view.len - start:
        return <const char *>view.buf + start
    while copied < size:
        share = min(size - copied, <size_t>view.len - start)
        if share:
            memcpy(pieces.scratch + copied, <const char *>view.buf + start, share)
        copied += share
        start = 0
        view += 1
    return pieces.scratch
