"""Incoming: the bytes that OpenSSL reads, through a window onto the head of the kernel's queue.

OpenSSL asks for a record's header, then for its body. At a header, the wire peeks at the head of the kernel's queue
(MSG_PEEK), through a window as large as the caller's free space. OpenSSL consumes records from the window, and at the
end of the step settle() has the kernel discard exactly the consumed bytes. So one look covers many records, and yet the
wire never holds an undecrypted byte: whatever the caller did not get is in the kernel, where select() sees it, or in
OpenSSL, where pending() counts it. If a step has data for the caller and then meets the end of the stream (an alert,
close_notify, a broken record), keep_event() leaves the bytes of that event in the kernel, so that select() reports it,
too. They are `undiscarded`, and the next read drops them. So is the last byte of a record that has been read in part,
and that of the end, while other threads wait in the kernel for something to read, or a connection inside ours has not
read the rest.

A wire that `reads_ahead` takes what it sees from the kernel, which saves the second system call, and as much as a lent
buffer has space for. It is for whoever asks the connection, not select(), whether there is more: transports, and
sockets of a context with `read_ahead`. What a step leaves over is the window of the next one; if it is little, as a
copy (`owns_window`). While the connection carries another one, whose own program may ask select(), nothing is taken.
"""

from cython cimport no_gc_clear
from libc.errno cimport EBADF, EINTR, ENOMEM, errno
from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from wiretight._core.wire.outgoing cimport Outgoing
from wiretight._core.wire.records cimport HEADER, count_records

cdef extern from "lend.h" nogil:
    enum:
        WT_LENT_SIZE
    unsigned char *wt_lend()
    void wt_give_back(unsigned char *buffer)

cdef extern from "sockets.h" nogil:
    ssize_t wt_peek(int fd, void *buffer, size_t size)
    ssize_t wt_recv(int fd, void *buffer, size_t size)
    size_t wt_drop(int fd, void *scratch, size_t room, size_t size, bint can_drop, uint64_t *calls)
    bint wt_can_drop(int fd)
    bint would_block "wt_would_block"(int error)

cdef enum:
    # How much longer than its plaintext a record can be (RFC 5246, 6.2.3; RFC 8446, 5.2), and the next header.
    OVERHEAD = 512
    MOST_PLAINTEXT = 16384
    LOOK = 4096 - OVERHEAD      # a look costs what it copies, and a handshake's flight is seldom longer
    MOST_COPIED = 16384 + 64    # of what a step leaves over: a part of a record, not what the next steps will read


@no_gc_clear
cdef class Incoming(Outgoing):
    """A wire that can be read."""

    def __cinit__(self, int fd=-1, *_):
        if self.on_socket:
            self.can_drop = wt_can_drop(fd)

    def __dealloc__(self):
        close_window(self)

    # --- What OpenSSL calls -------------------------------------------------------------------------------------------

    cdef int take(self, char *into, int size) noexcept nogil:
        """The BIO's read: how many bytes were moved; 0 at the end of the stream or on an error, -1 to retry later."""
        cdef size_t share = self.window_size - self.consumed
        if share == 0:
            return self.fetch(into, size)
        if self.has_data and not self.fits(self.window + self.consumed, share):
            return -1
        if share > <size_t>size:
            share = size
        memcpy(into, self.window + self.consumed, share)
        count_records(&self.records_in, <const unsigned char *>into, share)
        self.consumed += share
        return <int>share

    cdef int fetch(self, char *into, int size) noexcept nogil:
        cdef ssize_t got
        cdef size_t asked = size
        cdef bint look = size <= HEADER or self.space > <size_t>size or self.waiting or self.carries
        cdef bint taken = takes(self)
        if self.fd < 0:
            self.error = EBADF
            return 0
        if self.drained or self.fetches and self.has_data or self.watcher and not self.pending_errno:
            return -1
        # While a peer floods it with records without data, the caller must get to its deadline and yield the lock.
        if self.fetches and self.bytes_in + self.consumed >= self.read_limit:
            self.limited = True
            return -1
        if self.pending_errno or self.out_of_memory:
            self.fail(self.pending_errno or ENOMEM)
            self.pending_errno = 0
            return 0
        self.fetches += 1
        self.drop_undiscarded()
        self.settle_window()
        if self.error:
            return 0
        if self.undiscarded:
            self.drained = True
            return -1
        if look:
            if self.owns_window:
                close_window(self)
            if self.window == NULL:
                self.window = wt_lend()
                look = self.window != NULL
        if look:
            asked = self.look_size(size)
        elif self.has_data:
            return -1       # what comes may not fit
        while True:
            if look:
                got = (wt_recv if taken else wt_peek)(self.fd, self.window, asked)
            else:
                got = wt_recv(self.fd, into, asked)
            self.syscalls += 1
            if got >= 0 or errno != EINTR:
                break
        if got < 0:
            if would_block(errno):
                self.drained = True
                return -1
            # The kernel reports it only once: a step that has data keeps it for the next read.
            if self.has_data:
                self.pending_errno = errno
                return -1
            self.fail(errno)
            return 0
        if got == 0:
            if self.has_data:
                return -1       # the end stays in the kernel, for the next read
            if self.ending:     # after a reset that an earlier call reported, this is no end of the data
                self.fail(self.ending)
                return 0
            self.at_eof = True
            return 0
        if not look:
            self.drained = self.waits and <size_t>got < asked
            self.bytes_in += got
            count_records(&self.records_in, <const unsigned char *>into, got)
            return <int>got
        self.show(self.window, got, asked, taken)
        return self.take(into, size)

    cdef int take_from_bio(self, char *into, int size) noexcept nogil:
        """The BIO's read from the incoming BIO, of no more bytes than OpenSSL asks for."""
        cdef bint at_eof
        cdef Py_ssize_t got = self.bios.take(self, into, size, &at_eof)
        if got > 0:
            self.bytes_in += got
            count_records(&self.records_in, <const unsigned char *>into, got)
            return <int>got
        if got < 0:
            self.error = EBADF
            return 0
        self.at_eof = self.at_eof or at_eof
        # After an error OpenSSL would not read again: so what a foreign BIO raises is "later", and the verb raises it.
        return 0 if self.at_eof else -1

    # --- The window ---------------------------------------------------------------------------------------------------

    cdef size_t look_size(self, size_t needed) noexcept nogil:
        """How many bytes to look at: the `needed` ones, and what fills the caller's space."""
        if takes(self):
            return WT_LENT_SIZE     # more than the caller asked for saves the next call its own look
        return min(<size_t>WT_LENT_SIZE, max(needed, max(self.space, <size_t>LOOK)) + OVERHEAD)

    cdef void show(self, unsigned char *window, size_t size, size_t asked, bint taken) noexcept nogil:
        """Opens the window onto the `size` bytes that a look for `asked` found, or has `taken`."""
        self.window = window
        self.window_size = size
        self.taken = taken
        self.bytes_in += size if taken else 0
        # The end of the stream may follow a short look. A caller that waits will meet it; one that does not wait must
        # get EAGAIN from the kernel before it is told to, or an edge-triggered poll has nothing left to report.
        self.drained = self.waits and size < asked

    cdef bint has_taken(self) noexcept nogil:
        """Whether bytes are here that whoever reads on from the descriptor would miss."""
        return self.taken and self.consumed < self.window_size

    cdef bint has_bytes(self) noexcept nogil:
        """Between two steps: whether there is something to read that the kernel does not know of."""
        return self.has_taken() or self.has_event

    cdef bint fits(self, const unsigned char *rest, size_t size) noexcept nogil:
        """Whether the caller's space holds the record that begins there, if one does, as a whole.

        A record that is read behind another one must: of one that is cut, OpenSSL keeps the rest, and select() would
        not see it. The first one may be cut, as in `ssl`; programs that do not ask pending() read 16 KiB or more.
        """
        if self.records_in.body_left or self.records_in.header_size or size < HEADER:
            return True
        return self.space >= min((<size_t>rest[3] << 8) | rest[4], <size_t>MOST_PLAINTEXT)

    cdef bint may_have_more(self) noexcept nogil:
        """Whether a step that has data should try another record: the window has one, or there was no look yet."""
        return self.consumed < self.window_size or (self.on_socket and self.fetches == 0 and not self.drained)

    cdef void keep_event(self) noexcept nogil:
        """Leaves what was consumed after the last data in the kernel; if it was taken, OpenSSL remembers it."""
        if self.taken:
            self.has_event = True
        elif self.consumed:
            self.undiscarded = self.consumed - self.delivered
            self.consumed = self.delivered
            self.holds_back = False

    cdef void report_event(self) noexcept nogil:
        """Before a read that reports a kept event, which need not stay any longer."""
        self.holds_back = True

    cdef bint is_awaited(self) noexcept nogil:
        """Whether it matters to other threads if OpenSSL has the rest of a record."""
        return self.waiting or self.holds_back

    cdef void wake_others(self, bint rest_is_awaited) noexcept nogil:
        """While OpenSSL has the rest of a record, or the stream is over, leaves the last byte in the kernel, to wake
        threads that wait there.

        So it does for a connection inside ours, which lets that byte go itself.
        """
        cdef bint leaves_a_byte = rest_is_awaited and self.waiting or self.carries
        if leaves_a_byte and self.consumed and not self.undiscarded and not self.taken:
            self.consumed -= 1
            self.undiscarded = 1
            self.holds_back = True
        elif not self.carries:
            self.let_go(rest_is_awaited)

    cdef void let_go(self, bint is_needed) noexcept nogil:
        """Discards the byte that was left in the kernel, or the event that was reported, unless it is needed there."""
        if self.holds_back and not is_needed:
            self.drop_undiscarded()

    cdef void settle(self) noexcept nogil:
        """Ends a step: has the kernel discard what OpenSSL has consumed, and closes the window."""
        if not self.taken or self.consumed == self.window_size:
            self.settle_window()
            close_window(self)
        elif not self.owns_window and self.window_size - self.consumed < MOST_COPIED:
            self.hold(self.window + self.consumed, self.window_size - self.consumed)

    cdef void settle_window(self) noexcept nogil:
        if self.consumed and not self.taken:
            self.drop(self.consumed)
        if self.consumed < self.window_size:
            self.drained = False
        self.consumed = self.window_size = self.delivered = 0

    cdef void hold(self, const unsigned char *data, size_t size) noexcept nogil:
        """Makes a copy of `data`, the rest of the window, the window. Without memory for it, the lent buffer stays."""
        cdef unsigned char *copy = <unsigned char *>malloc(size)
        if copy == NULL:
            return
        memcpy(copy, data, size)
        close_window(self)
        self.window = copy
        self.owns_window = True
        self.window_size = size
        self.consumed = self.delivered = 0

    # --- The kernel's queue -------------------------------------------------------------------------------------------

    cdef void drop_undiscarded(self) noexcept nogil:
        """Discards a kept event, for the verbs that report it."""
        cdef size_t size = self.undiscarded
        self.holds_back = False
        if self.fd >= 0:
            self.undiscarded = 0
            self.drop(size)

    cdef bint drop(self, size_t size) noexcept nogil:
        """Discards `size` bytes of the kernel's queue. Those that it does not release yet are `undiscarded`."""
        cdef unsigned char *scratch = NULL if self.can_drop else wt_lend()
        cdef size_t dropped = wt_drop(self.fd, scratch, WT_LENT_SIZE, size, self.can_drop, &self.syscalls)
        self.bytes_in += dropped
        if dropped < size and would_block(errno):
            self.undiscarded += size - dropped
        elif dropped < size:    # somebody else has read from this descriptor: the stream is broken
            self.error = errno
        wt_give_back(scratch)
        return dropped == size


cdef void close_window(Incoming wire) noexcept nogil:
    # Not a method: in __dealloc__ the table of methods may already be a base class's.
    if wire.window != NULL:
        if wire.owns_window:
            free(wire.window)
        else:
            wt_give_back(wire.window)
        wire.window = NULL
    wire.owns_window = False
