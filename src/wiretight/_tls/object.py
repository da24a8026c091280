"""SSLObject: a TLS connection over two memory BIOs; the program transfers the bytes."""

from __future__ import annotations

from wiretight._standard.errors import HAS_STANDARD, standard
from wiretight._standard.passing import TakesStandard
from wiretight._standard.typing import TYPE_CHECKING, Any, ClassVar, overload
from wiretight._tls.negotiated import Negotiated
from wiretight._tls.verbs import MoreVerbs

if TYPE_CHECKING:
    from ssl import SSLObject as _Standard

    from typing_extensions import Buffer

    from wiretight._core.drivers.sslsocket import _SSLSocket
    from wiretight._core.session.session import SSLSession
    from wiretight._tls.context import SSLContext
else:
    _Standard = standard.SSLObject if HAS_STANDARD else object


class SSLObject(Negotiated, MoreVerbs, _Standard, metaclass=TakesStandard):
    """A TLS connection over two memory BIOs, created by SSLContext.wrap_bio().

    Any operation raises SSLWantReadError if it needs more data in the incoming BIO: feed it, and call again. Always
    send the contents of the outgoing BIO afterwards.

    Since 0.1. Source: `ssl.SSLObject`, of which it is a subclass.
    """

    __module__ = "wiretight"
    _counterpart: ClassVar[type | None] = standard.SSLObject if HAS_STANDARD else None

    _sslobj: _SSLSocket

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        raise TypeError(
            f"{type(self).__name__} does not have a public constructor. "
            "Instances are returned by SSLContext.wrap_bio()."
        )

    @classmethod
    def _create(
        cls,
        incoming: Any,
        outgoing: Any,
        server_side: bool = False,
        server_hostname: str | None = None,
        session: SSLSession | None = None,
        context: Any = None,  # never None: the default is that of `ssl`
    ) -> SSLObject:
        self = cls.__new__(cls)
        self._sslobj = context._wrap_bio(incoming, outgoing, server_side, server_hostname, owner=self, session=session)
        return self

    @property  # type: ignore[override]
    def context(self) -> SSLContext:
        """The context in use. An sni_callback may assign another one, and all of its settings take effect: certificate,
        CAs, verification, versions, options, algorithms, ALPN, tickets. Raises TypeError for anything else.

        Intended difference: `ssl` keeps the first context's verify_mode, versions and options. Since 0.1.
        """
        return self._sslobj.context  # type: ignore[return-value]

    @context.setter
    def context(self, ctx: SSLContext) -> None:
        self._sslobj.context = ctx

    @property  # type: ignore[override]
    def session(self) -> SSLSession | None:
        """The session, or None. Pass it to wrap_bio() to resume it.

        A client may set it before the handshake. Raises ValueError later, on a server, or for another context's
        session; TypeError for anything else. Since 0.1. Source: RFC 8446, section 2.2.
        """
        return self._sslobj.session

    @session.setter  # type: ignore[override]
    def session(self, session: SSLSession) -> None:
        self._sslobj.session = session

    @property
    def session_reused(self) -> bool:
        """Whether this connection resumed an earlier session. Since 0.1."""
        return self._sslobj.session_reused

    @property
    def server_side(self) -> bool:
        """Whether this is the server side. Since 0.1."""
        return self._sslobj.server_side

    @property
    def server_hostname(self) -> str | None:
        """The name of the server as an A-label, or None. Since 0.1."""
        return self._sslobj.server_hostname

    def do_handshake(self) -> None:
        """Performs the handshake as far as the incoming bytes allow.

        Raises SSLWantReadError until the peer has answered, SSLCertVerificationError if its certificate is rejected,
        SSLError for any other failure. Since 0.1.
        OpenSSL: SSL_do_handshake(3)
        """
        self._sslobj.do_handshake()

    @overload  # type: ignore[override]
    def read(self, len: int = 1024, buffer: None = None) -> bytes: ...
    @overload
    def read(self, len: int, buffer: Buffer) -> int: ...
    @overload
    def read(self, len: int = 1024, *, buffer: Buffer) -> int: ...
    def read(self, len: int = 1024, buffer: Buffer | None = None) -> bytes | int:
        """Up to `len` decrypted bytes; with `buffer`, reads into it and returns their number.

        b"" or 0 means the peer's close_notify. Raises SSLWantReadError until data arrives, SSLEOFError if the incoming
        BIO ended without close_notify: the data may be truncated. Since 0.1.
        OpenSSL: SSL_read_ex(3)
        """
        return self._sslobj.read(len) if buffer is None else self._sslobj.read(len, buffer)

    def write(self, data: Buffer) -> int:
        """Encrypts the bytes-like `data` into the outgoing BIO, and returns how many of its bytes.

        Raises SSLWantReadError if the handshake needs the peer first, SSLError after unwrap(). Since 0.1.
        OpenSSL: SSL_write_ex(3)
        """
        return self._sslobj.write(data)

    def unwrap(self) -> None:
        """Sends close_notify and reads the peer's.

        Raises SSLWantReadError until that has arrived: then call it again. Since 0.1. Source: RFC 8446, section 6.1.
        OpenSSL: SSL_shutdown(3)
        """
        self._sslobj.shutdown()


# What asyncio's TLS calls of each connection, before a program can put something there that logs keys or verifies.
OWN_CREATE = SSLObject._create.__func__  # type: ignore[attr-defined]
OWN_STEPS = {name: getattr(SSLObject, name) for name in ("do_handshake", "read", "write", "unwrap")}
