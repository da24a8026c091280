"""Wire: the BIO of a connection. It alone moves ciphertext, and it alone waits.

Its two directions are its base classes, Incoming and Outgoing. They are one object because a step of a verb uses both,
and the lock, and what the kernel reports concerns both: two objects would need pointers to each other.
"""

from cython cimport no_gc_clear
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint64_t

from wiretight._core.base.errors cimport Failure
from wiretight._core.base.mutex cimport wt_announce
from wiretight._core.openssl.bio cimport (
    BIO_CTRL_EOF, BIO_CTRL_FLUSH, BIO_METHOD, BIO_TYPE_SOURCE_SINK, BIO_clear_retry_flags, BIO_free, BIO_get_data,
    BIO_get_new_index, BIO_meth_new, BIO_meth_set_ctrl, BIO_meth_set_read, BIO_meth_set_write, BIO_new, BIO_set_data,
    BIO_set_init, BIO_set_retry_read,
)
from wiretight._core.wire.incoming cimport Incoming, takes
from wiretight._core.wire.records cimport HEADER

cdef extern from "lend.h" nogil:
    enum:
        WT_LENT_SIZE
    unsigned char *wt_lend()
    void wt_give_back(unsigned char *buffer)

cdef extern from "checks.h" nogil:
    void wt_require(bint condition, const char *what)

cdef extern from "pythread.h" nogil:
    unsigned long PyThread_get_thread_ident()

cdef extern from "clock.h" nogil:
    int64_t wt_now()

cdef extern from "sockets.h" nogil:
    ssize_t wt_wait_and_peek(int fd, void *buffer, size_t size)
    ssize_t wt_wait_and_recv(int fd, void *buffer, size_t size)
    bint would_block "wt_would_block"(int error)
    int wt_poll(int fd, bint for_write, int64_t deadline)


@no_gc_clear
cdef class Wire(Incoming):
    """The transport of one connection: the descriptor of a socket, or an `incoming` and an `outgoing` BIO."""

    def __cinit__(self, *_):
        self.bio = BIO_new(method)
        if self.bio == NULL:
            raise MemoryError
        BIO_set_data(self.bio, <void *>self)
        BIO_set_init(self.bio, 1)

    def __dealloc__(self):
        if self.bio != NULL:
            BIO_set_data(self.bio, NULL)
            BIO_free(self.bio)

    cdef void begin(self) noexcept nogil:
        """Starts a step, without space and without data until the caller sets them."""
        # A call that fails before it uses the BIO must not report the last step's want: its caller would wait for ever.
        BIO_clear_retry_flags(self.bio)
        self.error = 0
        self.has_data = self.limited = self.bio_refused = False
        self.space = self.delivered = self.fetches = 0
        self.read_limit = self.bytes_in + WT_LENT_SIZE

    cdef Wake wait(self, bint for_write, int64_t deadline) noexcept nogil:
        """Waits until the descriptor is readable or writable, or until `deadline` (ns of wt_now(); negative: for ever).

        Entered and left with the lock held and without the GIL; the lock and the turn are released meanwhile. After
        INTERRUPTED, the caller runs Python's signal handlers without the lock (PEP 475), and waits again.

        A wire that reads ahead has one thread that waits for the kernel, the watcher, because what that takes is in no
        other's sight: the others wait until it is back.
        """
        cdef int fd = self.fd
        cdef int ready = 1
        cdef bint interrupted
        cdef uint64_t before = self.bytes_in
        cdef bint watches = not for_write and takes(self) and self.undiscarded == 0
        cdef size_t size = self.look_size(HEADER)
        cdef ssize_t seen = -1
        cdef int pending_errno
        cdef unsigned char *look = NULL
        if fd < 0:
            return READY        # the next step reports it
        if not for_write and self.has_taken():
            return READY        # by a thread that has not come to read it, and nothing may take its place
        if self.watcher and not for_write:
            return self.wait_for_watcher(deadline)
        # Without a deadline, the wait can be a look that blocks, poll() and recv() in one. It runs without the lock
        # and consumes nothing, unless it reads ahead; the next step uses what it found, unless somebody else has read
        # meanwhile.
        if deadline < 0 and not for_write:
            look = wt_lend()
        self.syscalls += 1
        if watches:
            self.watcher = PyThread_get_thread_ident()
        self.unlock_to_wait()
        if look != NULL:
            seen = (wt_wait_and_recv if watches else wt_wait_and_peek)(fd, look, size)
        # The kernel reports a socket error only once, here to the look: the next step needs it.
        pending_errno = errno if seen < 0 and look != NULL and not would_block(errno) else 0
        interrupted = pending_errno == EINTR
        # After the look, the number may belong to another file: it is used again only if the look could not block.
        if look == NULL or (seen < 0 and pending_errno == 0):
            ready = wt_poll(fd, for_write, deadline)
            interrupted = ready < 0 and errno == EINTR
        self.relock()
        if watches:
            self.watcher = 0
            if self.others:
                wt_announce()
        if pending_errno and not interrupted:
            self.pending_errno = pending_errno
        if not for_write:
            self.drained = False
        if watches and seen > 0 and self.fd == fd:
            wt_require(self.window == NULL, "somebody has read while another thread was about to")
            self.show(look, seen, size, True)
        elif (
            seen > 0 and self.fd == fd and self.bytes_in == before and self.window == NULL and self.undiscarded == 0
            and self.caller == 0        # or another verb is in the middle of a step
        ):
            self.show(look, seen, size, False)
        elif look != NULL:
            wt_give_back(look)
        if interrupted:
            return INTERRUPTED
        return READY if ready or deadline < 0 or wt_now() < deadline else TIMED_OUT

    cdef Wake wait_for_watcher(self, int64_t deadline) noexcept nogil:
        cdef int error = self.await_watcher(deadline)
        if error == 0 or self.fd < 0:
            return READY
        if error == EAGAIN:
            return INTERRUPTED if deadline < 0 or wt_now() < deadline else TIMED_OUT
        self.pending_errno = error      # it will never be back
        return READY

    cdef void explain(self, Failure *failure) noexcept nogil:
        """Puts what lies behind an errno of this wire in its place."""

    cdef void notify_outwards(self) noexcept nogil:
        """Sends the close_notify of the connections that carry this one."""


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
