"""SSLContext: the settings of the connections made from it."""

# ruff: noqa: N805  the first argument of a metaclass is a class

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import partial

from wiretight._core.context import executor as _executor
from wiretight._core.context.keylifetime import key_update_after, set_key_update_after
from wiretight._core.session.session import SSLSession
from wiretight._core.sslcontext import _SSLContext, add_base, add_to_order
from wiretight._standard.errors import SSLError
from wiretight._standard.passing import TakesStandard
from wiretight._standard.system import StandardContext
from wiretight._standard.typing import TYPE_CHECKING, Any, ClassVar
from wiretight._tls.constants import (
    HOSTFLAG_NEVER_CHECK_SUBJECT,
    PROTOCOL_TLS,
    PROTOCOL_TLS_CLIENT,
    OP_NO_SSLv3,
    Options,
    Purpose,
    TLSVersion,
    VerifyFlags,
    VerifyMode,
    _ASN1Object,
    _SSLMethod,
    _TLSAlertType,
    _TLSContentType,
    _TLSMessageType,
)
from wiretight._tls.credentials import HoldsCredentials
from wiretight._tls.hello import DecidesByHello
from wiretight._tls.lifecycle import HasLifecycle
from wiretight._tls.object import SSLObject
from wiretight._tls.observed import Observed, import_for_operators
from wiretight._tls.peer import check_parameters, encode_hostname
from wiretight._tls.policies import HasPolicy
from wiretight._tls.seconds import seconds_or_none
from wiretight._tls.sessions import HasSessions
from wiretight._tls.socket import SSLSocket
from wiretight._tls.tickets import IssuesTickets

if TYPE_CHECKING:
    from concurrent.futures import Executor
    from ssl import SSLContext as _Standard

    from typing_extensions import Self

    from wiretight._core.sslcontext import _BIO
    from wiretight._standard.system import PlainSocket

    class _Base(_SSLContext, _Standard):  # type: ignore[misc, override]
        """A subclass for type checkers only, so that they accept it wherever a standard context fits."""

else:
    _Base = _SSLContext

# No class of ours may have it as a base: its methods would take our contexts for theirs.
_STANDARD_NATIVE: Any = StandardContext.__base__ if StandardContext is not None else None
_native: Any = _SSLContext  # its descriptors implement the properties of the same names

_MESSAGE_TYPES = {
    _TLSContentType.ALERT: _TLSAlertType,
    _TLSContentType.HEADER: _TLSContentType,
    _TLSContentType.INNER_CONTENT_TYPE: _TLSContentType,
}


def _named(kind: Any, number: int) -> Any:
    """The member of an enum, or the number itself if the enum has no name for it."""
    try:
        return kind(number)
    except ValueError:
        return number


# The callbacks that OpenSSL calls are these, with the program's as their first argument: functions that pickle finds.
def _call_with_encoded_name(
    callback: Callable[..., int | None], connection: Any, name: str | None, context: SSLContext
) -> int | None:
    return callback(connection, context._encode_hostname(name), context)


def _call_with_names(
    callback: Callable[..., object],
    connection: Any,
    direction: str,
    version: int,
    content_type: int,
    message_type: int,
    data: bytes,
) -> None:
    content = _named(_TLSContentType, content_type)
    message = _named(_MESSAGE_TYPES.get(content, _TLSMessageType), message_type)
    callback(connection, direction, _named(TLSVersion, version), content, message, data)


class _PassesForStandard(TakesStandard):
    """Makes isinstance(context, ssl.SSLContext) true: that class is a base, although its layout differs."""

    def __init__(cls, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cls._add_standard()

    def __setattr__(cls, name: str, value: Any) -> None:
        if name == "__bases__":
            super().__setattr__(name, tuple(kind for kind in value if kind is not StandardContext))
            cls._add_standard()
        else:
            super().__setattr__(name, value)

    def _add_standard(cls) -> None:
        if StandardContext is not None and _SSLContext in cls.__mro__ and StandardContext not in cls.__mro__:
            add = add_base if _SSLContext in cls.__bases__ else add_to_order
            add(cls, StandardContext)
        subclasses: Any = cls.__subclasses__()
        for subclass in subclasses:
            subclass._add_standard()

    def __subclasscheck__(cls, subclass: type) -> bool:
        if super().__subclasscheck__(subclass):
            return True
        counterpart = vars(cls).get("_counterpart")
        return counterpart is not None and issubclass(subclass, counterpart)

    def mro(cls) -> list[type]:
        """Without the standard classes, which Python would reject here. Since 0.1."""
        order = super().mro()
        if StandardContext is None:
            return order
        return [kind for kind in order if not issubclass(kind, _STANDARD_NATIVE)]


class SSLContext(  # type: ignore[misc, override]
    HoldsCredentials,
    DecidesByHello,
    HasLifecycle,
    HasPolicy,
    HasSessions,
    IssuesTickets,
    Observed,
    _Base,
    metaclass=_PassesForStandard,
):
    """Certificates, keys, trust and options, shared by the connections that are made from it.

    `protocol` is PROTOCOL_TLS_CLIENT (verifies the server's certificate and name) or PROTOCOL_TLS_SERVER. Raises
    ValueError for an unknown one; the others, and no argument, are deprecated.

    It passes for the standard library's: isinstance(context, ssl.SSLContext) is true, and so is the reverse for that
    library's own contexts. It has nothing native of that class: it would contain a second, unconfigured context, which
    any method missing here would silently configure instead.

    Since 0.1. Source: `ssl.SSLContext`.
    OpenSSL: SSL_CTX_new(3)
    """

    __module__ = "wiretight"
    # isinstance() must accept a context of the standard library: a library whose check fails could continue without
    # a context, that is, without verification. Our subclasses do not inherit this.
    _counterpart: ClassVar[type | None] = StandardContext

    sslsocket_class: type[SSLSocket] = SSLSocket
    sslobject_class: type[SSLObject] = SSLObject

    _handshake_timeout: float | None = None

    # aiofastnet would otherwise read an SSL_CTX* of the interpreter's OpenSSL out of this object.
    _aiofastnet_force_fallback_ssl: bool = True

    def __new__(cls, protocol: int | None = None, *args: Any, **kwargs: Any) -> Self:  # noqa: ARG004
        if protocol is None:
            warnings.warn("ssl.SSLContext() without protocol argument is deprecated.", DeprecationWarning, stacklevel=2)
            protocol = PROTOCOL_TLS
        if protocol != PROTOCOL_TLS_CLIENT:
            import_for_operators()
        return _SSLContext.__new__(cls, protocol)

    # --- Connections --------------------------------------------------------------------------------------------------

    def wrap_socket(  # type: ignore[override]
        self,
        sock: PlainSocket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: SSLSession | None = None,
    ) -> SSLSocket:
        """A TLS connection over a stream socket, which it takes over: `sock` is detached.

        If `sock` is an SSLSocket after its handshake, the new connection is inside its connection (TLS in TLS), and
        unwrap() of the new socket returns `sock`.

        `server_hostname` is sent to the server, and verified if `check_hostname`; an address is only verified.
        `suppress_ragged_eofs` turns the peer's end without close_notify into an ordinary end of data. The handshake
        happens here if the socket is connected, otherwise in connect(), or in accept() on the accepted socket.

        Raises ValueError for arguments that contradict each other, and an SSLSocket before its handshake or amid a
        send(); NotImplementedError for another kind of socket, and the SSLSocket of another library; SSLError or
        OSError if the handshake fails, and then closes the socket. Since 0.1. Source: RFC 8446.
        """
        return self.sslsocket_class._create(
            sock=sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            suppress_ragged_eofs=suppress_ragged_eofs,
            server_hostname=server_hostname,
            context=self,
            session=session,
        )

    def wrap_bio(  # type: ignore[override]
        self,
        incoming: _BIO,
        outgoing: _BIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: SSLSession | None = None,
    ) -> SSLObject:
        """A TLS connection over two memory BIOs: MemoryBIO, the standard library's, or anything similar.

        Raises ValueError for arguments that contradict each other. Since 0.1. Source: RFC 8446.
        """
        self._check_parameters(server_side, server_hostname, session)
        return self.sslobject_class._create(
            incoming,
            outgoing,
            server_side=server_side,
            server_hostname=self._encode_hostname(server_hostname),
            session=session,
            context=self,
        )

    def _check_parameters(
        self, server_side: bool, server_hostname: str | bytes | None, session: SSLSession | None
    ) -> None:
        check_parameters(self, server_side, server_hostname, session)

    def _encode_hostname(self, hostname: str | bytes | None) -> str | None:
        return encode_hostname(hostname)

    @property
    def handshake_timeout(self) -> float | None:
        """The most seconds that the handshake in a listening SSLSocket's accept() may take, in all.

        None, the default, sets no limit, as in `ssl`. Raises ValueError for what is not a positive number, or is more
        than a socket may be told on every system (68 years), TypeError for what is no number. Since 0.1.
        Source: an addition to `ssl`.
        """
        return self._handshake_timeout

    @handshake_timeout.setter
    def handshake_timeout(self, seconds: float | None) -> None:
        seconds = seconds_or_none("handshake_timeout", seconds)
        if seconds != self._handshake_timeout:
            self._handshake_timeout = seconds

    @property
    def handshake_executor(self) -> Executor | None:
        """Where asyncio's transports compute their handshakes, such as a ThreadPoolExecutor; None: on the loop.

        A transport has each step of its handshake run there, without the GIL, and reads nothing meanwhile; the loop
        serves the other connections. Callbacks of a handshake (`sni_callback`, `verify_callback`, `keylog_callback`
        and others) are then called by a thread of the executor. The executor is that of the context with which a
        transport is made, even if `sni_callback` chooses another; a copy() shares it, and it is never shut down here.
        Sockets and SSLObjects ignore it: whoever calls their do_handshake() computes.

        Raises TypeError for what has no submit(), and for an executor of processes or interpreters. Since 0.1.
        Source: an addition to `ssl`; `concurrent.futures.Executor`.
        """
        return _executor.handshake_executor(self)

    @handshake_executor.setter
    def handshake_executor(self, executor: Executor | None) -> None:
        _executor.set_handshake_executor(self, executor)

    @property
    def key_update_after(self) -> int | None:
        """After how many records of data a connection updates the keys of what it sends; None, the default: never.

        For connections of TLS 1.3 that move very much: with AES-GCM, 23,726,566 records (2**24.5), at most 370 GiB,
        are what one key may encrypt. OpenSSL never updates by itself, and each end decides for what it sends. A peer
        that has to take part is asked by key_update(request_peer=True). On TLS 1.2 it does nothing.

        Raises ValueError for less than 1, TypeError for what is no whole number. Since 0.1.
        Source: RFC 8446, section 5.5; an addition to `ssl`. OpenSSL: SSL_key_update(3)
        """
        return key_update_after(self)

    @key_update_after.setter
    def key_update_after(self, records: int | None) -> None:
        set_key_update_after(self, records)

    # --- Negotiation --------------------------------------------------------------------------------------------------

    @property
    def protocol(self) -> _SSLMethod:  # type: ignore[override]
        """The PROTOCOL_* that this context was created with. Since 0.1."""
        return _SSLMethod(_native.protocol.__get__(self))

    @property
    def options(self) -> Options:
        """OP_* flags. Setting OP_NO_TLS* is deprecated: use minimum_version and maximum_version. Since 0.1.

        OpenSSL: SSL_CTX_set_options(3)
        """
        return Options(_native.options.__get__(self))

    @options.setter
    def options(self, value: int) -> None:
        _native.options.__set__(self, value)

    @property
    def minimum_version(self) -> TLSVersion:
        """The oldest TLSVersion to negotiate. Raises ValueError for an unknown one. Since 0.1.

        OpenSSL: SSL_CTX_set_min_proto_version(3)
        """
        return TLSVersion(_native.minimum_version.__get__(self))

    @minimum_version.setter
    def minimum_version(self, value: int) -> None:
        if value == TLSVersion.SSLv3:
            self.options &= ~OP_NO_SSLv3
        _native.minimum_version.__set__(self, value)

    @property
    def maximum_version(self) -> TLSVersion:
        """The newest TLSVersion to negotiate. Raises ValueError for an unknown one. Since 0.1.

        OpenSSL: SSL_CTX_set_max_proto_version(3)
        """
        return TLSVersion(_native.maximum_version.__get__(self))

    @maximum_version.setter
    def maximum_version(self, value: int) -> None:
        _native.maximum_version.__set__(self, value)

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """The application protocols to offer or to accept, ASCII, the preferred one first; the server's order wins.

        Raises SSLError for a name that is not 1 to 255 bytes long. Since 0.1. Source: RFC 7301.
        """
        wire = bytearray()
        for protocol in alpn_protocols:
            name = bytes(protocol, "ascii")
            if not 1 <= len(name) <= 255:
                raise SSLError("ALPN protocols must be 1 to 255 in length")
            wire.append(len(name))
            wire += name
        self._set_alpn_protocols(wire)

    def set_npn_protocols(self, npn_protocols: Iterable[str]) -> None:  # noqa: ARG002
        """NPN is dead: use set_alpn_protocols(). Warns, then raises NotImplementedError. Since 0.1."""
        warnings.warn("ssl NPN is deprecated, use ALPN instead", DeprecationWarning, stacklevel=2)
        raise NotImplementedError("OpenSSL has no NPN any more: use set_alpn_protocols()")

    def set_servername_callback(self, server_name_callback: Callable[..., int | None] | None) -> None:
        """Like sni_callback, which new code uses; it gets the name in the encoding of `ssl` in Python 3.6. Since 0.1.

        Raises TypeError if it is not callable. Source: RFC 6066, section 3.
        """
        context: Any = self  # assigned to self, a type checker would take this for a declaration
        if server_name_callback is None:
            context.sni_callback = None
            return
        if not callable(server_name_callback):
            raise TypeError("not a callable object")

        context.sni_callback = partial(_call_with_encoded_name, server_name_callback)

    # --- Trust --------------------------------------------------------------------------------------------------------

    @property
    def verify_mode(self) -> VerifyMode:
        """CERT_NONE, CERT_OPTIONAL or CERT_REQUIRED: whether the peer must present a valid certificate.

        Raises ValueError for CERT_NONE while check_hostname is on. Since 0.1.
        OpenSSL: SSL_CTX_set_verify(3)
        """
        return VerifyMode(_native.verify_mode.__get__(self))

    @verify_mode.setter
    def verify_mode(self, value: int) -> None:
        _native.verify_mode.__set__(self, value)

    @property
    def verify_flags(self) -> VerifyFlags:
        """VERIFY_* flags of the verification. Since 0.1.

        OpenSSL: X509_VERIFY_PARAM_set_flags(3)
        """
        return VerifyFlags(_native.verify_flags.__get__(self))

    @verify_flags.setter
    def verify_flags(self, value: int) -> None:
        _native.verify_flags.__set__(self, value)

    @property
    def hostname_checks_common_name(self) -> bool:
        """Whether a certificate without alternative names (SAN) may name the host in its subject. Since 0.1.

        Source: RFC 9525, section 2, which advises against it. OpenSSL: X509_VERIFY_PARAM_set_hostflags(3)
        """
        return not self._host_flags & HOSTFLAG_NEVER_CHECK_SUBJECT

    @hostname_checks_common_name.setter
    def hostname_checks_common_name(self, value: bool) -> None:
        if value:
            self._host_flags &= ~HOSTFLAG_NEVER_CHECK_SUBJECT
        else:
            self._host_flags |= HOSTFLAG_NEVER_CHECK_SUBJECT

    def load_default_certs(self, purpose: Purpose = Purpose.SERVER_AUTH) -> None:
        """Trusts this system's CA certificates for `purpose`.

        Raises TypeError for another kind of purpose. Since 0.1.
        OpenSSL: SSL_CTX_set_default_verify_paths(3)
        """
        if not isinstance(purpose, _ASN1Object):
            raise TypeError(purpose)
        self.set_default_verify_paths()

    # --- Debugging ----------------------------------------------------------------------------------------------------

    @property
    def _msg_callback(self) -> Callable[..., object] | None:
        """Called as (connection, "read" or "write", version, content type, message type, bytes); as in `ssl`, for
        debugging only.
        """
        callback: Callable[..., object] | None = _native._msg_callback.__get__(self)
        return getattr(callback, "user_function", callback)

    @_msg_callback.setter
    def _msg_callback(self, callback: Callable[..., object] | None) -> None:
        if callback is None:
            _native._msg_callback.__set__(self, None)
            return
        if not callable(callback):
            raise TypeError(f"{callback} is not callable.")

        named = partial(_call_with_names, callback)
        named.user_function = callback  # type: ignore[attr-defined]
        _native._msg_callback.__set__(self, named)

    @property
    def message_callback(self) -> Callable[[Any, str, int, int, int, bytes], object] | None:
        """Called for each TLS message, alert and record header, for debugging; or None. It is `_msg_callback` of `ssl`.

        Its arguments are (connection, "read" or "write", version, content type, message type, data). The version is a
        TLSVersion; the two types are members of enums where they have names, such as HANDSHAKE and CLIENT_HELLO,
        otherwise numbers; `data` is the message (bytes). A record header has the content type 0x100, and the type of
        its record for a message type. If the callback raises, the call in which it ran raises that, or an exception
        that has it as its __context__.

        Setting it raises TypeError if it is not callable. Since 0.1. Source: `ssl.SSLContext._msg_callback`.
        OpenSSL: SSL_CTX_set_msg_callback(3)
        """
        return self._msg_callback

    @message_callback.setter
    def message_callback(self, callback: Callable[[Any, str, int, int, int, bytes], object] | None) -> None:
        if callback is not None and not callable(callback):
            raise TypeError(f"message_callback must be callable or None, not {type(callback).__name__}")
        self._msg_callback = callback


OWN_WRAP_BIO = SSLContext.wrap_bio  # before a program can put its own there
