"""The methods of a socket that make no sense for a TLS connection: datagrams, ancillary data, a second descriptor."""

from __future__ import annotations

from wiretight._standard.system import PlainSocket
from wiretight._standard.typing import TYPE_CHECKING, Any, NoReturn, overload

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from wiretight._core.drivers.sslsocket import _SSLSocket

    # SSLSocket is one; as a base here, it would put its methods before those of `ssl` that ours replace.
    _Base = PlainSocket
else:
    _Base = object


class StreamOnly(_Base):
    """The methods that SSLSocket refuses."""

    _sslobj: _SSLSocket | None

    def recvfrom(self, buflen: int = 1024, flags: int = 0) -> tuple[bytes, Any]:
        """Refused (ValueError) on a TLS connection. Since 0.1."""
        self._refuse("recvfrom")
        return PlainSocket.recvfrom(self, buflen, flags)

    def recvfrom_into(self, buffer: Buffer, nbytes: int | None = None, flags: int = 0) -> tuple[int, Any]:
        """Refused (ValueError) on a TLS connection. Since 0.1."""
        self._refuse("recvfrom_into")
        return PlainSocket.recvfrom_into(self, buffer, nbytes or 0, flags)

    @overload
    def sendto(self, data: Buffer, flags_or_addr: Any, addr: None = None) -> int: ...
    @overload
    def sendto(self, data: Buffer, flags_or_addr: int, addr: Any) -> int: ...
    def sendto(self, data: Buffer, flags_or_addr: Any, addr: Any = None) -> int:
        """Refused (ValueError) on a TLS connection. Since 0.1."""
        self._refuse("sendto")
        if addr is None:
            return PlainSocket.sendto(self, data, flags_or_addr)
        return PlainSocket.sendto(self, data, flags_or_addr, addr)

    def _refuse_flags(self, method: str, flags: int) -> None:
        if flags != 0 and self._sslobj is not None:
            raise ValueError(f"non-zero flags not allowed in calls to {method}() on {type(self)}")

    def _refuse(self, method: str) -> None:
        if self._sslobj is not None:
            raise ValueError(f"{method} not allowed on instances of {type(self)}")

    def recvmsg(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused (NotImplementedError): ancillary data would bypass TLS. Since 0.1."""
        raise NotImplementedError(f"recvmsg not allowed on instances of {type(self)}")

    def recvmsg_into(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused (NotImplementedError): ancillary data would bypass TLS. Since 0.1."""
        raise NotImplementedError(f"recvmsg_into not allowed on instances of {type(self)}")

    def sendmsg(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused (NotImplementedError): ancillary data would bypass TLS. Since 0.1."""
        raise NotImplementedError(f"sendmsg not allowed on instances of {type(self)}")

    def dup(self) -> NoReturn:
        """Refused (NotImplementedError): two sockets cannot share one connection. Since 0.1."""
        raise NotImplementedError(f"Can't dup() {type(self).__name__} instances")
