import os
import socket
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias, overload

from typing_extensions import Buffer

from wiretight._core.context import Context
from wiretight._core.session import SSLSession
from wiretight._core.sslsocket import _SSLSocket

_Path: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
_Password: TypeAlias = str | bytes | bytearray

class _BIO(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def write(self, b: Any, /) -> int: ...

class _SSLContext(Context):
    sni_callback: Callable[..., int | None] | None
    keylog_filename: _Path | None
    _msg_callback: Callable[..., object] | None
    def load_cert_chain(
        self,
        certfile: _Path,
        keyfile: _Path | None = None,
        password: _Password | Callable[[], _Password] | None = None,
    ) -> None: ...
    def load_dh_params(self, path: _Path, /) -> None: ...
    def load_verify_locations(
        self, cafile: _Path | None = None, capath: _Path | None = None, cadata: str | Buffer | None = None
    ) -> None: ...
    def set_default_verify_paths(self) -> None: ...
    def cert_store_stats(self) -> dict[str, int]: ...
    @overload
    def get_ca_certs(self, binary_form: Literal[False] = False) -> list[dict[str, Any]]: ...
    @overload
    def get_ca_certs(self, binary_form: Literal[True]) -> list[bytes]: ...
    @overload
    def get_ca_certs(self, binary_form: bool) -> list[dict[str, Any]] | list[bytes]: ...
    def _set_alpn_protocols(self, protocols: Buffer, /) -> None: ...
    def _wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool,
        server_hostname: str | bytes | bytearray | None = None,
        *,
        owner: object = None,
        session: SSLSession | None = None,
    ) -> _SSLSocket: ...
    def _wrap_bio(
        self,
        incoming: _BIO,
        outgoing: _BIO,
        server_side: bool,
        server_hostname: str | bytes | bytearray | None = None,
        *,
        owner: object = None,
        session: SSLSession | None = None,
    ) -> _SSLSocket: ...
