"""Descriptor: a descriptor that is owned, what the kernel says of it, and the lock of the connection that uses it.

One lock for OpenSSL's object and the descriptor. It is held while C computes and across calls that do not wait, never
while waiting, and never while Python runs (see mutex.h). Whoever closes the descriptor gives it back first, through
release(): no number is used after its close.

A verb (handshake, read, write, shutdown) needs its turn beside the lock. OpenSSL may call out into Python in the
middle of it, and then the lock is free, but the turn is not: other threads can ask this connection anything and close
it, while their verbs wait. Verbs of which each would wait for the other fail with EDEADLK instead.
"""

from cython cimport no_gc_clear
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.errno cimport EAGAIN, EBADF, ECONNRESET, EPIPE
from libc.stdint cimport int64_t

from wiretight._core.base.errors cimport OWN_CALLBACK, turn_refused
from wiretight._core.base.mutex cimport (
    WT_LEVEL_CONNECTION, wt_announce, wt_check_holds_none, wt_mutex_await, wt_mutex_await_caller, wt_mutex_init,
    wt_mutex_is_contended, wt_mutex_is_orphaned, wt_mutex_lock, wt_mutex_lock_with_gil, wt_mutex_try, wt_mutex_unlock,
    wt_process,
)

cdef extern from "pythread.h" nogil:
    unsigned long PyThread_get_thread_ident()

cdef extern from "sockets.h" nogil:
    int shutdown(int fd, int how)
    int SHUT_RDWR
    bint ends_connection "wt_ends_connection"(int error)
    int wt_refusal(int fd)


@no_gc_clear
cdef class Descriptor:
    """The number `fd` while it is ours, and who may use it."""

    def __cinit__(self, int fd=-1, *_):
        self.fd = fd
        self.on_socket = fd >= 0
        self.process = self.first_process = wt_process
        wt_mutex_init(&self.lock, WT_LEVEL_CONNECTION)

    def __dealloc__(self):
        Py_XDECREF(self.raised)

    # --- The lock -----------------------------------------------------------------------------------------------------

    cdef int refuse_orphan(self) except -1:
        if self.orphaned_by_fork():
            raise turn_refused(EBADF)
        return 0

    cdef bint orphaned_by_fork(self) noexcept nogil:
        """Whether the process forked while another thread was at work in OpenSSL: nothing may touch that any more.

        To be asked before the lock is taken.
        """
        if self.process != wt_process:
            # The threads that waited are in the parent, with a connection of their own.
            self.orphaned = wt_mutex_is_orphaned(&self.lock) or (self.caller != 0 and not self.is_callback())
            self.waiting = self.others = 0
            self.process = wt_process       # last: another thread of the child may look meanwhile
        return self.orphaned

    cdef bint is_inherited(self) noexcept nogil:
        """Whether this process is a child of the one that made it, by fork."""
        return self.first_process != wt_process

    cdef bint is_callback(self) noexcept nogil:
        """Whether this thread is inside a callback of this connection."""
        return self.caller == PyThread_get_thread_ident()

    # --- Turns --------------------------------------------------------------------------------------------------------

    cdef bint try_turn(self) noexcept nogil:
        """Takes lock and turn if both are free."""
        if self.orphaned_by_fork() or not wt_mutex_try(&self.lock):
            return False
        if self.caller == 0:
            return True
        wt_mutex_unlock(&self.lock)
        return False

    cdef int take_turn(self, int64_t deadline=-1) noexcept nogil:
        """Waits for lock and turn, without the GIL. 0, or a Failure's `turn`, and then the lock is not held.

        EAGAIN after a second, or at `deadline`: the caller looks at signals and its own time, and comes again.
        """
        cdef int error
        if self.orphaned_by_fork():
            return EBADF
        wt_mutex_lock(&self.lock)
        error = self.await_turn(deadline)
        if error:
            wt_mutex_unlock(&self.lock)
        return error

    cdef int take_turn_with_gil(self) except -1:
        """Waits for lock and turn, and holds the lock with the GIL; in a callback of the connection, just the lock."""
        cdef int error = 0
        self.refuse_orphan()
        if self.is_callback():
            wt_mutex_lock_with_gil(&self.lock)
            return 0
        while not self.try_turn():
            with nogil:
                error = self.take_turn()
                if error == 0:
                    wt_mutex_unlock(&self.lock)
            if error == EAGAIN:
                PyErr_CheckSignals()
            elif error:
                raise turn_refused(error)
        return 0

    cdef int await_turn(self, int64_t deadline=-1) noexcept nogil:
        """The same with the lock held, before and after."""
        cdef int error
        if self.caller == 0:
            return 0
        if self.is_callback():
            return OWN_CALLBACK
        self.others += 1
        error = wt_mutex_await_caller(&self.lock, &self.caller, deadline)
        self.others -= 1
        return error

    cdef int yield_lock(self) noexcept nogil:
        """Between two steps of a long call: gives the lock to the threads that wait for it. 0, or as await_turn()."""
        if self.keeps_gil or not wt_mutex_is_contended(&self.lock):
            return 0
        wt_mutex_unlock(&self.lock)
        wt_mutex_lock(&self.lock)
        return self.await_turn()

    # --- Around Python, and around a wait -----------------------------------------------------------------------------

    cdef void leave_to_python(self) noexcept nogil:
        """In the middle of a verb: frees the lock and keeps the turn, for a callback that runs Python."""
        self.caller = PyThread_get_thread_ident()
        wt_mutex_unlock(&self.lock)
        wt_check_holds_none()

    cdef void back_from_python(self) noexcept nogil:
        if self.keeps_gil:
            lock_in_callback(self)
        else:
            wt_mutex_lock(&self.lock)
        self.caller = 0
        if self.others:
            wt_announce()

    cdef void keep_raised(self, object error) noexcept:
        """For the verb in the middle of which a callback raises it: OpenSSL goes on first."""
        cdef PyObject *before = self.raised
        Py_INCREF(error)
        self.raised = <PyObject *>error
        Py_XDECREF(before)

    cdef PyObject *take_raised(self) noexcept nogil:
        """Hands the reference over, or NULL."""
        cdef PyObject *raised = self.raised
        self.raised = NULL
        return raised

    cdef void unlock_to_wait(self) noexcept nogil:
        """Frees the lock, to wait for the descriptor. It stays open until relock()."""
        self.waiting += 1
        wt_mutex_unlock(&self.lock)

    cdef void relock(self) noexcept nogil:
        wt_mutex_lock(&self.lock)
        self.waiting -= 1
        if self.fd < 0 and self.waiting == 0:
            wt_announce()       # to release()

    # --- What the kernel says -----------------------------------------------------------------------------------------

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

    # --- The end ------------------------------------------------------------------------------------------------------

    cdef int release(self, bint shut_down) except -1:
        """Gives the descriptor back: from here on no call touches it. A callback of the connection may do that too.

        A thread inside wait() would sleep on: with `shut_down` the connection is shut down, which wakes it, and this
        returns after it has left. Threads that are not waiting are not affected, nor are other holders of the
        descriptor when nobody waits.
        """
        if self.orphaned_by_fork():
            self.fd = -1
            return 0
        with nogil:
            wt_mutex_lock(&self.lock)
            if self.fd >= 0 and self.waiting and shut_down:
                shutdown(self.fd, SHUT_RDWR)
                self.woken = True
            self.fd = -1
            # Of two that close at once the second waits too, or it would close the number under a thread that wakes.
            while self.waiting and self.woken:
                wt_mutex_await(&self.lock)
            wt_mutex_unlock(&self.lock)
        return 0


cdef void lock_in_callback(Descriptor descriptor) noexcept with gil:
    wt_mutex_lock_with_gil(&descriptor.lock)
