"""What the first flight of a handshake says, and the callbacks that decide by it: ClientHello, ALPN, CA names."""

from __future__ import annotations

from wiretight._core.callbacks import alpn, clientcredential, clienthello
from wiretight._core.context import canames
from wiretight._core.trust.truststore import TrustStore
from wiretight._core.x509.certificate import Certificate
from wiretight._standard.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from typing_extensions import Buffer

    from wiretight._core.callbacks.clientcredential import CertificateRequest
    from wiretight._core.callbacks.suspension import Pending
    from wiretight._core.context.material import Credential
    from wiretight._core.sslcontext import _SSLContext
    from wiretight._tls.clienthello import ClientHello

    _HelloAnswer = _SSLContext | Credential | Pending | None
    _HelloCallback = Callable[[Any, ClientHello], _HelloAnswer | Awaitable[_HelloAnswer]]
    _CredentialAnswer = Credential | Pending | None
    _CredentialCallback = Callable[[Any, CertificateRequest], _CredentialAnswer | Awaitable[_CredentialAnswer]]
    _ALPNCallback = Callable[[Any, tuple[str, ...]], str | None]


def _set_client_hello_callback(context: Any, callback: _HelloCallback | None) -> None:
    from wiretight._tls.clienthello import parse  # which imports dataclasses

    clienthello.read_with(parse)
    clienthello.set_client_hello_callback(context, callback)


# How a pickled context gets each of them again, by the name that it is kept by.
CALLBACKS: dict[str, Callable[[Any, Any], None]] = {
    "client_hello_callback": _set_client_hello_callback,
    "alpn_callback": alpn.set_alpn_callback,
    "client_credential_callback": clientcredential.set_client_credential_callback,
}


class DecidesByHello:
    """The part of SSLContext that decides by what the peer says first."""

    __slots__ = ()

    @property
    def client_hello_callback(self) -> _HelloCallback | None:
        """Called on a server with (connection, ClientHello) before anything is chosen or resumed; or None.

        It returns the SSLContext of wiretight that the connection gets, all of whose settings take effect, but none
        that makes verify_mode or minimum_version less strict; a Credential, which is then all that the connection can
        show; or None, to go on. The `sni_callback` of the context that it has chosen follows. It is called once for
        each ClientHello: for a second one, after a HelloRetryRequest, that of the chosen context is called.

        It may decide later. On a non-blocking socket and an SSLObject it returns PENDING: the verb raises
        SSLWantCallbackError, and calls it again with the same ClientHello when it is called again. For a transport of
        an event loop it may be a coroutine function, which is awaited under the handshake's timeout, and cancelled when
        the connection is lost. On a blocking socket both are a TypeError: it just takes its time.

        If it raises, the handshake ends with the alert that is the attribute `alert` of the exception, if there is such
        an alert, or internal_error, and the verb raises an SSLError with that exception as its __context__; so it does
        for a ClientHello that `parse_client_hello()` would refuse. Setting it raises TypeError if it is not callable,
        ValueError on a PROTOCOL_TLS_CLIENT context. Since 0.1. Source: Go's tls.Config.GetConfigForClient; RFC 8446,
        section 4.1.2.

        OpenSSL: SSL_CTX_set_client_hello_cb(3)
        """
        return clienthello.client_hello_callback(self)  # type: ignore[arg-type]

    @client_hello_callback.setter
    def client_hello_callback(self, callback: _HelloCallback | None) -> None:
        _set_client_hello_callback(self, callback)

    @property
    def alpn_callback(self) -> _ALPNCallback | None:
        """Called on a server with (connection, offered protocols) to select one, if the client offers any; or None.

        It returns one of the tuple, or None for no protocol. It comes in the place of set_alpn_protocols(). If it
        raises, or returns anything else, the handshake ends with the alert no_application_protocol, and the verb
        raises an SSLError with that exception as its __context__.

        Setting it raises TypeError if it is not callable or is a coroutine function, ValueError on a
        PROTOCOL_TLS_CLIENT context. Since 0.1. Source: RFC 7301, section 3.2; `ALPNCallback` of Node.js.

        OpenSSL: SSL_CTX_set_alpn_select_cb(3)
        """
        return alpn.alpn_callback(self)  # type: ignore[arg-type]

    @alpn_callback.setter
    def alpn_callback(self, callback: _ALPNCallback | None) -> None:
        alpn.set_alpn_callback(self, callback)  # type: ignore[arg-type]

    @property
    def alpn_required(self) -> bool:
        """Whether a handshake without an application protocol fails: False, as in `ssl`.

        If True, a server refuses a client that offers no protocol which it has, and one that offers none at all, by
        the alert no_application_protocol. A client notices it once the handshake is done: the verb raises SSLError,
        with the reason NO_APPLICATION_PROTOCOL, before any data has passed, and so does every later one. Protocols
        that are confused with each other are attacked by that (ALPACA). Since 0.1. Source: RFC 7301, section 3.2.
        """
        return alpn.alpn_required(self)  # type: ignore[arg-type]

    @alpn_required.setter
    def alpn_required(self, value: bool) -> None:
        alpn.set_alpn_required(self, value)  # type: ignore[arg-type]

    @property
    def client_credential_callback(self) -> _CredentialCallback | None:
        """Called on a client with (connection, CertificateRequest) when a server asks for a certificate; or None.

        It returns the Credential to show, or None for what the context has loaded, if anything. It may decide later,
        as `client_hello_callback` does. A session that was made with such a Credential is not resumed: a server would
        go on to know by it whom it was made with.

        If it raises, the handshake ends with the alert internal_error, and the verb raises an SSLError with that
        exception as its __context__. Setting it raises TypeError if it is not callable, ValueError on a
        PROTOCOL_TLS_SERVER context. Since 0.1. Source: Go's tls.Config.GetClientCertificate; RFC 8446, section 4.3.2.

        OpenSSL: SSL_set_cert_cb(3)
        """
        return clientcredential.client_credential_callback(self)  # type: ignore[arg-type]

    @client_credential_callback.setter
    def client_credential_callback(self, callback: _CredentialCallback | None) -> None:
        clientcredential.set_client_credential_callback(self, callback)  # type: ignore[arg-type]

    def set_ca_names(self, names: Iterable[Buffer | Certificate] | TrustStore) -> None:
        """Tells the peer of later connections which CAs are trusted here, so that it can choose its certificate.

        `names` are distinguished names in DER, or Certificates, whose subject counts; of a TrustStore, those that are
        in it now. A server sends them with its request for a client's certificate; a client of TLS 1.3 sends them, too.
        They decide nothing about the verification. An empty list sends none, as `ssl` does.

        Raises TypeError for anything else, ValueError for what is no distinguished name and for more than TLS has room
        for, which is a little less than 64 KiB; then nothing changes. Since 0.1. Source: RFC 8446, section 4.2.4.

        OpenSSL: SSL_set0_CA_list(3)
        """
        if isinstance(names, (str, bytes, bytearray, memoryview, Certificate)):
            raise TypeError(f"the CA names must be a TrustStore or an iterable of names, not {type(names).__name__}")
        found = names.certificates if isinstance(names, TrustStore) else names
        ders = [_name(each) for each in found]
        canames.set_ca_names(self, list(dict.fromkeys(ders)))  # type: ignore[arg-type]


def _name(given: Buffer | Certificate) -> bytes:
    return canames.subject_der(given) if isinstance(given, Certificate) else bytes(memoryview(given))
