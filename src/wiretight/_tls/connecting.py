"""Connecting: how a TLS socket gets its peer, and shakes hands with it."""

from __future__ import annotations

from wiretight._core.drivers.tunnel import connection_inside
from wiretight._standard.system import PlainSocket
from wiretight._standard.typing import TYPE_CHECKING, Any
from wiretight._tls.negotiated import Negotiated

if TYPE_CHECKING:
    from wiretight._core.drivers.sslsocket import _SSLSocket
    from wiretight._core.session.session import SSLSession

    # SSLSocket is one; as a base here, it would put its methods before those of `ssl` that ours replace.
    _Base = PlainSocket
else:
    _Base = object


class Connects(Negotiated, _Base):
    """The methods of SSLSocket that connect and shake hands."""

    _connected: bool = False
    _deadline: int | None = None  # of the handshake in connect()
    _context: Any  # an SSLContext, whose module imports this one
    _session: SSLSession | None
    server_side: bool
    server_hostname: str | None
    do_handshake_on_connect: bool

    def _wrap(self, carrier: _SSLSocket | None = None) -> _SSLSocket:
        options: dict[str, Any] = {"owner": self, "session": self._session}
        if carrier is None:
            sslobj: _SSLSocket = self._context._wrap_socket(self, self.server_side, self.server_hostname, **options)
        else:
            sslobj = connection_inside(carrier, self._context, self, self.server_side, self.server_hostname, **options)
        self._sslobj = sslobj
        return sslobj

    def do_handshake(self, block: bool = False) -> None:
        """Performs the handshake; with `block`, waits for its end on a non-blocking socket too.

        Raises SSLCertVerificationError if the peer's certificate is rejected, SSLError for any other failure, OSError
        without a peer, TimeoutError. Since 0.1.
        OpenSSL: SSL_do_handshake(3)
        """
        self._check_connected()
        if (sslobj := self._sslobj) is None:
            self.getpeername()  # raises the error of a closed socket
            raise ValueError(f"No SSL wrapper around {self}")
        if block and self.gettimeout() == 0.0:
            self.settimeout(None)
            try:
                sslobj.do_handshake()
            finally:
                self.settimeout(0.0)
        else:
            sslobj.do_handshake(deadline=self._deadline)

    def connect(self, addr: Any) -> None:
        """Connects to `addr`, then performs the handshake if do_handshake_on_connect.

        Raises ValueError on a server's socket or a connected one, otherwise what connect() of a socket and
        do_handshake() do. Since 0.1.
        """
        self._real_connect(addr, False)

    def connect_ex(self, addr: Any) -> int:
        """As connect(), but returns the errno if the connection fails, 0 otherwise. The handshake still raises.

        Since 0.1.
        """
        return self._real_connect(addr, True) or 0

    def _real_connect(self, addr: Any, connect_ex: bool) -> int | None:
        self._check_may_connect()
        if connect_ex and PlainSocket.fileno(self) < 0:  # closed: no TLS can be made on it
            return PlainSocket.connect_ex(self, addr)
        sslobj = self._begin_tls()
        deadline = sslobj.deadline()
        if connect_ex:
            if result := PlainSocket.connect_ex(self, addr):
                return result
        else:
            PlainSocket.connect(self, addr)
        self._connected = True
        if self.do_handshake_on_connect:
            self._deadline = deadline
            try:
                self.do_handshake()
            finally:
                self._deadline = None
        return 0 if connect_ex else None

    def _check_may_connect(self) -> None:
        if self.server_side:
            raise ValueError("can't connect in server-side mode")
        if self._connected:
            raise ValueError("attempt to connect already-connected SSLSocket!")

    def _begin_tls(self) -> _SSLSocket:
        """Sets up TLS on the socket before it has a peer, and keeps it whatever happens.

        `ssl` removes it again if connect() fails, even with a connection in progress (EINPROGRESS, a timeout): data
        sent after that goes out in plaintext.
        """
        if self._sslobj is not None:
            self._sslobj.release(False)
        return self._wrap()

    def _check_connected(self) -> None:
        if not self._connected:
            self.getpeername()
            self._connected = self._sslobj is not None  # a connect() that was in progress has succeeded

    def _checkClosed(self, msg: object = None) -> None:  # noqa: N802
        """Does nothing: programs know the name from `ssl`."""

    def _connection(self) -> _SSLSocket:
        self._check_connected()
        return Negotiated._connection(self)
