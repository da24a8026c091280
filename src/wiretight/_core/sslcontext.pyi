import os
import socket
from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias, TypedDict, overload, type_check_only

from typing_extensions import Buffer

from wiretight._core.context.context import Context
from wiretight._core.drivers.sslsocket import _SSLSocket
from wiretight._core.session.session import SSLSession
from wiretight._core.trust.truststore import TrustStore
from wiretight._core.trust.verification import Verification
from wiretight._core.x509.certificate import _PeerCertificate

_Path: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
_Password: TypeAlias = str | bytes | bytearray

@type_check_only
class _Cipher(TypedDict):
    id: int
    name: str
    protocol: str
    description: str
    strength_bits: int
    alg_bits: int
    aead: bool
    symmetric: str
    digest: str | None
    kea: str
    auth: str

@type_check_only
class _BIO(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def write(self, b: Any, /) -> int: ...

@type_check_only
class _SessionStore(Protocol):
    def put(self, key: str, session: SSLSession, /) -> object: ...
    def take(self, key: str, /) -> SSLSession | None: ...

class _SSLContext(Context):
    sni_callback: Callable[..., int | None] | None
    # None until it is set; typeshed's says `str` always, and programs rely on it.
    @property
    def keylog_filename(self) -> str | Any: ...
    @keylog_filename.setter
    def keylog_filename(self, value: _Path | None) -> None: ...
    keylog_callback: Callable[[Any, str], object] | None
    session_store: _SessionStore | None
    new_session_callback: Callable[[Any, SSLSession], object] | None
    _msg_callback: Callable[..., object] | None
    trust_store: TrustStore
    verify_callback: Callable[[Any, Verification], None] | None
    policy_id: bytes | None
    remember_verified_chains: bool
    read_ahead: bool
    def set_ciphers(self, cipherlist: str, /) -> None: ...
    def set_ciphersuites(self, ciphersuites: str, /) -> None: ...
    def get_ciphers(self) -> list[_Cipher]: ...
    def set_ecdh_curve(self, name: str | bytes | os.PathLike[str], /) -> None: ...
    def set_groups(self, grouplist: str, /) -> None: ...
    def get_groups(self, *, include_aliases: bool = False) -> list[str]: ...
    def set_client_sigalgs(self, sigalgslist: str, /) -> None: ...
    def set_server_sigalgs(self, sigalgslist: str, /) -> None: ...
    def set_psk_client_callback(self, callback: Callable[[str | None], tuple[str | None, Buffer]] | None) -> None: ...
    def set_psk_server_callback(
        self, callback: Callable[[str | None], Buffer] | None, identity_hint: str | None = None
    ) -> None: ...
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
    def session_stats(self) -> dict[str, int]: ...
    def load_crls(self, path: _Path | None = None, data: str | Buffer | None = None) -> int: ...
    def cert_store_stats(self) -> dict[str, int]: ...
    @overload
    def get_ca_certs(self, binary_form: Literal[False] = False) -> list[_PeerCertificate]: ...
    @overload
    def get_ca_certs(self, binary_form: Literal[True]) -> list[bytes]: ...
    @overload
    def get_ca_certs(self, binary_form: bool) -> list[_PeerCertificate] | list[bytes]: ...
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

def add_base(kind: type, base: type, /) -> None: ...
def add_to_order(kind: type, base: type, /) -> None: ...
