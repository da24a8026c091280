"""_SSLSocket: a connection with the shape of CPython's `_ssl._SSLSocket`. It waits, and it raises.

drive() is the one loop that calls a verb, waits for what it wants and calls it again. A socket's timeout is read at
every call: None waits for ever, 0 never, and a number of seconds is one deadline for the whole call.
"""

from cython cimport no_gc_clear
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.object cimport PyObject
from libc.errno cimport EBADF, ENOMEM
from libc.math cimport ceil
from libc.stdint cimport int64_t
from libc.string cimport memcpy

import os
import weakref

from wiretight._core.context cimport PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER
from wiretight._core.errors cimport CLOSED, DONE, FAILED, WANT_READ, WANT_WRITE, failure_exception
from wiretight._core.memorybio cimport MemoryBIO
from wiretight._core.openssl.ssl cimport SSL_SENT_SHUTDOWN, SSL_get_shutdown
from wiretight._core.wire cimport INTERRUPTED, READY, TIMED_OUT, Wake, Wire
from wiretight._errors import SSLError, SSLWantReadError, SSLWantWriteError, SSLZeroReturnError

cdef extern from "Python.h":
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *data, Py_ssize_t size) except NULL
    int resize_bytes "_PyBytes_Resize"(PyObject **data, Py_ssize_t size) except -1
    void Py_DECREF(PyObject *data)
    char *bytes_data "PyBytes_AS_STRING"(PyObject *data)

cdef extern from "references.h":
    object referent "wt_referent"(object reference)

cdef extern from "sockets.h" nogil:
    int64_t wt_now()

cdef enum:
    SSL_ERROR_WANT_READ = 2
    SSL_ERROR_WANT_WRITE = 3
    SSL_ERROR_ZERO_RETURN = 6
    SSL_ERROR_NO_SOCKET = 9     # CPython's own number
    # A non-blocking call on less keeps the GIL: an event loop beside a busy thread would wait 5 ms to get it back. A
    # blocking call gives it up, for its peer may be a thread of this process that runs as soon as the bytes arrive.
    HANDS_OVER_GIL = 4096
    # More than one step can read: nobody needs a larger new object for it.
    MOST_PER_READ = 256 * 1024

cdef tuple VERB_NAMES = ("handshake", "read", "write", "read")


@no_gc_clear
cdef class _SSLSocket(Negotiated):
    """The connection behind an SSLSocket or an SSLObject. Since 0.1."""

    def __init__(self):
        raise TypeError(f"cannot create {type(self).__name__!r} instances: use SSLContext.wrap_socket() or wrap_bio()")

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __delattr__(self, name):
        raise AttributeError(f"attribute {name!r} of {type(self).__name__!r} objects cannot be deleted")

    # --- The loop -----------------------------------------------------------------------------------------------------

    cdef size_t drive(self, Verb verb, char *data, size_t size) except? 0xFFFFFFFF:
        """Takes `verb` to its end, or as far as the socket's timeout lets it; how many bytes were read or sent.

        Raises what the face documents: a want, TimeoutError, SSLError and its kin, OSError. A close_notify of the
        peer is 0 bytes read.
        """
        cdef Wire wire = self.wire
        cdef Status status = DONE
        cdef Wake wake = READY
        cdef Writing writing
        cdef size_t got = 0
        cdef int64_t timeout = 0, deadline = 0
        cdef object problem = None
        cdef object sock = None
        if wire.on_socket:
            sock = self.underlying_socket()
            # A write that the kernel takes at once needs no timeout; asking for it would cost as much as the lock.
            timeout = self.last_timeout if verb == WRITE else self.timeout_of(sock)
        writing.committed = writing.sent = 0
        writing.count = 0
        wire.enter_io()
        try:
            wire.room = size if verb == READ else 0
            wire.waits = timeout != 0
            if timeout == 0:
                wire.dry = False
            if verb == READ and self.unread is not None:
                got = self.take_unread(data, size)
            elif verb == READ and wire.dry and not self.has_more():     # the last one has emptied the kernel
                status = WANT_READ
            elif timeout == 0 and verb != HANDSHAKE and (size if verb == WRITE else self.last_read) < HANDS_OVER_GIL:
                status = self.step(verb, data, size, &got, &writing)
            else:
                with nogil:
                    status = self.step(verb, data, size, &got, &writing)
            if verb == WRITE and wire.on_socket and (status == WANT_READ or status == WANT_WRITE):
                timeout = self.timeout_of(sock)
            while timeout != 0 and (status == WANT_READ or status == WANT_WRITE):
                if wire.fd < 0:
                    raise OSError(EBADF, os.strerror(EBADF))
                if deadline == 0:
                    deadline = -1 if timeout < 0 else wt_now() + timeout
                elif 0 < deadline <= wt_now():
                    wake = TIMED_OUT    # a peer that always has something, but never data, must not keep the caller
                    break
                with nogil:
                    wake = wire.wait(status == WANT_WRITE, deadline)
                    if wake == READY:
                        status = self.step(verb, data, size, &got, &writing)
                if wake == TIMED_OUT:
                    break
                if wake == INTERRUPTED:
                    wire.serve_signals()
            if wire.raised is not None:
                problem, wire.raised = wire.raised, None
            elif verb == READ:
                self.last_read = got
                if status != DONE and not (status == CLOSED and not SSL_get_shutdown(self.ssl) & SSL_SENT_SHUTDOWN):
                    problem = self.exception_for(status, verb) if wake != TIMED_OUT else timed_out(verb)
            elif status != DONE and (writing.sent == 0 or status == FAILED):
                problem = self.exception_for(status, verb) if wake != TIMED_OUT else timed_out(verb)
            if self.callback_error is not None:
                problem = with_context(problem, self.callback_error)
                self.callback_error = None
            if problem is not None and verb == READ and got:
                self.unread = data[:got]
        except MemoryError:
            # The caller is not told how far it came, and would send or expect the wrong bytes next.
            wire.lost = wire.lost or got != 0 or writing.sent != 0
            raise
        finally:
            if writing.committed > writing.sent and (wire.fd >= 0 or not wire.on_socket):
                wire.lost = self.backlog.keep(data, &writing) < 0 or wire.lost
            wire.leave()
        if problem is not None:
            raise problem
        return got if verb == READ else writing.sent

    cdef Status step(self, Verb verb, char *data, size_t size, size_t *got, Writing *writing) noexcept nogil:
        if self.wire.on_socket and self.wire.fd < 0:
            # Not to be found out by OpenSSL, which would take it for a fault of the connection and say so ever after.
            self.wire.error = EBADF
            self.wire.settle()
            return self.refused_by_system()
        if self.wire.lost:
            self.wire.error = ENOMEM
            self.wire.settle()
            return self.refused_by_system()
        if verb == READ:
            return self.try_read(data, size, got)
        if verb == WRITE:
            return self.try_write(data, size, writing)
        if verb == HANDSHAKE:
            return self.try_handshake()
        return self.try_shutdown()

    cdef size_t take_unread(self, char *into, size_t size) except? 0xFFFFFFFF:
        cdef bytes unread = self.unread
        cdef size_t count = min(size, <size_t>len(unread))
        self.unread = unread[count:] or None
        memcpy(into, <const char *>unread, count)
        return count

    cdef object told(self, size_t count):
        """`count` as an object. Without memory for that, nobody knows how far the stream has come: it ends."""
        try:
            return count
        except BaseException:
            self.wire.lost = True
            raise

    cdef object underlying_socket(self):
        """The socket, held for the length of a call so that its descriptor stays open."""
        sock = referent(self.socket_reference)
        if sock is None:
            raise SSLError(SSL_ERROR_NO_SOCKET, "Underlying socket connection gone")
        return sock

    cdef int64_t timeout_of(self, object sock) except? -2:
        """The timeout in ns: negative for none."""
        seconds = sock.gettimeout()
        self.last_timeout = -1 if seconds is None else <int64_t>ceil(<double>seconds * 1e9)
        return self.last_timeout

    cdef object exception_for(self, Status status, Verb verb):
        if status == WANT_READ:
            return plain(SSLWantReadError, SSL_ERROR_WANT_READ, "The operation did not complete (read)")
        if status == WANT_WRITE:
            return plain(SSLWantWriteError, SSL_ERROR_WANT_WRITE, "The operation did not complete (write)")
        if status == CLOSED:
            return plain(SSLZeroReturnError, SSL_ERROR_ZERO_RETURN, "TLS/SSL connection has been closed (EOF)")
        return failure_exception(&self.failure, self.server_hostname)

    # --- The verbs ----------------------------------------------------------------------------------------------------

    def do_handshake(self):
        """Shakes hands.

        Raises SSLCertVerificationError when the peer's certificate is refused, SSLError when the peers cannot agree,
        SSLEOFError when the peer goes away, TimeoutError, OSError, and a want on a non-blocking socket. Since 0.1.
        OpenSSL: SSL_do_handshake(3)
        """
        self.drive(HANDSHAKE, NULL, 0)

    def read(self, Py_ssize_t len=1024, buffer=None, /):
        """Reads at least one byte and at most `len`; b"" at the peer's close_notify.

        With a writable `buffer` it reads into that, at most `len` bytes (all of it if `len` is not positive or too
        large), and returns their number. Raises ValueError for a negative `len` without a buffer, SSLEOFError at
        the end of a stream without close_notify, SSLError, TimeoutError, OSError, and a want on a non-blocking
        socket. Since 0.1. OpenSSL: SSL_read_ex(3)
        """
        cdef Py_buffer view
        cdef PyObject *data
        cdef size_t got
        cdef size_t size
        if buffer is not None:
            try:
                PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
            except BufferError:
                kind = type(buffer).__name__
                raise TypeError(f"a writable and contiguous bytes-like object is needed, not {kind}") from None
            try:
                size = view.len if len <= 0 or len > view.len else len
                return self.told(self.drive(READ, <char *>view.buf, size)) if size else 0
            finally:
                PyBuffer_Release(&view)
        if len < 0:
            raise ValueError("size should not be negative")
        if len == 0:
            if self.at_eof:
                self.drive(READ, NULL, 0)       # an end without close_notify stays an error
            return b""
        size = min(len, MOST_PER_READ)
        data = new_bytes(NULL, size)
        try:
            got = self.drive(READ, bytes_data(data), size)
        except BaseException:
            Py_DECREF(data)
            raise
        if got != size:
            try:
                resize_bytes(&data, got)
            except BaseException:
                self.wire.lost = True
                raise
        result = <object>data
        Py_DECREF(data)
        return result

    def write(self, b, /):
        """Sends the bytes-like object `b`; how many of its bytes are in the kernel.

        That is all of them, or fewer when the socket is non-blocking or its time is up and at least one record went out
        whole. Raises SSLError BAD_WRITE_RETRY when an earlier call left a record half sent and `b` does not begin
        with its bytes: nothing is sent, and the connection goes on. Raises SSLError, TimeoutError, OSError, and a
        want on a non-blocking socket. Since 0.1. OpenSSL: SSL_write_ex(3)
        """
        cdef Py_buffer view
        PyObject_GetBuffer(b, &view, PyBUF_SIMPLE)
        try:
            return self.told(self.drive(WRITE, <char *>view.buf, view.len))
        finally:
            PyBuffer_Release(&view)

    def pending(self):
        """How many decrypted bytes wait: a read of so many needs no transport. Since 0.1.

        OpenSSL: SSL_pending(3)
        """
        cdef bytes unread = self.unread
        return Negotiated.pending(self) + (0 if unread is None else len(unread))

    def shutdown(self):
        """Ends TLS: sends close_notify and waits for the peer's. Returns the socket, or None over BIOs.

        Whatever follows the peer's close_notify stays in the socket or the incoming BIO. Raises SSLError, TimeoutError,
        OSError, and a want on a non-blocking socket. Since 0.1. OpenSSL: SSL_shutdown(3)
        """
        self.drive(SHUTDOWN, NULL, 0)
        return self.underlying_socket() if self.wire.on_socket else None

    def close_notify(self):
        """Tells the peer that nothing follows, as far as that goes without waiting; reading goes on.

        Says nothing about failures: the peer may be gone. Since 0.1. OpenSSL: SSL_shutdown(3)
        """
        self.wire.enter_io()
        self.send_close_notify()
        self.wire.leave()

    # --- The descriptor -----------------------------------------------------------------------------------------------

    def release(self, shutdown=True):
        """Gives the descriptor back, before it is closed or detached: no later call touches it.

        Threads inside a call are woken (with `shutdown`, by shutting the connection down if there are any) and raise
        OSError EBADF. Safe to call again. Since 0.1.
        """
        self.wire.release(shutdown)

    @property
    def owner(self):
        """The SSLSocket or SSLObject of this connection, held weakly; settable. Since 0.1."""
        return None if self.owner_reference is None else self.owner_reference()

    @owner.setter
    def owner(self, value):
        self.owner_reference = None if value is None else weakref.ref(value)

    @property
    def callback_subject(self):
        """Whom a callback is called about: the owner, or this connection if it never had one; None if the owner is
        gone.

        Since 0.1.
        """
        return self if self.owner_reference is None else self.owner_reference()

    def uses_ktls_for_send(self):
        """Whether the kernel encrypts: never, because the wire does. Since 0.1."""
        return False

    def uses_ktls_for_recv(self):
        """Whether the kernel decrypts: never, because the wire does. Since 0.1."""
        return False


cdef object with_context(object problem, object cause):
    """What a callback raised, or the problem of the verb with that behind it; not a want, which callers just repeat."""
    if problem is None or isinstance(problem, (SSLWantReadError, SSLWantWriteError)):
        return cause
    problem.__context__ = cause
    return problem


cdef object timed_out(Verb verb):
    return TimeoutError(f"The {VERB_NAMES[<int>verb]} operation timed out")


cdef object plain(type kind, int number, str message):
    error = kind(number, message)
    error.library = error.reason = None
    return error


cdef _SSLSocket made(Wire wire, Context context, bint server_side, object hostname, object owner, object session):
    if server_side and context._protocol == PROTOCOL_TLS_CLIENT:
        raise plain(SSLError, 0, "Cannot create a server socket with a PROTOCOL_TLS_CLIENT context")
    if not server_side and context._protocol == PROTOCOL_TLS_SERVER:
        raise plain(SSLError, 0, "Cannot create a client socket with a PROTOCOL_TLS_SERVER context")
    if hostname is not None and (not hostname or hostname.startswith(".")):
        raise ValueError("server_hostname cannot be an empty string or start with a leading dot.")
    cdef _SSLSocket connection = _SSLSocket.__new__(_SSLSocket)
    connection.wire = wire
    connection.bind(context, server_side, hostname)
    connection.owner = owner
    if session is not None:
        connection.session = session
    return connection


cdef _SSLSocket over_socket(
    Context context, object sock, bint server_side, object hostname, object owner, object session
):
    """A connection over the descriptor of `sock`, which is held weakly."""
    cdef int fd = sock.fileno()
    if fd < 0:
        raise OSError(EBADF, os.strerror(EBADF))
    cdef _SSLSocket connection = made(Wire(fd), context, server_side, hostname, owner, session)
    connection.socket_reference = weakref.ref(sock)
    return connection


cdef _SSLSocket over_bios(
    Context context, object incoming, object outgoing, bint server_side, object hostname, object owner, object session
):
    """A connection over two objects with read() and write(), such as MemoryBIO."""
    check_bio(incoming, "incoming", "read")
    check_bio(outgoing, "outgoing", "write")
    return made(Wire(-1, incoming, outgoing), context, server_side, hostname, owner, session)


cdef int check_bio(object bio, str argument, str method) except -1:
    if not isinstance(bio, MemoryBIO) and not callable(getattr(bio, method, None)):
        raise TypeError(f"{argument} must be a MemoryBIO or have a method {method}(), not {type(bio).__name__}")
    return 0
