"""Descriptor: a descriptor that is owned, and the lock of the connection that uses it.

One lock for OpenSSL's object and the descriptor. It is held while OpenSSL computes and across calls that do not
wait, never while waiting. Whoever closes the descriptor gives it back first, through release(): no number is used
after its close.
"""

from cython cimport no_gc_clear
from cpython.exc cimport PyErr_CheckSignals
from cpython.pythread cimport (
    PyThread_acquire_lock, PyThread_allocate_lock, PyThread_free_lock, PyThread_release_lock, WAIT_LOCK,
)
from libc.errno cimport EBADF

import os

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef extern from "sockets.h" nogil:
    int shutdown(int fd, int how)
    int SHUT_RDWR

cdef unsigned long forks = 0        # between the first process and this one


def forked():
    global forks
    forks += 1


os.register_at_fork(after_in_child=forked)


@no_gc_clear
cdef class Descriptor:
    """The number `fd` while it is ours, and who may use it."""

    def __cinit__(self, int fd=-1, *_):
        self.fd = fd
        self.forks = self.forks_before = forks
        if wt_mutex_init(&self.lock) < 0:
            raise MemoryError

    def __dealloc__(self):
        if self.gone != NULL:
            PyThread_free_lock(self.gone)
        wt_mutex_destroy(&self.lock)

    # --- The lock -----------------------------------------------------------------------------------------------------

    cdef int enter(self) except -1:
        """Takes the lock; other threads run Python meanwhile."""
        if self.is_torn():
            raise OSError(EBADF, "another thread was using this connection when the process forked")
        if not wt_mutex_try(&self.lock):
            with nogil:
                wt_mutex_lock(&self.lock)
        self.owner = PyThread_get_thread_ident()
        return 0

    cdef int enter_io(self) except -1:
        """The same for the four verbs, which a callback must not call on its own connection."""
        if self.is_mine():
            raise ValueError("a callback cannot read, write or close the connection that called it; return first")
        return self.enter()

    cdef bint is_mine(self) noexcept:
        """Whether this thread is inside a callback of this connection, and so holds the lock."""
        if self.forks != forks:
            self.after_fork()
        return self.owner == PyThread_get_thread_ident()

    cdef bint is_torn(self) noexcept:
        """Whether the process forked while another thread was at work in OpenSSL: nothing may touch that any more."""
        if self.forks != forks:
            self.after_fork()
        return self.torn

    cdef bint is_inherited(self) noexcept:
        """Whether this process is a child of the one that made it, by fork."""
        return self.forks_before != forks

    cdef void after_fork(self) noexcept:
        """Forgets the threads that held the lock or waited: they are in the parent, with a connection of their own."""
        cdef bint mine = self.owner == PyThread_get_thread_ident()
        self.forks = forks
        self.torn = self.owner != 0 and not mine
        self.waiting = 0
        self.gone = NULL        # not freed: another thread's, once
        self.owner = self.owner if mine else 0
        wt_mutex_after_fork(&self.lock, mine)

    cdef void leave(self) noexcept nogil:
        self.owner = 0
        wt_mutex_unlock(&self.lock)

    cdef void let_others_in(self) noexcept nogil:
        """Between two steps of a long call: gives the lock to a thread that waits for it. Keeps `owner` true."""
        if wt_mutex_contended(&self.lock):
            self.leave()
            wt_mutex_lock(&self.lock)
            self.owner = PyThread_get_thread_ident()

    # --- Around a wait ------------------------------------------------------------------------------------------------

    cdef void go_away(self) noexcept nogil:
        """Gives up the lock, to wait for the descriptor. It stays open until come_back()."""
        self.waiting += 1
        self.leave()

    cdef void come_back(self) noexcept nogil:
        wt_mutex_lock(&self.lock)
        self.owner = PyThread_get_thread_ident()
        self.waiting -= 1
        if self.fd < 0 and self.waiting == 0 and self.gone != NULL:
            PyThread_release_lock(self.gone)

    cdef int serve_signals(self) except -1:
        """Runs Python's signal handlers (PEP 475) without the lock, and raises what they raise with it held again."""
        self.leave()
        try:
            PyErr_CheckSignals()
        finally:
            self.enter()
        return 0

    # --- The end ------------------------------------------------------------------------------------------------------

    cdef int release(self, bint shut_down) except -1:
        """Gives the descriptor back: from here on no call touches it.

        A thread inside wait() would sleep on: with `shut_down` the connection is shut down, which wakes it, and this
        returns after it has left. Threads that are not waiting are not affected, nor are other holders of the
        descriptor when nobody waits.
        """
        cdef int fd
        if self.is_mine():
            self.fd = -1    # inside a callback: the step that called it meets no descriptor when it goes on
            return 0
        if self.is_torn():
            self.fd = -1
            return 0
        self.enter()
        fd = self.fd
        self.fd = -1
        if fd < 0 or not self.waiting or not shut_down:
            # Of two that close at once the second waits too, or it would close the number under a thread that is
            # waking.
            while self.waiting and self.gone != NULL:
                self.leave()
                with nogil:
                    sched_yield()
                self.enter()
            self.leave()
            return 0
        if self.gone == NULL:
            self.gone = PyThread_allocate_lock()
            if self.gone == NULL:
                self.fd = fd
                self.leave()
                raise MemoryError
            PyThread_acquire_lock(self.gone, WAIT_LOCK)
        shutdown(fd, SHUT_RDWR)
        self.leave()
        with nogil:
            PyThread_acquire_lock(self.gone, WAIT_LOCK)
        return 0
