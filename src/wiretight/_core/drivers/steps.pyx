"""Steps: a connection for a caller that never waits. Each call advances it by one step, and returns the outcome."""

from cpython.exc cimport PyErr_CheckSignals, PyErr_SetObject, PyErr_WriteUnraisable
from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF
from libc.errno cimport EAGAIN, EBADF

from wiretight._core.base.errors cimport AGAIN, CLOSED, DONE, FAILED, Status, chained, closed_by_peer, turn_refused
from wiretight._core.base.handover cimport wt_hand_over, wt_take_over
from wiretight._core.base.mutex cimport wt_mutex_unlock, wt_process
from wiretight._core.base.ranking cimport foremost_of
from wiretight._core.connection.accounting cimport note_timeout
from wiretight._core.connection.connection cimport Connection
from wiretight._core.connection.stream cimport HANDSHAKE, NOTIFY, READ, WRITE, Operation, Stream, lose, operation
from wiretight._core.connection.telling cimport has_news, tell_of_handshake
from wiretight._core.wire.wire cimport Wire

from wiretight._standard.system import os


cdef extern from "sockets.h" nogil:
    int wt_duplicate(int fd)
    bint wt_has_failed(int fd)
    int close_descriptor "close"(int fd)


cdef class Steps:
    """The half of a Channel that knows the connection. Since 0.1."""

    def _is_in_callback(self):
        """Whether OpenSSL has called Python in the middle of a step, and cannot be called again. Since 0.1."""
        return self.bound().wire.is_callback()

    def _is_inherited(self):
        """Whether this is a forked child, and its parent created the connection. Since 0.1."""
        return self.bound().wire.is_inherited()

    # A transport can lend its connection to another thread for a step. Until it takes it back, its own thread, the
    # loop's, never waits for the connection's lock, which that thread may hold for as long as a signature takes. The
    # program may close its socket meanwhile, and the number may be another file's before that thread uses it: it has a
    # duplicate.

    def _lend(self):
        """Before another thread runs a step. False, and nothing has changed, if no descriptor is left. Since 0.1."""
        cdef int duplicate = 0
        self._take_back()       # in the child of a fork, from a thread that it lacks
        if self.bound().wire.on_socket and not self.is_closed():
            duplicate = wt_duplicate(self.connection.wire.fd)
            if duplicate < 0:
                return False
            self.connection.ask(use_descriptor, &duplicate)
        self.duplicate = duplicate
        self.lent_in = wt_process
        self.lent = True
        wt_hand_over(<void *>self)
        return True

    def _take_back(self):
        """After that step, or if there will be none. Since 0.1."""
        cdef int duplicate, own
        wt_take_over(<void *>self)
        duplicate = self.duplicate
        self.lent = False
        self.duplicate = 0
        if duplicate == 0:
            return
        try:
            if self.connection.wire.fd >= 0 and not self.is_closed():
                own = self.fileno()
                self.connection.ask(use_descriptor, &own)
        finally:
            close_descriptor(duplicate)

    def _is_lent(self):
        """Whether another thread may be running a step; not in the child of a fork, which lacks it. Since 0.1."""
        return self.is_lent()

    cdef bint is_lent(self) noexcept:
        return self.lent and self.lent_in == wt_process

    cdef Stream bound(self):
        if self.connection is None:
            raise ValueError("this transport has no connection: it was made without its constructor")
        return self.connection

    cdef bint is_closed(self) except -1:
        """Whether the program has closed the socket. Then the number may be another file's by now, and is not used."""
        if self.fileno is None or <int>self.fileno() >= 0:
            return False
        self.bound().wire.release(False)
        return True

    cdef int attempt(self, Operation *op, bint keeps_gil) except -1:
        """Runs one step of a verb and returns its status; FAILED also if a callback raised something.

        A small step keeps the GIL: beside a busy thread, an event loop would wait 5 ms to get it back.
        """
        cdef Stream connection = self.bound()
        cdef Wire wire = connection.wire
        cdef Status status
        cdef int error = EAGAIN
        self.is_closed()     # what is tried then fails with EBADF
        if keeps_gil and wire.try_turn():
            wire.keeps_gil = True
            status = self.attempt_locked(op)
            wire.keeps_gil = False
            wt_mutex_unlock(&wire.lock)
            error = 0
        while error == EAGAIN:
            with nogil:
                error = wire.take_turn()
                if error == 0:
                    status = self.attempt_locked(op)
                    wt_mutex_unlock(&wire.lock)
            if error == EAGAIN:
                PyErr_CheckSignals()
        if error:
            raise turn_refused(error)
        if op.raised != NULL:
            self.raised = <object>op.raised
            Py_XDECREF(op.raised)
        self.has_failed = status == FAILED
        if has_news(connection):
            try:
                tell_of_handshake(connection)
            except BaseException as problem:    # after what else this step raises
                before = self.failure_of_step()
                self.raised = problem if before is None else foremost_of(before, problem)
                self.has_failed = False
        return status if self.raised is None else FAILED

    cdef Status attempt_locked(self, Operation *op) noexcept nogil:
        cdef Status status
        self.connection.wire.drained = self.connection.wire.waits = self.connection.may_suspend = False
        status = self.connection.send(op) if op.verb == WRITE else self.connection.step(op)
        self.more = self.connection.has_more()
        self.bytes_in = self.connection.wire.bytes_in
        self.failure = self.connection.failure
        return status

    cdef int ran_out(self) except -1:
        """Ends the stream with FAILED, because there was no memory for bytes that OpenSSL has already moved."""
        cdef Operation op = operation(READ, NULL, 0)
        with nogil:
            lose(self.connection)
        return self.attempt(&op, True)

    # --- For the transport --------------------------------------------------------------------------------------------

    def _follow(self, fileno):
        """Has each step call `fileno`, and use the descriptor no more once that is negative. Since 0.1."""
        self.fileno = fileno

    def _shake_hands(self):
        """Advances the handshake as far as possible, and returns the status: FAILED also if the peer closes. Since 0.1.

        OpenSSL: SSL_do_handshake(3)
        """
        cdef Operation op = operation(HANDSHAKE, NULL, 0)
        cdef int status = AGAIN
        wt_take_over(<void *>self)
        try:
            while status == AGAIN:      # OpenSSL bounds a flight's size
                op.raised = NULL
                status = self.attempt(&op, False)
        finally:
            wt_hand_over(<void *>self)
        if status == CLOSED:
            self.raised = closed_by_peer()
            return FAILED
        return status

    def _note_timeout(self):
        """Before the connection is released because its handshake took too long. Since 0.1."""
        cdef Stream connection = self.bound()
        if not connection.descriptor.orphaned_by_fork():
            connection.ask(ask_for_timeout, NULL)

    def _notify(self):
        """Sends close_notify as far as the kernel accepts it; the rest waits like other output.

        Raises OSError (EBADF) if the program has closed the socket. Since 0.1.
        OpenSSL: SSL_shutdown(3)
        """
        if self.is_closed():
            raise OSError(EBADF, os.strerror(EBADF))
        notify(self.bound())

    def _has_more(self):
        """Whether there may be data that the loop will not report; False while it is lent. Since 0.1."""
        cdef bint more = False
        if self.is_lent():
            return False
        self.bound().ask(ask_has_more, &more)
        return more or self.edge_triggered

    cdef bint has_more(self) noexcept:
        """Whether, after a step, there may be data that the loop will not report."""
        return self.more or self.edge_triggered

    def _is_in_error(self):
        """Whether the loop may have stopped watching the descriptor. Since 0.1."""
        return self.is_in_error()

    cdef bint is_in_error(self) noexcept:
        return self.stops_in_error and wt_has_failed(self.connection.wire.fd)

    def _failure(self):
        """The exception for a FAILED status. Since 0.1."""
        return self.failure_of_step()

    cdef object failure_of_step(self):
        raised, self.raised = self.raised, None
        if not self.has_failed:
            return raised
        problem = self.bound().exception_for_failure(&self.failure)
        return problem if raised is None else chained(problem, raised)


cdef int notify(Stream connection, bint outwards=False) except -1:
    """Sends close_notify, as far as that is possible without waiting, and reports no failure: the peer may be gone.

    With `outwards`, the connections that carry this one do the same.

    OpenSSL: SSL_shutdown(3)
    """
    cdef Operation op = operation(NOTIFY, NULL, 0)
    cdef int error = EAGAIN
    while error == EAGAIN:
        PyErr_CheckSignals()
        with nogil:
            error = connection.descriptor.take_turn()
            if error == 0:
                if connection.step(&op) == DONE and outwards:
                    connection.descriptor.raised = op.raised
                    connection.wire.notify_outwards()
                    op.raised = connection.descriptor.take_raised()
                wt_mutex_unlock(&connection.descriptor.lock)
    if error:
        raise turn_refused(error)
    if op.raised != NULL:
        report_raised(connection, op.raised)
    return 0


cdef int report_raised(object connection, PyObject *raised) except -1:
    """Reports what a callback raised in a call that reports no failures; raises what ends the program."""
    error = <object>raised
    Py_XDECREF(raised)
    if not isinstance(error, Exception):
        raise error
    PyErr_SetObject(type(error), error)
    PyErr_WriteUnraisable(connection)
    return 0


cdef void use_descriptor(Connection connection, void *number) noexcept nogil:
    cdef void *stream = <void *>connection
    if (<Stream>stream).wire.fd >= 0:       # not released meanwhile
        (<Stream>stream).wire.fd = (<int *>number)[0]


cdef void ask_for_timeout(Connection connection, void *_) noexcept nogil:
    note_timeout(&connection.account)


cdef void ask_has_more(Connection connection, void *answer) noexcept nogil:
    (<bint *>answer)[0] = (<Stream><void *>connection).has_more()
