"""Wire: the BIO of a connection. It alone moves ciphertext, and it alone waits.

Reading. OpenSSL asks for a record's header, then for its body. At a header the wire looks at the head of the kernel's
queue (MSG_PEEK) through a window as large as the caller's free space; OpenSSL consumes records from the window; at
the end of the step settle() makes the kernel drop exactly the bytes that were consumed. So many records come in one
look, and yet the wire never holds a byte that nobody has decrypted: whatever the caller did not get is in the kernel,
where select() sees it, or in OpenSSL, where pending() counts it. When a step has data for the caller and then meets
the end of the stream (close_notify, an alert, a broken record), keep_event() leaves the bytes of that event in the
kernel, so that select() reports it too; they are `undiscarded`, and the next read drops them.

An `exclusive` wire consumes what it sees, and saves the second system call: for a transport, which asks the connection,
not select(), whether there is more. What a step leaves over is kept (`owns_window`), in a buffer that lasts no longer
than it.

Writing. OpenSSL's records are gathered in a lent buffer and leave in one send(). What the kernel does not take is
owned by the wire, in order, until it does: OpenSSL itself never meets a full socket and so never has a write to
retry.
"""

from cython cimport no_gc_clear
from libc.errno cimport EBADF, ECONNRESET, EINTR, ENOMEM, EPIPE, errno
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from wiretight._core.openssl.bio cimport (
    BIO_CTRL_EOF, BIO_CTRL_FLUSH, BIO_METHOD, BIO_TYPE_SOURCE_SINK, BIO_clear_retry_flags, BIO_free, BIO_get_data,
    BIO_get_new_index, BIO_meth_new, BIO_meth_set_ctrl, BIO_meth_set_read, BIO_meth_set_write, BIO_new, BIO_set_data,
    BIO_set_init, BIO_set_retry_read,
)
from wiretight._core.wire.records cimport HEADER, count_records

cdef extern from "lend.h" nogil:
    enum:
        WT_LENT_SIZE
    unsigned char *wt_lend()
    void wt_give_back(unsigned char *buffer)

cdef extern from "clock.h" nogil:
    int64_t wt_now()

cdef extern from "sockets.h" nogil:
    ssize_t wt_wait_and_peek(int fd, void *buffer, size_t size)
    ssize_t wt_peek(int fd, void *buffer, size_t size)
    ssize_t wt_recv(int fd, void *buffer, size_t size)
    ssize_t wt_send(int fd, const void *buffer, size_t size)
    size_t wt_drop(int fd, void *scratch, size_t room, size_t size, bint can_drop, uint64_t *calls)
    bint wt_can_drop(int fd)
    void wt_no_sigpipe(int fd)
    bint would_block "wt_would_block"(int error)
    bint ends_connection "wt_ends_connection"(int error)
    int wt_refusal(int fd)
    int wt_poll(int fd, bint for_write, int64_t deadline)

cdef enum:
    # What a record is longer than its plaintext, at most (RFC 5246, 6.2.3; RFC 8446, 5.2), and a header after it.
    OVERHEAD = 512
    LOOK = 4096 - OVERHEAD      # a look costs what it finds, and a handshake's flight is seldom longer


@no_gc_clear
cdef class Wire(Descriptor):
    """The transport of one connection: `sock`'s descriptor, or an `incoming` and an `outgoing` BIO."""

    def __cinit__(self, int fd=-1, incoming=None, outgoing=None):
        self.on_socket = fd >= 0
        self.bio = BIO_new(method)
        if self.bio == NULL:
            raise MemoryError
        BIO_set_data(self.bio, <void *>self)
        BIO_set_init(self.bio, 1)
        if self.on_socket:
            self.can_drop = wt_can_drop(fd)
            wt_no_sigpipe(fd)
        else:
            self.bios = BioPair(incoming, outgoing)

    def __dealloc__(self):
        if self.bio != NULL:
            BIO_set_data(self.bio, NULL)
            BIO_free(self.bio)
        close_window(self)
        free(self.unsent)

    # --- Incoming flow ------------------------------------------------------------------------------------------------

    cdef void begin(self) noexcept nogil:
        """Starts a step: no space and no data, until the caller says otherwise."""
        # A call that fails before it asks the BIO must not report the last step's want: its caller would wait for ever.
        BIO_clear_retry_flags(self.bio)
        self.error = 0
        self.has_data = self.limited = self.bio_refused = False
        self.space = self.delivered = self.fetches = 0
        self.read_limit = self.bytes_in + WT_LENT_SIZE

    cdef void drop_undiscarded(self) noexcept nogil:
        """Takes a kept event off the kernel's queue: for the verbs that report it."""
        cdef size_t size = self.undiscarded
        if self.fd >= 0:
            self.undiscarded = 0
            self.drop(size)

    cdef int take(self, char *into, int size) noexcept nogil:
        """The BIO's read: bytes moved, 0 at the end of the stream or on an error, -1 to try again later."""
        cdef size_t share = self.window_size - self.consumed
        if share == 0:
            return self.fetch(into, size)
        if share > <size_t>size:
            share = size
        memcpy(into, self.window + self.consumed, share)
        count_records(&self.records_in, <const unsigned char *>into, share)
        self.consumed += share
        return <int>share

    cdef int fetch(self, char *into, int size) noexcept nogil:
        cdef ssize_t got
        cdef size_t asked = size
        cdef bint look = size <= HEADER or self.space > <size_t>size
        if self.fd < 0:
            self.error = EBADF
            return 0
        if self.drained or self.fetches and self.has_data:
            return -1
        # The bound gives the caller back the lock and its deadline when a peer floods it with records without data.
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
        while True:
            if look:
                got = (wt_recv if self.exclusive else wt_peek)(self.fd, self.window, asked)
            else:
                got = wt_recv(self.fd, into, asked)
            self.syscalls += 1
            if got >= 0 or errno != EINTR:
                break
        if got < 0:
            if would_block(errno):
                self.drained = True
                return -1
            # The kernel reports it once: with data in hand, it is kept for the next read.
            if self.has_data:
                self.pending_errno = errno
                return -1
            self.fail(errno)
            return 0
        if got == 0:
            if self.has_data:
                return -1       # the end stays in the kernel, for the next read
            if self.ending:     # a reset that a call before has been told of is not the end of the data
                self.fail(self.ending)
                return 0
            self.at_eof = True
            return 0
        if not look:
            self.drained = self.waits and <size_t>got < asked
            self.bytes_in += got
            count_records(&self.records_in, <const unsigned char *>into, got)
            return <int>got
        self.bytes_in += got if self.exclusive else 0
        self.show(self.window, got, asked)
        return self.take(into, size)

    cdef void fail(self, int error) noexcept nogil:
        """Takes down what the kernel said."""
        self.error = self.error or error
        self.is_gone = self.is_gone or error == ECONNRESET or error == EPIPE
        if ends_connection(error):
            self.ending = error

    cdef void look_for_refusal(self) noexcept nogil:
        """Takes down what a send would meet, where there is nothing to be sent."""
        cdef int error = wt_refusal(self.fd) if self.fd >= 0 else 0
        if error:
            self.fail(error)

    cdef size_t look_size(self, size_t needed) noexcept nogil:
        """How many bytes to look at, for `needed` of them and the caller's space."""
        return min(<size_t>WT_LENT_SIZE, max(needed, max(self.space, <size_t>LOOK)) + OVERHEAD)

    cdef void show(self, unsigned char *window, size_t size, size_t asked) noexcept nogil:
        """Opens the window onto the `size` bytes that a look for `asked` found."""
        self.window = window
        self.window_size = size
        # The end of the stream may lie behind a short look. A caller that waits meets it there; one that does not
        # must hear EAGAIN from the kernel before it is told to wait, or an edge-triggered poll has nothing left to
        # report.
        self.drained = self.waits and size < asked

    cdef bint drop(self, size_t size) noexcept nogil:
        """Takes `size` bytes, seen before, off the kernel's queue. What it will not give now is `undiscarded`."""
        cdef unsigned char *scratch = NULL if self.can_drop else wt_lend()
        cdef size_t dropped = wt_drop(self.fd, scratch, WT_LENT_SIZE, size, self.can_drop, &self.syscalls)
        self.bytes_in += dropped
        if dropped < size and would_block(errno):
            self.undiscarded += size - dropped
        elif dropped < size:    # somebody else read from this descriptor: the stream is not ours any more
            self.error = errno
        wt_give_back(scratch)
        return dropped == size

    cdef void settle_window(self) noexcept nogil:
        if self.consumed and not self.exclusive:
            self.drop(self.consumed)
        self.consumed = self.window_size = self.delivered = 0

    cdef void settle(self) noexcept nogil:
        """Ends a step: what OpenSSL has consumed leaves the kernel, and the window goes back."""
        if not self.exclusive or self.consumed == self.window_size:
            self.settle_window()
            close_window(self)
        elif not self.owns_window and self.hold(self.window + self.consumed, self.window_size - self.consumed) < 0:
            self.out_of_memory = True

    cdef int hold(self, const unsigned char *data, size_t size) noexcept nogil:
        """Opens a window of our own onto a copy of `data`."""
        cdef unsigned char *copy = <unsigned char *>malloc(size)
        if copy != NULL:
            memcpy(copy, data, size)
        close_window(self)
        self.window = copy
        self.owns_window = copy != NULL
        self.window_size = size if self.owns_window else 0
        self.consumed = self.delivered = 0
        return 0 if self.owns_window else -1

    cdef void keep_event(self) noexcept nogil:
        """Leaves what was consumed since the last data in the kernel; OpenSSL remembers it for an exclusive reader."""
        if not self.exclusive:
            self.undiscarded = self.consumed - self.delivered
            self.consumed = self.delivered

    cdef bint may_have_more(self) noexcept nogil:
        """Whether a step that has data should ask for another record: the window shows one, or there was no look
        yet."""
        return self.consumed < self.window_size or (self.on_socket and self.fetches == 0 and not self.drained)

    cdef int take_from_bio(self, char *into, int size) noexcept nogil:
        """The BIO's read over the incoming BIO, which is asked for exactly what OpenSSL asks."""
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
        # What a foreign BIO raised is no error to OpenSSL, which would not read again: "later", and the verb raises it.
        return 0 if self.at_eof else -1

    # --- Outgoing flow ------------------------------------------------------------------------------------------------

    cdef int put(self, const char *data, int size) noexcept nogil:
        """The BIO's write: takes all of it, or returns -1 when there is no memory."""
        if self.out_of_memory:
            self.error = ENOMEM
            return -1
        if self.on_socket and self.gathered == NULL and not self.has_unsent():
            self.gathered = wt_lend()
        if not self.on_socket and not self.has_unsent() and self.put_into_bio(data, size) == 0:
            self.flushed += size
            self.bytes_out += size
        elif self.gathered == NULL or <size_t>size > WT_LENT_SIZE - self.gathered_size:
            if self.own(<const unsigned char *>data, size) < 0:
                self.lose()
                return -1
        else:
            memcpy(self.gathered + self.gathered_size, data, size)
            self.gathered_size += size
        self.enqueued += size
        count_records(&self.records_out, <const unsigned char *>data, size)
        return size

    cdef int put_into_bio(self, const char *data, size_t size) noexcept nogil:
        """Gives the outgoing BIO all of it, or returns -1 and has given nothing."""
        cdef int kept = self.bios.put(self, data, size)
        self.bio_refused = kept < 0
        return kept

    cdef int own(self, const unsigned char *data, size_t size) noexcept nogil:
        """Appends to what the wire owns, after what has been gathered before it."""
        cdef size_t held = self.unsent_end - self.unsent_start
        cdef size_t capacity = held + self.gathered_size + size
        cdef unsigned char *larger
        if capacity > self.unsent_capacity - self.unsent_start:
            larger = <unsigned char *>malloc(capacity)
            if larger == NULL:
                return -1
            if held:
                memcpy(larger, self.unsent + self.unsent_start, held)
            free(self.unsent)
            self.unsent = larger
            self.unsent_capacity = capacity
            self.unsent_start = 0
            self.unsent_end = held
        if self.gathered_size:
            memcpy(self.unsent + self.unsent_end, self.gathered, self.gathered_size)
            self.unsent_end += self.gathered_size
            self.gathered_size = 0
        if size:
            memcpy(self.unsent + self.unsent_end, data, size)
            self.unsent_end += size
        return 0

    cdef void lose(self) noexcept nogil:
        """There is no memory for bytes that have their place in the stream: it ends here, before they are missed."""
        self.out_of_memory = True
        self.error = ENOMEM
        self.gathered_size = 0

    cdef bint flush(self) noexcept nogil:
        """Ends a step's output: sends what the kernel takes. True when nothing is left; `error` has an errno."""
        cdef size_t sent
        if self.has_unsent():
            self.unsent_start += self.send_some(self.unsent + self.unsent_start, self.unsent_end - self.unsent_start)
            if not self.has_unsent():
                self.forget()
        if self.gathered != NULL:
            if self.gathered_size:
                sent = 0 if self.has_unsent() else self.send_some(self.gathered, self.gathered_size)
                self.gathered_size -= sent
                if self.gathered_size:
                    memmove(self.gathered, self.gathered + sent, self.gathered_size)
                    if self.own(NULL, 0) < 0:
                        self.lose()
            wt_give_back(self.gathered)
            self.gathered = NULL
        return not self.has_unsent()

    cdef size_t send_some(self, const unsigned char *data, size_t size) noexcept nogil:
        cdef size_t sent = 0
        cdef ssize_t took
        if not self.on_socket:
            if not self.bio_refused and self.put_into_bio(<const char *>data, size) == 0:
                sent = size
        elif self.fd < 0:
            self.error = EBADF
            return 0
        elif self.out_of_memory:
            self.error = ENOMEM
            return 0
        while self.on_socket and sent < size:
            took = wt_send(self.fd, data + sent, size - sent)
            self.syscalls += 1
            if took < 0:
                if errno == EINTR:
                    continue
                if not would_block(errno):
                    self.fail(errno)
                break
            sent += took
        self.flushed += sent
        self.bytes_out += sent
        return sent

    cdef bint has_unsent(self) noexcept nogil:
        return self.unsent_start < self.unsent_end

    cdef void forget(self) noexcept nogil:
        """Frees what is owned."""
        free(self.unsent)
        self.unsent = NULL
        self.unsent_start = self.unsent_end = self.unsent_capacity = 0

    cdef bint is_overfull(self) noexcept nogil:
        """Whether more is unsent than one call can leave: a peer makes us answer and does not read."""
        return self.unsent_end - self.unsent_start > 2 * <size_t>WT_LENT_SIZE

    # --- Waiting ------------------------------------------------------------------------------------------------------

    cdef Wake wait(self, bint for_write, int64_t deadline) noexcept nogil:
        """Waits until the descriptor can be read or written, or until `deadline` (ns of wt_now(); negative: for ever).

        Called and left with the lock held and without the GIL; lock and turn are given up meanwhile. After INTERRUPTED
        the caller has Python's signal handlers run (PEP 475), without the lock, and waits again.
        """
        cdef int fd = self.fd
        cdef int ready = 1
        cdef bint interrupted
        cdef uint64_t taken = self.bytes_in
        cdef size_t size = self.look_size(HEADER)
        cdef ssize_t seen = -1
        cdef int pending_errno
        cdef unsigned char *look = NULL
        if fd < 0:
            return READY        # the next step says what is wrong
        # Without a deadline the wait can be a look that blocks, poll() and recv() in one. It runs without the lock
        # and takes nothing from the kernel; the step uses it if nobody else took anything meanwhile.
        if deadline < 0 and not for_write:
            look = wt_lend()
        self.syscalls += 1
        self.unlock_to_wait()
        if look != NULL:
            seen = wt_wait_and_peek(fd, look, size)
        # The look takes a socket error off the kernel, which reports it once: the step finds it here.
        pending_errno = errno if seen < 0 and look != NULL and not would_block(errno) else 0
        interrupted = pending_errno == EINTR
        # Once the look has ended the number may be another descriptor's: it is used again only where the look could
        # not block.
        if look == NULL or (seen < 0 and pending_errno == 0):
            ready = wt_poll(fd, for_write, deadline)
            interrupted = ready < 0 and errno == EINTR
        self.relock()
        if pending_errno and not interrupted:
            self.pending_errno = pending_errno
        if not for_write:
            self.drained = False
        if (
            seen > 0 and self.fd == fd and self.bytes_in == taken and self.window == NULL and self.undiscarded == 0
            and self.caller == 0        # or another verb is in the middle of a step
        ):
            self.show(look, seen, size)
        elif look != NULL:
            wt_give_back(look)
        if interrupted:
            return INTERRUPTED
        return READY if ready or deadline < 0 or wt_now() < deadline else TIMED_OUT


cdef void close_window(Wire wire) noexcept nogil:
    # No method: in __dealloc__ the table of methods may be that of a base class.
    if wire.window != NULL:
        if wire.owns_window:
            free(wire.window)
        else:
            wt_give_back(wire.window)
        wire.window = NULL
    wire.owns_window = False


# --- The BIO's callbacks ----------------------------------------------------------------------------------------------

cdef int read_callback(BIO *bio, char *into, int size) noexcept nogil:
    cdef void *wire = BIO_get_data(bio)
    cdef int got
    BIO_clear_retry_flags(bio)
    if wire == NULL or size <= 0:
        return -1
    if (<Wire>wire).on_socket:
        got = (<Wire>wire).take(into, size)
    else:
        got = (<Wire>wire).take_from_bio(into, size)
    if got < 0:
        BIO_set_retry_read(bio)
    elif got == 0 and not (<Wire>wire).at_eof:
        return -1
    return got


cdef int write_callback(BIO *bio, const char *data, int size) noexcept nogil:
    cdef void *wire = BIO_get_data(bio)
    BIO_clear_retry_flags(bio)
    if wire == NULL or size <= 0:
        return -1
    return (<Wire>wire).put(data, size)


cdef long control_callback(BIO *bio, int command, long number, void *pointer) noexcept nogil:
    cdef void *wire = BIO_get_data(bio)
    if command == BIO_CTRL_FLUSH:
        return 1
    if command == BIO_CTRL_EOF:
        return wire == NULL or (<Wire>wire).at_eof
    return 0


cdef BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, b"wiretight")
if (
    method == NULL
    or not BIO_meth_set_read(method, read_callback)
    or not BIO_meth_set_write(method, write_callback)
    or not BIO_meth_set_ctrl(method, control_callback)
):
    raise MemoryError
