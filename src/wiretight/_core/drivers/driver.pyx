"""Driver: one call of a verb, from its first step to its end. It waits, and decides what to raise.

A call takes its turn, runs a step of the verb, waits for what that wants and runs the next one, all without the GIL. It
takes the GIL for signal handlers, and to raise. Only a small call on a non-blocking socket keeps the GIL, and never
waits. Every call reads the socket's timeout: None waits for ever, 0 never, and a number of seconds is one deadline for
the whole call.
"""

from cython cimport critical_section, no_gc_clear
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetObject, PyErr_WriteUnraisable
from cpython.ref cimport Py_DECREF
from libc.errno cimport EAGAIN
from libc.math cimport ceil
from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from _socket import socket as CSocket

from wiretight._core.base.errors cimport (
    AGAIN, CLOSED, DONE, FAILED, WANT_CALLBACK, WANT_READ, WANT_WRITE, chained, closed_by_peer, plain_error,
)
from wiretight._core.base.mutex cimport wt_mutex_lock, wt_mutex_unlock
from wiretight._core.base.ranking cimport foremost_of
from wiretight._core.connection.accounting cimport note_timeout
from wiretight._core.connection.connection cimport Connection
from wiretight._core.connection.stream cimport HANDSHAKE, READ, WRITE, Stream, Verb, lose, plaintext
from wiretight._core.connection.telling cimport has_news, tell_of_handshake
from wiretight._core.openssl.ssl cimport SSL_SENT_SHUTDOWN, SSL_get_shutdown, SSL_pending
from wiretight._core.wire.wire cimport READY, TIMED_OUT, Wake
from wiretight._standard.errors import SSLError, SSLWantCallbackError, SSLWantReadError, SSLWantWriteError

cdef extern from "references.h":
    object referent "wt_referent"(object reference)

cdef extern from "clock.h" nogil:
    int64_t wt_now()
    int64_t wt_deadline(int64_t timeout)

cdef enum:
    SSL_ERROR_WANT_READ = 2
    SSL_ERROR_WANT_WRITE = 3
    SSL_ERROR_NO_SOCKET = 9     # CPython's own number
    # A non-blocking call with fewer bytes keeps the GIL: beside a busy thread, an event loop would wait 5 ms to get it
    # back. A blocking call releases it, because its peer may be a thread of this process, about to get the bytes.
    HANDS_OVER_GIL = 4096

cdef object c_gettimeout = CSocket.gettimeout
cdef object c_fileno = CSocket.fileno
cdef tuple VERB_NAMES = ("handshake", "read", "write", "read", "write")


@no_gc_clear
cdef class Driver(Stream):
    """A connection whose verbs wait as its socket does. Several threads may call them."""

    def __dealloc__(self):
        free(self.unread)

    def __del__(self):
        """Not in __dealloc__(): the collector has cleared the exception by then, and whoever prints it crashes."""
        # NULL if what comes before it, in making the object, has failed.
        if <void *>self.owed != NULL and self.owed is not None:
            owed, self.owed = self.owed, None
            PyErr_SetObject(type(owed), owed)
            PyErr_WriteUnraisable(None)

    cdef size_t drive(self, Verb verb, char *data, size_t size, object deadline) except? 0xFFFFFFFF:
        """Runs `verb` to its end, or until the socket's timeout or `deadline`. Returns the number of bytes moved.

        Raises what SSLSocket documents: a want, TimeoutError, SSLError or a subclass, OSError. At the peer's
        close_notify, 0 bytes are read.
        """
        cdef Call call
        begin(&call, verb, data, size)
        return self.run(&call, deadline)

    cdef size_t run(self, Call *call, object deadline) except? 0xFFFFFFFF:
        """The same for a call whose `op` says what is to be done, and of which nothing else is set."""
        cdef Verb verb = call.op.verb
        cdef object sock = None
        cdef object problem = None
        if self.owes:
            self.raise_owed()
        if self.is_unprepared and verb <= WRITE:
            self.prepare_handshake()
        call.status = AGAIN
        call.knows_timeout = True
        if deadline is not None:
            call.deadline = deadline
            call.timeout = min(call.deadline, <int64_t>1)
        if self.wire.on_socket:
            sock = self.socket_to_use()
            if deadline is None and verb == WRITE and not self.could_suspend():
                # A write that the kernel accepts at once needs no timeout, and reading it costs as much as the lock.
                call.timeout = self.last_timeout
                call.knows_timeout = False
            elif deadline is None:
                call.timeout = self.timeout_of(sock)
        try:
            while not call.is_over:
                if not call.has_begun and self.keeps_gil_for(call) and self.descriptor.try_turn():
                    self.descriptor.keeps_gil = True
                    self.advance_locked(call)
                    self.descriptor.keeps_gil = False
                    wt_mutex_unlock(&self.descriptor.lock)
                else:
                    with nogil:
                        self.advance(call)
                if not call.is_over:
                    PyErr_CheckSignals()        # PEP 475
                    if not call.knows_timeout:
                        call.timeout = self.timeout_of(sock)
                        call.knows_timeout = True
        except BaseException as error:
            with nogil:
                self.give_up(call)
            if call.op.raised == NULL:
                raise
            problem = foremost_of(raised_in(call), error)
        if problem is not None:
            raise problem
        try:
            problem = self.problem_of(call)
        except MemoryError:
            if call.op.got or call.op.writing.sent:
                with nogil:
                    # The caller does not learn how far it came, and would send or expect the wrong bytes next.
                    lose(self)
            raise
        if has_news(self):
            problem = self.problem_of_telling(call, problem)
        if problem is not None:
            self.raise_or_owe(call, problem)
        return call.op.got if verb == READ else call.op.writing.sent

    cdef object problem_of_telling(self, Call *call, object problem):
        """What the call raises once the program's handshake_callback has been told; `problem` without it."""
        try:
            tell_of_handshake(self)
        except BaseException as error:
            if problem is None and call.op.got and not call.op.peeks:
                with nogil:
                    self.put_back(call)
            return error if problem is None else foremost_of(problem, error)
        return problem

    cdef int raise_or_owe(self, Call *call, object problem) except -1:
        """Raises it, or leaves it for the next call: who heard of it now would send again what the peer gets."""
        if call.op.writing.sent == 0 or call.status == FAILED or isinstance(problem, Exception):
            raise problem
        with critical_section(self):
            self.owed = problem
            self.owes = True
        return 0

    cdef int raise_owed(self) except -1:
        """Raises what a call has left for the next one."""
        with critical_section(self):
            owed, self.owed = self.owed, None
            self.owes = False
        if owed is not None:
            raise owed
        return 0

    cdef int prepare_handshake(self) except -1:
        """Called once, before a read, a write or the handshake itself begins it, if `is_unprepared` says so."""
        return 0

    cdef bint could_suspend(self) noexcept nogil:
        """Whether this connection has a callback that asks how its caller waits."""
        return self.settings.values.has_client_hello_callback or self.settings.values.has_credential_callback

    cdef bint keeps_gil_for(self, Call *call) noexcept nogil:
        """Whether the call is so short that no other thread could use the GIL meanwhile."""
        if call.timeout != 0 or call.op.verb == HANDSHAKE:
            return False
        return (<long long>call.op.size if call.op.verb == WRITE else <long long>self.last_read) < HANDS_OVER_GIL

    cdef void advance(self, Call *call) noexcept nogil:
        """Advances the call as far as possible without Python: to its end, a signal, or where it needs its timeout."""
        cdef int error
        if call.timeout > 0 and call.deadline == 0:
            call.deadline = wt_deadline(call.timeout)
        # A call that does not know its timeout yet does not wait for its turn.
        error = self.descriptor.take_turn((call.deadline or -1) if call.knows_timeout else 0)
        if error == EAGAIN and not self.is_refused(call):
            return
        if error:
            self.give_up(call)
            if not call.timed_out:
                call.status = FAILED
                call.failure.turn = error
            call.is_over = True
            return
        self.advance_locked(call)
        wt_mutex_unlock(&self.descriptor.lock)

    cdef void advance_locked(self, Call *call) noexcept nogil:
        self.wire.waits = call.timeout != 0
        self.may_suspend = call.timeout == 0
        if call.timeout == 0:
            self.wire.drained = False
        if call.has_begun and call.status == AGAIN:
            call.status = self.next_step(call)
        elif not call.has_begun:
            call.has_begun = True
            self.sends += call.op.verb == WRITE
            if call.op.verb == READ and self.is_drained():
                call.status = WANT_READ
            else:
                call.status = self.next_step(call)
        if call.status == WANT_READ or call.status == WANT_WRITE:
            if not call.knows_timeout:
                return
            if call.timeout != 0:
                self.wait(call)
        # A peer that keeps sending, but no data, must not keep the caller beyond its deadline.
        if call.status == AGAIN and not call.timed_out and not self.is_late(call):
            return
        if call.status == AGAIN:
            call.status = WANT_READ
        if call.status != WANT_READ and call.status != WANT_WRITE or call.timeout == 0 or call.timed_out:
            self.finish(call)

    cdef bint is_drained(self) noexcept nogil:
        """Whether a read can only wait, because the last one has emptied the kernel."""
        return self.wire.drained and self.unread == NULL and not self.wire.carries and not self.has_more()

    cdef bint is_late(self, Call *call) noexcept nogil:
        if call.timeout > 0 and call.deadline == 0:
            call.deadline = wt_deadline(call.timeout)
        call.timed_out = call.timeout > 0 and call.deadline <= wt_now()
        return call.timed_out

    cdef bint is_refused(self, Call *call) noexcept nogil:
        """Whether to stop waiting for the turn, because the call has timed out or must not wait at all."""
        return self.wire.on_socket and call.knows_timeout and (call.timeout == 0 or self.is_late(call))

    cdef void wait(self, Call *call) noexcept nogil:
        """Waits for what the verb wants and runs its next step, until it wants nothing, it times out or a signal comes.
        """
        cdef Wake wake
        cdef int error
        if call.deadline == 0:
            call.deadline = -1 if call.timeout < 0 else wt_deadline(call.timeout)
        while call.status == WANT_READ or call.status == WANT_WRITE:
            if self.is_late(call):
                return
            wake = self.wire.wait(call.status == WANT_WRITE, call.deadline)
            error = self.descriptor.await_turn(call.deadline)
            if error == EAGAIN:
                return
            if error:
                call.status = self.refused_turn(error)
            elif wake == READY:
                call.status = self.next_step(call)
            elif wake == TIMED_OUT:
                call.timed_out = True
                return
            else:
                return

    cdef void finish(self, Call *call) noexcept nogil:
        """Copies what the exception needs, before the next call changes it."""
        call.is_over = True
        self.sends -= call.op.verb == WRITE
        if call.timed_out:
            note_timeout(&self.account)
        if call.status == FAILED or call.status == WANT_CALLBACK:
            call.failure = self.failure
        if call.op.verb == READ:
            self.last_read = call.op.got
            call.is_end = call.status == CLOSED and (
                self.has_closed_writing or not SSL_get_shutdown(self.ssl) & SSL_SENT_SHUTDOWN)
            if call.op.raised != NULL and call.op.got and not call.op.peeks:
                self.keep_unread(call.op.data, call.op.got)
        self.keep_backlog(call)

    cdef void give_up(self, Call *call) noexcept nogil:
        """Ends a call after an exception, or if it does not get its turn again."""
        if not self.descriptor.orphaned_by_fork():
            wt_mutex_lock(&self.descriptor.lock)
            self.sends -= call.has_begun and call.op.verb == WRITE
            self.keep_backlog(call)
            wt_mutex_unlock(&self.descriptor.lock)

    cdef void keep_backlog(self, Call *call) noexcept nogil:
        cdef const char *left
        if call.op.writing.committed > call.op.writing.sent and (self.wire.fd >= 0 or not self.wire.on_socket):
            left = plaintext(&call.op, call.op.writing.sent, call.op.writing.committed - call.op.writing.sent)
            self.wire.out_of_memory = self.backlog.keep(left, &call.op.writing) < 0 or self.wire.out_of_memory

    cdef object problem_of(self, Call *call):
        """What the call raises, or None."""
        cdef object cause = None
        cdef object problem = None
        if call.op.raised != NULL:
            cause = raised_in(call)
        if call.status != DONE and not call.is_end and (
            call.op.verb == READ or call.op.writing.sent == 0 or call.status == FAILED
        ):
            problem = self.exception_for(call)
        return problem if cause is None else chained(problem, cause)

    cdef Status next_step(self, Call *call) noexcept nogil:
        # Another thread's call may have put it there meanwhile.
        if call.op.verb == READ and self.unread != NULL and not self.wire.carries:
            call.op.got = self.take_unread(call.op.data, call.op.size, call.op.peeks)
            return DONE
        return self.step(&call.op)

    cdef void put_back(self, Call *call) noexcept nogil:
        """Leaves what a call has read to the next one."""
        if not self.descriptor.orphaned_by_fork():
            wt_mutex_lock(&self.descriptor.lock)
            self.keep_unread(call.op.data, call.op.got)
            wt_mutex_unlock(&self.descriptor.lock)

    cdef size_t take_unread(self, char *into, size_t size, bint stays) noexcept nogil:
        cdef size_t count = min(size, self.unread_end - self.unread_start)
        memcpy(into, self.unread + self.unread_start, count)
        if stays:
            return count
        self.unread_start += count
        if self.unread_start == self.unread_end:
            free(self.unread)
            self.unread = NULL
            self.unread_start = self.unread_end = 0
        return count

    cdef void keep_unread(self, const char *data, size_t size) noexcept nogil:
        """Puts `data` before what is unread already, which is the rest of it: no step reads while there is such a rest.
        """
        cdef size_t rest = self.unread_end - self.unread_start
        cdef char *unread = <char *>malloc(size + rest)
        if unread == NULL:
            self.wire.out_of_memory = True
            return
        memcpy(unread, data, size)
        if rest:
            memcpy(unread + size, self.unread + self.unread_start, rest)
        free(self.unread)
        self.unread = unread
        self.unread_start = 0
        self.unread_end = size + rest

    cdef object as_int(self, size_t count):
        """`count` as an object. Without memory for it, nobody knows how far the stream has come, and it ends."""
        try:
            return count
        except BaseException:
            with nogil:
                lose(self)
            raise

    cdef object underlying_socket(self):
        """The socket, which the call must keep alive so that its descriptor stays open."""
        sock = referent(self.socket_reference)
        if sock is None:
            raise SSLError(SSL_ERROR_NO_SOCKET, "Underlying socket connection gone")
        return sock

    cdef object socket_to_use(self):
        """The same, after a look whether the program has closed it: then its number may be another file's by now, and
        is used no more.
        """
        sock = self.underlying_socket()
        if self.follows_socket:
            number = c_fileno(sock) if isinstance(sock, CSocket) else sock.fileno()
            if <int>number < 0:
                self.wire.release(False)
        return sock

    cdef int64_t timeout_of(self, object sock) except? -2:
        """The timeout in ns: negative for none."""
        # The C socket's, as in `ssl`: eventlet and others override the method for their own waits.
        seconds = c_gettimeout(sock) if isinstance(sock, CSocket) else sock.gettimeout()
        self.last_timeout = -1 if seconds is None else <int64_t>ceil(<double>seconds * 1e9)
        return self.last_timeout

    cdef object exception_for(self, Call *call):
        if call.timed_out:
            return TimeoutError(f"The {VERB_NAMES[<int>call.op.verb]} operation timed out")
        if call.status == WANT_READ:
            return plain_error(SSLWantReadError, SSL_ERROR_WANT_READ, "The operation did not complete (read)")
        if call.status == WANT_WRITE:
            return plain_error(SSLWantWriteError, SSL_ERROR_WANT_WRITE, "The operation did not complete (write)")
        if call.status == WANT_CALLBACK:
            return plain_error(
                SSLWantCallbackError, call.failure.ssl_error,
                "A callback has not decided yet: call again when it has",
            )
        if call.status == CLOSED:
            return closed_by_peer()
        return self.exception_for_failure(&call.failure)

    def pending(self):
        """How many decrypted bytes can be read without the transport. Since 0.1.

        OpenSSL: SSL_pending(3)
        """
        cdef size_t count = 0
        self.ask(ask_pending, &count)
        return count

    def has_pending(self):
        """Whether there is something to read that select() may know nothing of. Since 0.1.

        OpenSSL: SSL_pending(3)
        """
        cdef bint has = False
        self.ask(ask_has_pending, &has)
        return has


cdef object raised_in(Call *call):
    """What callbacks have raised, which the call has a reference to no longer."""
    raised = <object>call.op.raised
    Py_DECREF(raised)
    call.op.raised = NULL
    return raised


cdef void ask_pending(Connection connection, void *answer) noexcept nogil:
    """OpenSSL: SSL_pending(3)"""
    cdef size_t unread = (<Driver><void *>connection).unread_end - (<Driver><void *>connection).unread_start
    (<size_t *>answer)[0] = SSL_pending(connection.ssl) + unread


cdef void ask_has_pending(Connection connection, void *answer) noexcept nogil:
    """OpenSSL: SSL_pending(3)"""
    cdef void *driver = <void *>connection
    (<bint *>answer)[0] = (
        (<Driver>driver).unread != NULL or (<Driver>driver).has_deferred or (<Driver>driver).wire.has_bytes()
        or SSL_pending(connection.ssl)
    )
