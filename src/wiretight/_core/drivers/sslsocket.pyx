"""_SSLSocket: a connection with the shape of CPython's `_ssl._SSLSocket`."""

from cython cimport critical_section, no_gc_clear
from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.number cimport PyNumber_Index
from cpython.object cimport PyObject
from cpython.weakref cimport PyWeakref_NewRef
from libc.errno cimport EBADF, EBUSY
from libc.stdint cimport int64_t, uint64_t

from wiretight._core.base.errors cimport plain_error
from wiretight._core.connection.accounting cimport settle
from wiretight._core.connection.connection cimport FROM_CONTEXT, Connection
from wiretight._core.connection.resumption cimport use_store
from wiretight._core.connection.stream cimport CLOSE, HANDSHAKE, READ, SHUTDOWN, WRITE, Stream, lose
from wiretight._core.connection.telling cimport tell_of_handshake
from wiretight._core.context.versions cimport PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER
from wiretight._core.drivers.buffers cimport Buffers
from wiretight._core.drivers.driver cimport begin
from wiretight._core.drivers.steps cimport notify
from wiretight._core.wire.descriptor cimport Descriptor
from wiretight._core.wire.memorybio cimport MemoryBIO
from wiretight._core.wire.wire cimport Wire
from wiretight._standard.errors import SSLError
from wiretight._standard.system import os

from _socket import socket as CSocket

cdef extern from "Python.h":
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *data, Py_ssize_t size) except NULL
    int resize_bytes "_PyBytes_Resize"(PyObject **data, Py_ssize_t size) except -1
    void Py_DECREF(PyObject *data)
    char *bytes_data "PyBytes_AS_STRING"(PyObject *data)

cdef extern from "clock.h" nogil:
    int64_t wt_deadline(int64_t timeout)

cdef enum:
    MOST_PER_RECORD = 16384
    MOST_PER_READ = 256 * 1024      # more than one step can read, so that a larger object would be of no use

cdef object c_getpeername = CSocket.getpeername


@no_gc_clear
cdef class _SSLSocket(Driver):
    """The connection behind an SSLSocket or an SSLObject. Since 0.1."""

    def __init__(self):
        raise TypeError(f"cannot create {type(self).__name__!r} instances: use SSLContext.wrap_socket() or wrap_bio()")

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __delattr__(self, name):
        raise AttributeError(f"attribute {name!r} of {type(self).__name__!r} objects cannot be deleted")

    # --- The verbs ----------------------------------------------------------------------------------------------------

    def deadline(self):
        """When a call that begins now would time out; do_handshake(), write_until() and shutdown() accept it.

        In ns of the monotonic clock; negative without a timeout, 0 on a non-blocking socket. Since 0.1.
        """
        cdef int64_t timeout = self.timeout_of(self.underlying_socket()) if self.wire.on_socket else 0
        return wt_deadline(timeout) if timeout > 0 else timeout

    def do_handshake(self, deadline=None):
        """Shakes hands.

        Raises SSLCertVerificationError if the peer's certificate is refused, SSLError if the peers cannot agree,
        SSLEOFError if the peer goes away, TimeoutError, OSError, and a want on a non-blocking socket. Since 0.1.
        OpenSSL: SSL_do_handshake(3)
        """
        self.drive(HANDSHAKE, NULL, 0, deadline)

    def read(self, Py_ssize_t len=1024, buffer=None, /):
        """Reads at least one byte and at most `len`; b"" at the peer's close_notify.

        With a writable `buffer` it reads into that, at most `len` bytes (all of it if `len` is not positive or too
        large), and returns their number. Raises ValueError for a negative `len` without a buffer, SSLEOFError at
        the end of a stream without close_notify, SSLError, TimeoutError, OSError, and a want on a non-blocking
        socket. Since 0.1. OpenSSL: SSL_read_ex(3)
        """
        cdef Py_buffer view
        cdef size_t size
        if buffer is not None:
            try:
                PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
            except BufferError:
                kind = type(buffer).__name__
                raise TypeError(f"a writable and contiguous bytes-like object is needed, not {kind}") from None
            try:
                size = view.len if len <= 0 or len > view.len else len
                return self.as_int(self.drive(READ, <char *>view.buf, size, None)) if size else 0
            finally:
                PyBuffer_Release(&view)
        if len < 0:
            raise ValueError("size should not be negative")
        if len == 0:
            if self.is_at_end():
                self.drive(READ, NULL, 0, None)       # an end without close_notify stays an error
            return b""
        return self.read_bytes(min(len, MOST_PER_READ), False)

    def peek(self, Py_ssize_t n=1024, /):
        """At most `n` bytes of what read() would return next, at least one, and leaves them to it.

        It is of one record at most, 16 KiB. Raises what read() would raise, and that will again. Since 0.1.
        OpenSSL: SSL_peek_ex(3)
        """
        if n < 0:
            raise ValueError("size should not be negative")
        if n == 0:
            return self.read(0)
        return self.read_bytes(min(n, MOST_PER_RECORD), True)

    cdef object read_bytes(self, size_t size, bint peeks):
        """At most `size` bytes, in an object that OpenSSL writes into."""
        cdef PyObject *data = new_bytes(NULL, size)
        cdef Call call
        cdef size_t got
        begin(&call, READ, bytes_data(data), size)
        call.op.peeks = peeks
        try:
            got = self.run(&call, None)
        except BaseException:
            Py_DECREF(data)
            raise
        if got != size:
            try:
                resize_bytes(&data, got)
            except BaseException:
                if not peeks:
                    with nogil:
                        lose(self)
                raise
        result = <object>data
        Py_DECREF(data)
        return result

    def write(self, b, /):
        """Sends the bytes-like object `b`, and returns how many of its bytes are in the kernel.

        That is all of them; or fewer, if the socket is non-blocking or timed out after at least one whole record.
        Raises SSLError BAD_WRITE_RETRY if an earlier call left part of a record unsent and `b` does not begin with
        that call's bytes: nothing is sent, and the connection remains usable. Raises SSLError, TimeoutError, OSError,
        and a want on a non-blocking socket. Since 0.1. OpenSSL: SSL_write_ex(3)
        """
        cdef Py_buffer view
        PyObject_GetBuffer(b, &view, PyBUF_SIMPLE)
        try:
            return self.as_int(self.drive(WRITE, <char *>view.buf, view.len, None))
        finally:
            PyBuffer_Release(&view)

    def write_until(self, b, deadline, /):
        """As write(), but with a deadline from deadline() instead of the socket's timeout. Since 0.1.

        OpenSSL: SSL_write_ex(3)
        """
        cdef Py_buffer view
        PyObject_GetBuffer(b, &view, PyBUF_SIMPLE)
        try:
            return self.as_int(self.drive(WRITE, <char *>view.buf, view.len, deadline))
        finally:
            PyBuffer_Release(&view)

    def sendv(self, buffers, /):
        """As write(), of all the bytes-like objects of `buffers`, one after the other, as if they were one.

        Raises TypeError, and sends nothing, if one of them is not bytes-like. Since 0.1. OpenSSL: SSL_write_ex(3)
        """
        cdef Buffers several = Buffers(buffers)
        cdef Call call
        begin(&call, WRITE, NULL, several.size)
        call.op.pieces = &several.pieces
        return self.as_int(self.run(&call, None))

    def close_writing(self):
        """Sends close_notify. The socket stays open, and the peer's data can be read to its end. Safe to call again.

        Raises SSLError before the handshake, SSLError, TimeoutError, OSError, and a want on a non-blocking socket.
        Since 0.1. OpenSSL: SSL_shutdown(3)
        """
        self.drive(CLOSE, NULL, 0, None)

    def shutdown(self, deadline=None):
        """Ends TLS: sends close_notify and waits for the peer's. Returns the socket, or None over BIOs.

        Whatever follows the peer's close_notify stays in the socket or the incoming BIO. Raises SSLError, TimeoutError,
        OSError, and a want on a non-blocking socket. Since 0.1. OpenSSL: SSL_shutdown(3)
        """
        self.drive(SHUTDOWN, NULL, 0, deadline)
        return self.underlying_socket() if self.wire.on_socket else None

    def close_notify(self, bint outwards=False):
        """Sends close_notify, as far as that is possible without waiting. Reading goes on.

        With `outwards`, the connections that carry this one do the same. Failures are not reported: the peer may be
        gone. Since 0.1. OpenSSL: SSL_shutdown(3)
        """
        _sock = self.socket_to_use() if self.wire.on_socket else None       # kept until the end
        notify(self, outwards)

    cdef int prepare_handshake(self) except -1:
        self.ask_session_store()
        return 0

    def ask_session_store(self):
        """Before the handshake: has the session_store of a client offer a session, unless the program has set one.

        Not before it is known to whom. Later than that, a program cannot set one any more, and would have wasted what
        the store has given away. Since 0.1.
        """
        cdef object peer = None
        if not self.is_unprepared:
            return
        if self.wire.on_socket and self.descriptor is self.wire:    # inside another connection, it is that one's peer
            peer = peer_of(self.underlying_socket())
            if peer is None:
                return
        with critical_section(self):
            if not self.is_unprepared:
                return
            self.is_unprepared = False
        use_store(self, peer or None)       # a UNIX socket may be without a name: ""

    # --- What has passed ----------------------------------------------------------------------------------------------

    @property
    def truncated(self):
        """Whether the peer's stream ended without close_notify, so that its data may be cut short.

        By the end of TCP, a reset, a fatal alert of either end or a broken record. Since 0.1.

        Source: RFC 8446, section 6.1.
        """
        cdef bint was_cut = False
        self.ask(ask_was_cut, &was_cut)
        return was_cut

    def counters(self):
        """The bytes and TLS records that have moved in and out, and the system calls made for them. Since 0.1."""
        cdef Counters seen
        self.ask(ask_counters, &seen)
        return seen

    # --- The descriptor -----------------------------------------------------------------------------------------------

    def release(self, shutdown=True):
        """Gives up the descriptor before it is closed or detached: no later call uses it.

        Threads that wait inside a call raise OSError EBADF; with `shutdown`, the connection is shut down to wake them.
        May be called again. Does nothing while this connection carries another one, whose descriptor it is.

        Without `shutdown`, somebody else goes on with the descriptor: raises SSLError, and changes nothing, if bytes of
        it were read ahead, OSError (EBUSY) if another thread is about to.

        Raises what ends the program, from a handshake_callback, once all this is done. Since 0.1.
        """
        if self.wire.carries:
            return
        if not shutdown and not self.descriptor.orphaned_by_fork():
            self.check_release()
        self.wire.release(shutdown)
        count_end(self)
        self.raise_owed()

    cdef int check_release(self) except -1:
        """Gives up the descriptor, unless that would lose bytes which were read ahead."""
        cdef Releasing releasing
        self.ask(release_to_others, &releasing)
        if releasing == IS_READ:
            raise OSError(
                EBUSY, "another thread waits in a read of this connection, which reads ahead: wait for it, or close()")
        if releasing == HAS_BYTES:
            raise plain_error(
                SSLError, 0,
                "bytes that this connection has read ahead would be lost: read them, or close() it, and leave"
                " SSLContext.read_ahead False where a protocol goes on without TLS")
        return 0

    def claim_descriptor(self):
        """Whether this is the first call. Who hears True closes the descriptor, or passes it on. Since 0.1."""
        with critical_section(self):
            if self.descriptor_is_claimed:
                return False
            self.descriptor_is_claimed = True
            return True

    @property
    def owner(self):
        """The SSLSocket or SSLObject of this connection, held weakly; settable. Since 0.1."""
        return None if self.owner_reference is None else self.owner_reference()

    @owner.setter
    def owner(self, value):
        self.owner_reference = None if value is None else PyWeakref_NewRef(value, None)

    def uses_ktls_for_send(self):
        """Whether the kernel encrypts: never, because the wire does. Since 0.1."""
        return False

    def uses_ktls_for_recv(self):
        """Whether the kernel decrypts: never, because the wire does. Since 0.1."""
        return False


cdef int count_end(Driver connection) except -1:
    """Of a connection that nobody will use any more."""
    if not connection.descriptor.orphaned_by_fork():
        connection.ask(settle_account, NULL)
        tell_of_handshake(connection)
    return 0


cdef _SSLSocket new_connection(
    Wire wire, Descriptor descriptor, Context context, bint server_side, object hostname, object owner, object session
):
    """A connection over `wire`, which shares the lock and the turns of `descriptor`."""
    if server_side and context._protocol == PROTOCOL_TLS_CLIENT:
        raise plain_error(SSLError, 0, "Cannot create a server socket with a PROTOCOL_TLS_CLIENT context")
    if not server_side and context._protocol == PROTOCOL_TLS_SERVER:
        raise plain_error(SSLError, 0, "Cannot create a client socket with a PROTOCOL_TLS_SERVER context")
    if hostname is not None and (not hostname or hostname.startswith(".")):
        raise ValueError("server_hostname cannot be an empty string or start with a leading dot.")
    cdef _SSLSocket connection = _SSLSocket.__new__(_SSLSocket, FROM_CONTEXT, wire, descriptor)
    connection.bind(wire.bio, context, server_side, hostname)
    connection.owner = owner
    connection.is_unprepared = not server_side
    if session is not None:
        connection.session = session
    return connection


cdef _SSLSocket for_socket(
    Context context, object sock, bint server_side, object hostname, object owner, object session
):
    """A connection over the descriptor of `sock`, to which it has a weak reference."""
    cdef int fd = PyNumber_Index(sock.fileno())
    if fd < 0:
        raise OSError(EBADF, os.strerror(EBADF))
    cdef Wire wire = Wire(fd)
    cdef _SSLSocket connection = new_connection(wire, wire, context, server_side, hostname, owner, session)
    connection.socket_reference = PyWeakref_NewRef(sock, None)
    connection.follows_socket = owner is not sock       # an SSLSocket releases the descriptor itself
    wire.reads_ahead = connection.settings.values.reads_ahead
    return connection


cdef object peer_of(object sock):
    """The address at the other end of `sock`; None if it has none yet."""
    try:
        return c_getpeername(sock)
    except (OSError, TypeError):
        return None


cdef _SSLSocket for_bios(
    Context context, object incoming, object outgoing, bint server_side, object hostname, object owner, object session
):
    """A connection over two objects with read() and write(), such as MemoryBIO."""
    check_bio(incoming, "incoming", "read")
    check_bio(outgoing, "outgoing", "write")
    cdef Wire wire = Wire(-1, incoming, outgoing)
    return new_connection(wire, wire, context, server_side, hostname, owner, session)


cdef int check_bio(object bio, str argument, str method) except -1:
    if not isinstance(bio, MemoryBIO) and not callable(getattr(bio, method, None)):
        raise TypeError(f"{argument} must be a MemoryBIO or have a method {method}(), not {type(bio).__name__}")
    return 0


# --- Questions -------------------------------------------------------------------------------------------------------
cdef struct Counters:
    uint64_t bytes_in, bytes_out, records_in, records_out, syscalls


# Whether somebody else may go on with the descriptor.
cdef enum Releasing:
    RELEASED
    HAS_BYTES
    IS_READ


cdef void release_to_others(Connection connection, void *answer) noexcept nogil:
    cdef void *stream = <void *>connection
    cdef Releasing *outcome = <Releasing *>answer
    outcome[0] = RELEASED
    if (<Stream>stream).wire.fd < 0:
        return
    if connection.descriptor.watcher:
        outcome[0] = IS_READ
    elif (<Stream>stream).wire.has_taken():
        outcome[0] = HAS_BYTES
    else:
        (<Stream>stream).wire.fd = -1


cdef void settle_account(Connection connection, void *_) noexcept nogil:
    settle(connection.ssl, &connection.account, (<Stream><void *>connection).was_cut)


cdef void ask_was_cut(Connection connection, void *answer) noexcept nogil:
    (<bint *>answer)[0] = (<Stream><void *>connection).was_cut


cdef void ask_counters(Connection connection, void *answer) noexcept nogil:
    cdef void *stream = <void *>connection
    cdef Counters *seen = <Counters *>answer
    seen.bytes_in = (<Stream>stream).wire.bytes_in
    seen.bytes_out = (<Stream>stream).wire.bytes_out
    seen.records_in = (<Stream>stream).wire.records_in.count
    seen.records_out = (<Stream>stream).wire.records_out.count
    seen.syscalls = (<Stream>stream).descriptor.syscalls
