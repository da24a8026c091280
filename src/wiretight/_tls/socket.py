"""SSLSocket: a socket that speaks TLS.

It calls methods of the socket itself as `PlainSocket.X(self, …)`, never through super(), which may find those of
another base of a program's class. Nor as `socket.socket.X`: programs replace that class with their own (PySocks,
tracers, pytest-socket), and ours is not a subclass of those. The standard library's SSLSocket is a base for
isinstance() only.

Methods that `ssl` calls through `self`, where a program may override them, are called so here too.
"""

from __future__ import annotations

from socket import SHUT_RD, SHUT_WR, SO_TYPE, SOCK_STREAM, SOL_SOCKET

from wiretight._core.drivers.tunnel import abandon
from wiretight._standard.errors import HAS_STANDARD, SSLEOFError, SSLError, SSLZeroReturnError, standard
from wiretight._standard.system import PlainSocket
from wiretight._standard.typing import TYPE_CHECKING, Any, ClassVar, overload
from wiretight._tls.carrier import carrier_in, enter, leave
from wiretight._tls.connecting import Connects
from wiretight._tls.files import MakesFiles
from wiretight._tls.negotiated import Negotiated, close_unclosed
from wiretight._tls.overrides import OVERRIDABLE, WatchesOverrides
from wiretight._tls.peer import has_peer
from wiretight._tls.sendfile import part_sender, send_file, timed_out
from wiretight._tls.streamonly import StreamOnly
from wiretight._tls.verbs import MoreVerbs

if TYPE_CHECKING:
    from ssl import SSLSocket as _Standard

    from typing_extensions import Buffer

    from wiretight._core.drivers.sslsocket import _SSLSocket
    from wiretight._core.session.session import SSLSession
    from wiretight._tls.context import SSLContext
else:
    _Standard = standard.SSLSocket if HAS_STANDARD else PlainSocket


class SSLSocket(Connects, MoreVerbs, StreamOnly, MakesFiles, _Standard, metaclass=WatchesOverrides):
    """A TLS connection over a socket, created by SSLContext.wrap_socket(). It is a socket.socket.

    Two threads may use it at once, one receiving and one sending, and any thread may close it. Its timeout (seconds;
    None blocks, 0 never waits) applies to each call as a whole, which raises TimeoutError when it expires. A
    non-blocking operation raises SSLWantReadError or SSLWantWriteError: wait, and call it again, a send with the same
    bytes.

    Since 0.1. Source: `ssl.SSLSocket`, of which it is a subclass.
    """

    __module__ = "wiretight"
    _counterpart: ClassVar[type | None] = standard.SSLSocket if HAS_STANDARD else None

    _sslobj: _SSLSocket | None = None  # the connection; None before connect(), after unwrap() and close()
    _carrier: SSLSocket | None = None  # of TLS in TLS: the socket that was wrapped, which unwrap() returns
    _write_is_shut: bool = False  # by shutdown(); reading continues to the peer's end
    _overridden: bool  # whether the program may have overridden read() or send(); its class sets it
    _context: SSLContext
    suppress_ragged_eofs: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        origin = "Instances are returned by SSLContext.wrap_socket()."
        raise TypeError(f"{type(self).__name__} does not have a public constructor. {origin}")

    if not TYPE_CHECKING:  # a checker would let every name be assigned

        def __setattr__(self, name: str, value: object) -> None:
            object.__setattr__(self, name, value)
            if name in OVERRIDABLE:
                object.__setattr__(self, "_overridden", True)

    @classmethod
    def _create(
        cls,
        sock: PlainSocket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        context: Any = None,  # never None: the default is that of `ssl`
        session: SSLSession | None = None,
    ) -> SSLSocket:
        if sock.getsockopt(SOL_SOCKET, SO_TYPE) != SOCK_STREAM:
            raise NotImplementedError("only stream sockets are supported")
        context._check_parameters(server_side, server_hostname, session)
        carrier = carrier_in(sock, SSLSocket)
        timeout = sock.gettimeout()

        self = cls.__new__(cls)
        try:
            PlainSocket.__init__(self, sock.family, sock.type, sock.proto, sock.fileno())
        except BaseException:  # perhaps it has the descriptor already, which is the other's: one owner
            PlainSocket.detach(self)
            raise
        if carrier is not None:
            enter(carrier, sock, self)
        else:
            try:
                sock.detach()
            except MemoryError:  # looking up the method ran out of memory
                PlainSocket.detach(sock)
                raise
        try:
            self._context = context
            self._session = session
            self.server_side = server_side
            self.server_hostname = context._encode_hostname(server_hostname)
            self.do_handshake_on_connect = do_handshake_on_connect
            self.suppress_ragged_eofs = suppress_ragged_eofs
            connected = carrier is not None or has_peer(self)
            self.settimeout(timeout)
            if connected:
                self._connected = True
                self._wrap(carrier)
                if do_handshake_on_connect:
                    if self.gettimeout() == 0.0:
                        raise ValueError("do_handshake_on_connect should not be specified for non-blocking sockets")
                    self.do_handshake()
        except BaseException:
            if carrier is not None:
                abandon(carrier)
            self.close()
            raise
        return self

    # --- Reading and writing ------------------------------------------------------------------------------------------

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Up to `buflen` decrypted bytes, b"" at the end; `flags` must be 0.

        It returns what has arrived, from several records if need be, and waits only for the first byte. Raises
        SSLWantReadError on a non-blocking socket, SSLEOFError for an end without close_notify unless
        suppress_ragged_eofs, ValueError for flags. Since 0.1.
        OpenSSL: SSL_read_ex(3)
        """
        if (sslobj := self._sslobj) is None or flags != 0:
            self._refuse_flags("recv", flags)
            return PlainSocket.recv(self, buflen, flags)
        if self._overridden:
            return self.read(buflen)
        try:
            return sslobj.read(buflen)
        except (SSLEOFError, SSLZeroReturnError) as error:
            if not self._is_end(error):
                raise
            return b""

    @overload
    def recv_into(self, buffer: Buffer, nbytes: int | None = None, flags: int = 0) -> int: ...
    @overload
    def recv_into(self, buffer: None, nbytes: int | None = None, flags: int = 0) -> bytes: ...
    def recv_into(self, buffer: Buffer | None, nbytes: int | None = None, flags: int = 0) -> int | bytes:
        """As recv(), into a writable buffer. Returns the number of bytes, 0 at the end.

        Without `nbytes` (or with 0) it may fill the whole buffer. Since 0.1.
        OpenSSL: SSL_read_ex(3)
        """
        if (sslobj := self._sslobj) is None or flags != 0:
            self._refuse_flags("recv_into", flags)
            return PlainSocket.recv_into(self, buffer, nbytes or 0, flags)  # type: ignore[arg-type]  # its TypeError
        if self._overridden:
            return self._read_into(buffer, nbytes)
        try:
            if buffer is None:
                return sslobj.read(1024 if nbytes is None else nbytes)
            return sslobj.read(nbytes or 0, buffer)
        except (SSLEOFError, SSLZeroReturnError) as error:
            if not self._is_end(error):
                raise
            return b"" if buffer is None else 0

    def _read_into(self, buffer: Buffer | None, nbytes: int | None) -> int | bytes:
        """recv_into() through a program's read(), which need not know that 0 bytes means the whole buffer."""
        if buffer is None:
            return self.read(1024 if nbytes is None else nbytes)
        return self.read(nbytes or memoryview(buffer).nbytes, buffer)

    def send(self, data: Buffer, flags: int = 0) -> int:
        """Encrypts and sends bytes, and returns how many of them the system has accepted; `flags` must be 0.

        That is all of them, except on a non-blocking socket, and if the timeout expires after a part. Raises
        SSLWantWriteError if it accepted none: call again with the same bytes. Raises SSLError (reason BAD_WRITE_RETRY)
        for other bytes after a partly sent record; the connection stays usable. Since 0.1.
        OpenSSL: SSL_write_ex(3)
        """
        if (sslobj := self._sslobj) is None or flags != 0:
            self._refuse_flags("send", flags)
            return PlainSocket.send(self, data, flags)
        return sslobj.write(data)

    def sendall(self, data: Buffer, flags: int = 0) -> None:
        """Sends all of `data`, any buffer; `flags` must be 0. The timeout applies to all of it. Without data it does
        nothing.

        After an exception, it is unknown how much was sent. Since 0.1.
        OpenSSL: SSL_write_ex(3)
        """
        if (sslobj := self._sslobj) is None or flags != 0:
            self._refuse_flags("sendall", flags)
            return PlainSocket.sendall(self, data, flags)
        sent, size = 0, len(data) if type(data) is bytes else memoryview(data).nbytes
        if size == 0:  # not even a handshake, as in `ssl`
            return None
        if self._overridden:
            send = part_sender(self, sslobj)
        else:
            sent = sslobj.write(data)
            if sent == size:
                return None
            if PlainSocket.gettimeout(self):  # with a timeout, a send of a part means that it expired
                raise timed_out()
            send = sslobj.write
        with memoryview(data) as view, view.cast("B") as rest:
            while sent < len(rest):
                sent += send(rest[sent:])
        return None

    @overload  # type: ignore[override]
    def read(self, len: int = 1024, buffer: None = None) -> bytes: ...
    @overload
    def read(self, len: int, buffer: Buffer) -> int: ...
    @overload
    def read(self, len: int = 1024, *, buffer: Buffer) -> int: ...
    def read(self, len: int = 1024, buffer: Buffer | None = None) -> bytes | int:
        """As recv(), or with `buffer` as recv_into(). Since 0.1.

        Raises ValueError without a TLS connection. OpenSSL: SSL_read_ex(3)
        """
        if (sslobj := self._sslobj) is None:
            raise ValueError("Read on closed or unwrapped SSL socket.")
        try:
            return sslobj.read(len) if buffer is None else sslobj.read(len, buffer)
        except (SSLEOFError, SSLZeroReturnError) as error:
            if not self._is_end(error):
                raise
            return b"" if buffer is None else 0

    def write(self, data: Buffer) -> int:
        """As send(). Raises ValueError without a TLS connection. Since 0.1.

        OpenSSL: SSL_write_ex(3)
        """
        if (sslobj := self._sslobj) is None:
            raise ValueError("Write on closed or unwrapped SSL socket.")
        return sslobj.write(data)

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Sends a file, opened in binary mode, from `offset`, all of it or `count` bytes; returns how many were sent.

        The file's position is left after the last byte sent. The timeout applies to all of it. Raises ValueError for a
        text file, a non-blocking socket or a `count` below 1, and what send() does. Since 0.1.
        Source: `socket.socket.sendfile`.
        """
        if (sslobj := self._sslobj) is None:
            return PlainSocket.sendfile(self, file, offset, count)
        self._check_sendfile_params(file, offset, count)  # type: ignore[attr-defined]
        if self.gettimeout() == 0:
            raise ValueError("non-blocking sockets are not supported")
        return send_file(part_sender(self, sslobj), file, offset, count)

    def _is_end(self, error: SSLError) -> bool:
        """Whether this error of a read means the end of data to this program."""
        return self.suppress_ragged_eofs if isinstance(error, SSLEOFError) else self._write_is_shut

    # --- Accepting ----------------------------------------------------------------------------------------------------

    def accept(self) -> tuple[SSLSocket, Any]:
        """A new connection and its address, after the handshake if do_handshake_on_connect.

        The context's `handshake_timeout` limits the handshake. Without it nothing does, as in `ssl`, and one silent
        client keeps all others waiting: set it, or set do_handshake_on_connect to False and perform the handshake in
        the thread that serves the connection. Raises TimeoutError when it expires; the client is disconnected then, and
        accept() can be called again. The listener's own timeout applies only to the wait for a client, and does not
        shorten the handshake of a late one. Since 0.1.
        """
        raw, address = PlainSocket.accept(self)
        timeout = raw.gettimeout()
        limit = self._context.handshake_timeout if self.do_handshake_on_connect else None
        try:
            if limit is not None:
                raw.settimeout(limit)
            accepted = self.context.wrap_socket(
                raw,
                server_side=True,
                do_handshake_on_connect=self.do_handshake_on_connect,
                suppress_ragged_eofs=self.suppress_ragged_eofs,
            )
        except BaseException:
            raw.close()
            raise
        if limit is not None:
            accepted.settimeout(timeout)
        return accepted, address

    # --- Ending -------------------------------------------------------------------------------------------------------

    def unwrap(self) -> PlainSocket:
        """Sends close_notify, waits for the peer's, and returns this socket, now without TLS; or, of TLS in TLS, the
        SSLSocket that was wrapped, and this one is detached.

        Raises ValueError without a TLS connection, SSLError (APPLICATION_DATA_AFTER_CLOSE_NOTIFY) if the peer still
        sends data: read it first. On a non-blocking socket, call it again after SSLWantReadError.
        Since 0.1. Source: RFC 8446, section 6.1.
        OpenSSL: SSL_shutdown(3)
        """
        sslobj = self._sslobj
        if sslobj is None:
            raise ValueError(f"No SSL wrapper around {self}")
        sslobj.shutdown()
        if self._carrier is not None:
            leave(sslobj, self, self._carrier)
            return self._carrier
        sslobj.release(False)
        self._sslobj = None
        return self

    def shutdown(self, how: int) -> None:
        """Shuts down reading (SHUT_RD), writing (SHUT_WR) or both (SHUT_RDWR) of the socket.

        SHUT_WR first sends close_notify, of TLS in TLS one in each layer, if that is possible without waiting; the
        peer's data can still be read.
        SHUT_RDWR is how programs abandon a connection: it sends no close_notify, so that a truncated response does not
        look complete. After either, a send fails.

        Intended difference: `ssl` drops TLS here, so that recv() returns ciphertext and send() sends plaintext
        (CPython issue 124618). Since 0.1. Source: RFC 8446, section 6.1.
        """
        # A socket that carries another one has no descriptor: the system refuses, and nothing has changed.
        if (sslobj := self._sslobj) is not None and PlainSocket.fileno(self) >= 0:
            before, self._write_is_shut = self._write_is_shut, self._write_is_shut or how != SHUT_RD
            try:
                if how == SHUT_WR:  # with the flag set: another thread may meet the peer's end right after ours
                    sslobj.close_notify(outwards=True)
            except BaseException:
                self._write_is_shut = before
                raise
        PlainSocket.shutdown(self, how)

    def detach(self) -> int:
        """Returns the descriptor, which the caller owns from now on, without TLS. Since 0.1."""
        sslobj = self._sslobj
        if sslobj is not None:
            sslobj.release(False)
            if not sslobj.claim_descriptor():
                return -1
        descriptor = PlainSocket.detach(self)
        self._sslobj = None
        return descriptor

    def _real_close(self) -> None:  # called once the socket and the last file of makefile() are closed
        # Threads inside a call return first. `_sslobj` stays until the descriptor is gone: without it, another thread's
        # send() would go out in plaintext. Of several threads that close or detach the socket, only one does: without a
        # GIL, both would close one number, which may be another file's by then.
        sslobj = self._sslobj
        try:
            if sslobj is not None:
                sslobj.release()  # raises what ends the program, from a handshake_callback
        finally:
            if sslobj is None or sslobj.claim_descriptor():
                PlainSocket._real_close(self)  # type: ignore[attr-defined]
                self._sslobj = None

    def __del__(self) -> None:
        if self.fileno() >= 0:
            close_unclosed("", self, self._real_close)

    # --- Properties ---------------------------------------------------------------------------------------------------

    @property  # type: ignore[override]
    def context(self) -> SSLContext:
        """The context in use. An sni_callback may assign another one, and all of its settings take effect: certificate,
        CAs, verification, versions, options, algorithms, ALPN, tickets. Raises TypeError for anything else.

        Intended difference: `ssl` keeps the first context's verify_mode, versions and options. Since 0.1.
        """
        return self._context

    @context.setter
    def context(self, ctx: SSLContext) -> None:
        Negotiated._connection(self).context = ctx
        self._context = ctx

    @property  # type: ignore[override]
    def session(self) -> SSLSession | None:
        """The session, or None. Pass it to wrap_socket() to resume it.

        A client may set it before the handshake. Raises ValueError later, on a server, or for another context's
        session; TypeError for anything else. Since 0.1. Source: RFC 8446, section 2.2.
        """
        return None if (sslobj := self._sslobj) is None else sslobj.session

    @session.setter  # type: ignore[override]
    def session(self, session: SSLSession) -> None:
        if (sslobj := self._sslobj) is not None:
            sslobj.session = session
        self._session = session

    @property
    def session_reused(self) -> bool | None:
        """Whether this connection resumed an earlier session; None without a connection. Since 0.1."""
        return None if (sslobj := self._sslobj) is None else sslobj.session_reused


SSLSocket.register_own_methods()
