"""The exceptions, and the one place that imports the standard library's `ssl`.

An `except ssl.SSLError` written long before wiretight must catch what wiretight raises, and the other way round: so
these are the standard library's own objects. A Python that was built without `_ssl` gets classes of the same shape.
"""

from __future__ import annotations

from wiretight._standard.typing import TYPE_CHECKING

try:
    import ssl as standard
except ImportError:
    standard = None  # type: ignore[assignment]

HAS_STANDARD: bool = standard is not None

if TYPE_CHECKING or HAS_STANDARD:
    SSLError = standard.SSLError
    SSLZeroReturnError = standard.SSLZeroReturnError
    SSLWantReadError = standard.SSLWantReadError
    SSLWantWriteError = standard.SSLWantWriteError
    SSLSyscallError = standard.SSLSyscallError
    SSLEOFError = standard.SSLEOFError
    SSLCertVerificationError = standard.SSLCertVerificationError
else:

    class SSLError(OSError):
        """TLS failed; `library` and `reason` name OpenSSL's mnemonics where it gave them. Since 0.1."""

        library: str | None
        reason: str | None

        def __str__(self) -> str:
            return self.strerror if isinstance(self.strerror, str) else str(self.args)

    class SSLZeroReturnError(SSLError):
        """The connection was closed cleanly, by close_notify. Since 0.1."""

    class SSLWantReadError(SSLError):
        """Call again when the transport has something to read. Since 0.1."""

    class SSLWantWriteError(SSLError):
        """Call again when the transport takes bytes. Since 0.1."""

    class SSLSyscallError(SSLError):
        """The system refused an operation. Since 0.1."""

    class SSLEOFError(SSLError):
        """The peer's stream ended without close_notify: what came may be cut short. Since 0.1."""

    class SSLCertVerificationError(SSLError, ValueError):
        """The peer's certificate was refused: `verify_code` is OpenSSL's X509_V_ERR_*, `verify_message` says why.

        Since 0.1.
        """

        verify_code: int
        verify_message: str


CertificateError = SSLCertVerificationError
socket_error = OSError

__all__ = [
    "HAS_STANDARD",
    "CertificateError",
    "SSLCertVerificationError",
    "SSLEOFError",
    "SSLError",
    "SSLSyscallError",
    "SSLWantReadError",
    "SSLWantWriteError",
    "SSLZeroReturnError",
    "socket_error",
    "standard",
]
