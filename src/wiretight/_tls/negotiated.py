"""Negotiated: the facts about a connection, the same for SSLSocket and SSLObject."""

from __future__ import annotations

import warnings

from wiretight._core.connection.exporter import export_keying_material
from wiretight._core.x509.certificate import ENCODING_DER, Certificate
from wiretight._standard.typing import TYPE_CHECKING, Literal, cast, overload
from wiretight._tls.certificate import CertificateBytes
from wiretight._tls.constants import CHANNEL_BINDING_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from wiretight._core.drivers.sslsocket import _SSLSocket
    from wiretight._core.x509.certificate import _PeerCertificate
    from wiretight._tls.information import ConnectionInfo


def _der(chain: list[Certificate] | None) -> list[bytes]:
    return [CertificateBytes(cast("bytes", certificate.public_bytes(ENCODING_DER))) for certificate in chain or ()]


def close_unclosed(kind: str, unclosed: object, close: Callable[[], None]) -> None:
    """For a destructor: closes what a program failed to close, and warns with the program's line; the warning of
    socket.socket would name one of ours.
    """
    try:
        shown = repr(unclosed)
    finally:  # even without memory for the text
        close()
    warnings.warn(f"unclosed {kind}{shown}", ResourceWarning, source=unclosed, stacklevel=3)


class Negotiated:
    """The part of SSLSocket and SSLObject that transfers no data. Everything is None without a connection."""

    __slots__ = ()
    _sslobj: _SSLSocket | None

    def _connection(self) -> _SSLSocket:
        """The connection, for methods that need one. Raises AttributeError, as `ssl` does."""
        sslobj = self._sslobj
        if sslobj is None:
            raise AttributeError(f"{self} has no TLS connection: it is not connected yet, closed, or unwrapped")
        return sslobj

    @overload
    def getpeercert(self, binary_form: Literal[False] = False) -> _PeerCertificate | None: ...
    @overload
    def getpeercert(self, binary_form: Literal[True]) -> bytes | None: ...
    @overload
    def getpeercert(self, binary_form: bool) -> _PeerCertificate | bytes | None: ...
    def getpeercert(self, binary_form: bool = False) -> _PeerCertificate | bytes | None:
        """The peer's certificate: a dict, or with `binary_form` its DER bytes; None if the peer sent none.

        The dict is empty if the certificate was not verified (CERT_NONE). Raises ValueError before the handshake is
        complete. Since 0.1. Source: RFC 5280.
        """
        return self._connection().getpeercert(binary_form)

    def get_verified_chain(self) -> list[bytes]:
        """The DER certificates of the verified chain, from the peer's up to the trusted root.

        Empty if the session was resumed. Since 0.1.
        OpenSSL: SSL_get0_verified_chain(3)
        """
        return _der(self._connection().get_verified_chain())

    def get_unverified_chain(self) -> list[bytes]:
        """The DER certificates that the peer sent, its own first; unchecked.

        Since 0.1.
        OpenSSL: SSL_get_peer_cert_chain(3)
        """
        return _der(self._connection().get_unverified_chain())

    def selected_npn_protocol(self) -> None:
        """Always None: NPN is dead, use selected_alpn_protocol(). Deprecated as in `ssl`. Since 0.1."""
        warnings.warn("ssl NPN is deprecated, use ALPN instead", DeprecationWarning, stacklevel=2)

    def selected_alpn_protocol(self) -> str | None:
        """The application protocol that both sides agreed on ("h2"), or None. Since 0.1. Source: RFC 7301."""
        sslobj = self._sslobj
        return None if sslobj is None else sslobj.selected_alpn_protocol()

    def cipher(self) -> tuple[str, str, int] | None:
        """Cipher suite, protocol version that defined it, and secret bits; None before the handshake. Since 0.1."""
        sslobj = self._sslobj
        return None if sslobj is None else sslobj.cipher()

    def group(self) -> str | None:
        """The group of the key exchange ("x25519"), or None. Since 0.1. Source: RFC 8446, section 4.2.7."""
        sslobj = self._sslobj
        return None if sslobj is None else sslobj.group()

    def client_sigalg(self) -> str | None:
        """The algorithm that the client signed with ("ed25519"), or None if it sent no certificate.

        Raises NotImplementedError on an OpenSSL older than 3.5. Since 0.1. Source: RFC 8446, section 4.2.3.
        """
        sslobj = self._sslobj
        return None if sslobj is None else sslobj.client_sigalg()

    def server_sigalg(self) -> str | None:
        """The algorithm that the server signed with ("rsa_pss_rsae_sha256"), or None if it sent no certificate.

        Raises NotImplementedError on an OpenSSL older than 3.5. Since 0.1. Source: RFC 8446, section 4.2.3.
        """
        sslobj = self._sslobj
        return None if sslobj is None else sslobj.server_sigalg()

    def shared_ciphers(self) -> list[tuple[str, str, int]] | None:
        """On a server, the cipher suites that the client offered and we support; None on a client. Since 0.1."""
        sslobj = self._sslobj
        return None if sslobj is None else sslobj.shared_ciphers()

    def compression(self) -> str | None:
        """The TLS compression in use, or None; TLS 1.3 has none. Since 0.1. Source: RFC 3749."""
        sslobj = self._sslobj
        return None if sslobj is None else sslobj.compression()

    def pending(self) -> int:
        """How many decrypted bytes can be read without touching the transport. Since 0.1.

        OpenSSL: SSL_pending(3)
        """
        sslobj = self._sslobj
        return 0 if sslobj is None else sslobj.pending()

    def has_pending(self) -> bool:
        """Whether something was received that is not read yet, decrypted or not, of which select() may know nothing.

        While it is true, do not wait for the descriptor: read. It may be a part of a record, and the read then raises
        SSLWantReadError, or waits for the rest. Without SSLContext.read_ahead, pending() says the same. Since 0.1.
        Source: an addition to `ssl`; SSL_has_pending(3), which counts what a read has already looked at, too.
        """
        sslobj = self._sslobj
        return False if sslobj is None else sslobj.has_pending()

    def version(self) -> str | None:
        """The protocol version in use ("TLSv1.3"), or None before the handshake. Since 0.1."""
        sslobj = self._sslobj
        return None if sslobj is None else sslobj.version()

    def connection_info(self) -> ConnectionInfo:
        """What was agreed on, and what has been moved so far, in one immutable object.

        Raises ValueError without a TLS connection. Since 0.1. Source: an addition to `ssl`.
        """
        from wiretight._tls.information import information_of  # which imports dataclasses

        if (sslobj := self._sslobj) is None:
            raise ValueError(f"No SSL wrapper around {self}")
        return information_of(sslobj)

    @property
    def truncated(self) -> bool | None:
        """Whether the data ended without the peer's close_notify, maybe cut by an attacker. None without a connection.

        It ends so with the TCP connection, a reset, a fatal alert of either end, and a record that is broken or forged.
        With suppress_ragged_eofs, the default, recv() returns b"" at the end of TCP as it does at a proper end, and,
        as in `ssl`, maybe after one of those errors: a protocol in which the end of the connection ends a message must
        check this. Since 0.1.
        Source: RFC 8446, section 6.1; an addition to `ssl`.
        """
        sslobj = self._sslobj
        return None if sslobj is None else sslobj.truncated

    def get_channel_binding(self, cb_type: str = "tls-unique") -> bytes | None:
        """The bytes that bind an authentication to this connection, or None before the handshake is done.

        `cb_type` is one of CHANNEL_BINDING_TYPES: "tls-exporter" (RFC 9266), "tls-server-end-point" (a digest of the
        server's certificate) or "tls-unique" (RFC 5929). As in `ssl`, "tls-unique" works on TLS 1.3 too, where RFC 8446
        (appendix C.5) does not define it: use "tls-exporter" there.

        Raises ValueError for any other type, and where this connection has none of it: "tls-exporter" on TLS 1.2
        without the extended master secret or with renegotiation (OP_NO_RENEGOTIATION); "tls-server-end-point" where the
        certificate's signature names no hash function, none was shown, or on the server of a resumed session.
        Since 0.1. Source: RFC 5929; RFC 9266.
        """
        if (sslobj := self._sslobj) is not None:
            return sslobj.get_channel_binding(cb_type)
        if cb_type not in CHANNEL_BINDING_TYPES:
            raise ValueError(f"{cb_type} channel binding type not implemented")
        return None

    def export_keying_material(
        self, label: str, length: int, context: Buffer | None = None, *, early: bool = False
    ) -> bytes:
        """`length` bytes of a secret that both ends of this connection, and nobody else, derive from its handshake.

        `label` says for what: 1 to 249 ASCII characters, registered by IANA or beginning with "EXPERIMENTAL".
        `context`, at most 65535 bytes (on TLS 1.2 OpenSSL 3.0 takes no more than 700), is hashed into the secret; TLS
        1.2 distinguishes an empty one from None. `length` is 1 to 8160. With `early` it is the secret of early data,
        which an attacker may have replayed.

        Raises ValueError for other arguments, before the handshake is done and without a connection, on TLS 1.2 without
        the extended master secret (RFC 7627), and with `early` where no early data was sent and accepted. Since 0.1.
        Source: RFC 5705; RFC 8446, section 7.5; an addition to `ssl`.
        OpenSSL: SSL_export_keying_material(3)
        """
        if (sslobj := self._sslobj) is None:
            raise ValueError(f"No SSL wrapper around {self}")
        return export_keying_material(sslobj, label, length, context, early=early)

    def peer_ca_names(self) -> list[bytes]:
        """The CAs that the peer has said it trusts, each the DER of a distinguished name; [] if it has named none.

        On a client, those of a server that has asked for a certificate. On a server of TLS 1.3, those of a client that
        names some. Since 0.1. Source: RFC 8446, section 4.2.4; an addition to `ssl`.
        """
        return self._connection().peer_ca_names()

    def verify_client_post_handshake(self) -> None:
        """Requests a TLS 1.3 client's certificate; the request is sent with the next write.

        Raises SSLError on a client, on TLS 1.2, or if the client did not offer it (SSLContext.post_handshake_auth);
        ValueError without a connection. Since 0.1. Source: RFC 8446, section 4.6.2.
        """
        sslobj = self._sslobj
        if sslobj is None:
            raise ValueError(f"No SSL wrapper around {self}")
        sslobj.verify_client_post_handshake()
