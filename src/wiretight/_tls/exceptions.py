"""What the exceptions tell beyond those of `ssl`, for type checkers.

They are the standard library's own classes, and must stay as they are: the instances have more. So a checker is told of
subclasses, and a running program finds those of `_standard/errors.py`.
"""

from __future__ import annotations

from wiretight._standard.typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl as standard

    from wiretight._core.trust.verification import VerifyError
    from wiretight._core.x509.certificate import Certificate

    class SSLError(standard.SSLError):
        """TLS failed. `alert` is the fatal alert with which one end told the other, and `alert_sent` whether we did.

        Since 0.1. Source: `ssl.SSLError`, RFC 8446, section 6.
        """

        alert: standard.AlertDescription | int | None
        alert_sent: bool

    class SSLZeroReturnError(SSLError, standard.SSLZeroReturnError):
        """The peer has closed the connection with close_notify. Since 0.1. Source: `ssl.SSLZeroReturnError`."""

    class SSLWantReadError(SSLError, standard.SSLWantReadError):
        """Call again when the transport can be read. Since 0.1. Source: `ssl.SSLWantReadError`."""

    class SSLWantWriteError(SSLError, standard.SSLWantWriteError):
        """Call again when the transport can be written. Since 0.1. Source: `ssl.SSLWantWriteError`."""

    class SSLSyscallError(SSLError, standard.SSLSyscallError):
        """A system call failed. Since 0.1. Source: `ssl.SSLSyscallError`."""

    class SSLEOFError(SSLError, standard.SSLEOFError):
        """The stream ended without close_notify. Since 0.1. Source: `ssl.SSLEOFError`."""

    class SSLWantCallbackError(SSLError):
        """A callback has answered PENDING: call again when it can decide. Since 0.1.

        Its errno is OpenSSL's: 11 for `client_hello_callback`, 4 for `client_credential_callback`. It is no want to
        read or write, so that whoever does not know it gives the connection up. OpenSSL: SSL_get_error(3)
        """

    class SSLCertVerificationError(SSLError, standard.SSLCertVerificationError):
        """The peer's certificate was rejected; with what it sent, and all that was wrong with it.

        Since 0.1. Source: `ssl.SSLCertVerificationError`.
        """

        peer_chain: list[Certificate]
        verify_errors: tuple[VerifyError, ...]

    CertificateError = SSLCertVerificationError
else:
    from wiretight._standard.errors import (
        CertificateError,
        SSLCertVerificationError,
        SSLEOFError,
        SSLError,
        SSLSyscallError,
        SSLWantCallbackError,
        SSLWantReadError,
        SSLWantWriteError,
        SSLZeroReturnError,
    )

__all__ = [
    "CertificateError",
    "SSLCertVerificationError",
    "SSLEOFError",
    "SSLError",
    "SSLSyscallError",
    "SSLWantCallbackError",
    "SSLWantReadError",
    "SSLWantWriteError",
    "SSLZeroReturnError",
]
