"""Backlog: plaintext that was encrypted for a call that ended before the kernel accepted its records.

An encrypted record has its place in the stream, and nothing can undo that. If a non-blocking call, or one that has
timed out, leaves records behind, its caller believes their plaintext unsent, and will send it again. The backlog keeps
that plaintext: a retry is recognized, and its bytes are sent only once; a retry with other bytes is refused, because
the peer would get a mixture.
"""

from cython cimport final
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy, memmove

from wiretight._core.connection.pieces cimport SPAN, span


cdef void note(Writing *writing, uint64_t flushed) noexcept nogil:
    """Updates how much of `writing` is in the kernel."""
    cdef int out = 0
    while out < writing.count and writing.marks[out].cipher_end <= flushed:
        writing.sent = writing.marks[out].plain_end
        out += 1
    if out:
        writing.count -= out
        memmove(&writing.marks[0], &writing.marks[out], writing.count * sizeof(Mark))


@final
cdef class Backlog:
    """The plaintext of one connection that its caller believes unsent."""

    def __dealloc__(self):
        self.clear()

    cdef bint is_retried_by(self, const char *data, Pieces *pieces, size_t sent, size_t size) noexcept nogil:
        """Whether the bytes of a call, from `sent` on, begin with the backlog, or are the beginning of it."""
        cdef size_t start = 0
        cdef size_t common = min(size - sent, self.size)
        cdef size_t share
        cdef const char *part
        while start < common:
            share = common - start if pieces == NULL else min(common - start, <size_t>SPAN)
            part = data + sent + start if pieces == NULL else span(pieces, sent + start, share)
            if memcmp(self.plaintext + start, part, share):
                return False
            start += share
        return True

    cdef void adopt(self, size_t size, Writing *writing) noexcept nogil:
        """Moves the first of it, at most `size` bytes and BATCH records, to the retrying call, from `sent` on."""
        cdef int taken = 0
        cdef size_t share = 0
        cdef size_t base = writing.sent
        while taken < self.count and taken < BATCH and share < size:
            share = min(self.marks[taken].plain_end, size)
            writing.marks[taken].cipher_end = self.marks[taken].cipher_end
            writing.marks[taken].plain_end = base + share
            taken += 1
        writing.count = taken
        writing.committed = base + share
        # A record that the retry covers only in part stays, with the rest of its plaintext.
        if self.marks[taken - 1].plain_end > share:
            taken -= 1
        self.size -= share
        self.count -= taken
        if self.size == 0:
            self.clear()
            return
        memmove(self.plaintext, self.plaintext + share, self.size)
        memmove(self.marks, self.marks + taken, self.count * sizeof(Mark))
        for i in range(self.count):
            self.marks[i].plain_end -= share

    cdef int keep(self, const char *left, const Writing *writing) noexcept nogil:
        """Keeps what a call leaves behind at its end: the bytes from `sent` to `committed`. -1 if there is no memory.
        """
        cdef size_t share = writing.committed - writing.sent
        cdef size_t size = share + self.size
        cdef int count = writing.count + self.count
        cdef int i
        cdef char *plaintext = <char *>malloc(size)
        cdef Mark *marks = <Mark *>malloc(count * sizeof(Mark))
        if plaintext == NULL or marks == NULL:
            free(plaintext)
            free(marks)
            return -1
        # These records were adopted from the backlog's beginning, so the rest of it follows them; but records of a call
        # that another thread has given up meanwhile may come first.
        cdef bint first = self.count == 0 or writing.marks[0].cipher_end <= self.marks[0].cipher_end
        cdef size_t mine = 0 if first else self.size
        cdef size_t theirs = share if first else 0
        cdef int my_marks = 0 if first else self.count
        cdef int their_marks = writing.count if first else 0
        memcpy(plaintext + mine, left, share)
        if self.size:
            memcpy(plaintext + theirs, self.plaintext, self.size)
        for i in range(writing.count):
            marks[my_marks + i].cipher_end = writing.marks[i].cipher_end
            marks[my_marks + i].plain_end = writing.marks[i].plain_end - writing.sent + mine
        for i in range(self.count):
            marks[their_marks + i].cipher_end = self.marks[i].cipher_end
            marks[their_marks + i].plain_end = self.marks[i].plain_end + theirs
        self.clear()
        self.plaintext = plaintext
        self.marks = marks
        self.size = size
        self.count = count
        return 0

    cdef void clear(self) noexcept nogil:
        free(self.plaintext)
        free(self.marks)
        self.plaintext = NULL
        self.marks = NULL
        self.size = 0
        self.count = 0
