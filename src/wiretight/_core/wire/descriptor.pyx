"""Descriptor: an owned file descriptor, what the kernel reports about it, and the lock of the connection that uses it.

The lock guards OpenSSL's object and the descriptor. It is held while C computes and across calls that do not block, but
never during a wait or while Python runs (see mutex.h). The descriptor is closed only after release(), so that no call
uses a closed number.

A verb (handshake, read, write, shutdown) needs the connection's turn as well as its lock. If OpenSSL calls Python in
the middle of a verb, the lock is released, but the turn is kept: other threads may query or close the connection, while
their verbs wait. Verbs that would wait for each other in a circle fail with EDEADLK.
"""

from cython cimport no_gc_clear
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.errno cimport EAGAIN, EBADF, ECONNRESET, EPIPE
from libc.stdint cimport int64_t

from wiretight._core.base.errors cimport OWN_CALLBACK, turn_refused
from wiretight._core.base.mutex cimport (
    WT_LEVEL_CONNECTION, wt_adoption_begins, wt_adoption_ends, wt_announce, wt_check_holds_none, wt_forker,
    wt_mutex_await, wt_mutex_await_caller, wt_mutex_init, wt_mutex_is_contended, wt_mutex_is_orphaned,
    wt_mutex_lock, wt_mutex_lock_with_gil, wt_mutex_try, wt_mutex_unlock, wt_process,
)
from wiretight._core.base.ranking cimport foremost_of

cdef extern from "pythread.h" nogil:
    unsigned long PyThread_get_thread_ident()

cdef extern from "sockets.h" nogil:
    int shutdown(int fd, int how)
    int SHUT_RDWR
    bint ends_connection "wt_ends_connection"(int error)
    int wt_refusal(int fd)


@no_gc_clear
cdef class Descriptor:
    """A file descriptor, and who may use it."""

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
        """Whether the process forked while another thread was using the connection: the child cannot use it.

        Call it before taking the lock.
        """
        if self.process != wt_process and wt_adoption_begins(&self.process):
            # The threads that waited exist in the parent only. What a parent's parent has lost stays lost.
            if wt_mutex_is_orphaned(&self.lock) or (self.caller != 0 and self.caller != wt_forker):
                self.orphaned = True
            self.waiting = self.others = 0
            self.watcher = 0
            wt_adoption_ends(&self.process)
        return self.orphaned

    cdef bint is_inherited(self) noexcept nogil:
        """Whether a parent process created it, before a fork."""
        return self.first_process != wt_process

    cdef bint is_callback(self) noexcept nogil:
        """Whether this thread is inside a callback of this connection, and not one of a child that has its number."""
        return not self.orphaned_by_fork() and self.caller == PyThread_get_thread_ident()

    cdef void lock_with_gil(self) noexcept:
        """The lock alone, at the end of a callback as well, which may have forked."""
        self.orphaned_by_fork()
        wt_mutex_lock_with_gil(&self.lock)

    # --- Turns --------------------------------------------------------------------------------------------------------

    cdef bint try_turn(self) noexcept nogil:
        """Takes the lock and the turn if both are free."""
        if self.orphaned_by_fork() or not wt_mutex_try(&self.lock):
            return False
        if self.caller == 0:
            return True
        wt_mutex_unlock(&self.lock)
        return False

    cdef int take_turn(self, int64_t deadline=-1) noexcept nogil:
        """Waits for the lock and the turn, without the GIL. Returns 0, or a Failure's `turn` and no lock.

        EAGAIN after a second, or at `deadline`: the caller checks for signals and its own deadline, and calls again.
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
        """Takes the lock and the turn, and returns with the GIL; in a callback of the connection, the lock alone."""
        cdef int error = 0
        self.refuse_orphan()
        if self.is_callback():
            self.lock_with_gil()
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
        """As take_turn(), but entered and left with the lock held."""
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
        """Between two steps of a long call: lets waiting threads have the lock. Returns what await_turn() does."""
        if self.keeps_gil or not wt_mutex_is_contended(&self.lock):
            return 0
        wt_mutex_unlock(&self.lock)
        wt_mutex_lock(&self.lock)
        return self.await_turn()

    # --- Around Python, and around a wait -----------------------------------------------------------------------------

    cdef void leave_to_python(self) noexcept nogil:
        """In the middle of a verb: releases the lock and keeps the turn, for a callback that runs Python."""
        self.caller = PyThread_get_thread_ident()
        wt_mutex_unlock(&self.lock)
        wt_check_holds_none()

    cdef void back_from_python(self) noexcept nogil:
        # In the child of a callback that forks, before the lock is ours, which others there would take for a lost one.
        self.orphaned_by_fork()
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
        foremost = error if before == NULL else foremost_of(<object>before, error)
        Py_INCREF(foremost)
        self.raised = <PyObject *>foremost
        Py_XDECREF(before)

    cdef PyObject *take_raised(self) noexcept nogil:
        """Transfers the reference to the caller; NULL if there is none."""
        cdef PyObject *raised = self.raised
        self.raised = NULL
        return raised

    cdef int await_watcher(self, int64_t deadline) noexcept nogil:
        """Waits, in a verb, until the watcher is back, with what it has taken. Returns what await_turn() does."""
        cdef int error
        self.others += 1
        error = wt_mutex_await_caller(&self.lock, &self.watcher, deadline)
        self.others -= 1
        return error

    cdef void unlock_to_wait(self) noexcept nogil:
        """Releases the lock for a wait. The descriptor stays open until relock()."""
        self.waiting += 1
        wt_mutex_unlock(&self.lock)

    cdef void relock(self) noexcept nogil:
        wt_mutex_lock(&self.lock)
        self.waiting -= 1
        if self.fd < 0 and self.waiting == 0:
            wt_announce()       # wakes release()

    # --- What the kernel reports --------------------------------------------------------------------------------------

    cdef void fail(self, int error) noexcept nogil:
        """Records an error that the kernel reported."""
        self.error = self.error or error
        self.is_gone = self.is_gone or error == ECONNRESET or error == EPIPE
        if ends_connection(error):
            self.ending = error

    cdef void look_for_refusal(self) noexcept nogil:
        """Records the error that a send would fail with, without sending."""
        cdef int error = wt_refusal(self.fd) if self.fd >= 0 else 0
        if error:
            self.fail(error)

    # --- The end ------------------------------------------------------------------------------------------------------

    cdef int release(self, bint shut_down) except -1:
        """Gives up the descriptor: no call uses it any more. A callback of the connection may call this, too.

        A thread inside wait() would sleep on: with `shut_down`, the connection is shut down to wake it, and this
        returns once it is awake. If nobody waits, nothing is shut down, and other holders of the descriptor notice
        nothing.
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
            # If two threads close at once, the second waits too, or it would close the number before the sleeper is
            # awake.
            while self.waiting and self.woken:
                wt_mutex_await(&self.lock)
            wt_mutex_unlock(&self.lock)
        return 0


cdef void lock_in_callback(Descriptor descriptor) noexcept with gil:
    wt_mutex_lock_with_gil(&descriptor.lock)
