"""The exceptions, and the one place that imports the standard library's `ssl`.

An existing `except ssl.SSLError` must catch wiretight's exceptions, and the other way round: so these are the standard
library's own classes. A Python that was built without `_ssl` gets equivalent ones.
"""

from __future__ import annotations

from wiretight._standard.typing import TYPE_CHECKING

try:
    import ssl as standard
except ImportError:
    standard = None  # type: ignore[assignment]

if getattr(standard, "__name__", None) == "wiretight":  # the program has removed it from sys.modules
    raise ImportError(
        "wiretight cannot be imported anew while it is installed as ssl: put its modules back into sys.modules, and "
        "call wiretight.uninstall() before you remove them"
    )

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
        """TLS failed; `library` and `reason` are OpenSSL's mnemonics, or None. Since 0.1.

        `alert` is the fatal alert with which one end told the other, or None; `alert_sent`: whether it was ours.
        """

        library: str | None
        reason: str | None
        alert: int | None
        alert_sent: bool

        def __str__(self) -> str:
            return self.strerror if isinstance(self.strerror, str) else str(self.args)

    class SSLZeroReturnError(SSLError):
        """The connection was closed cleanly, by close_notify. Since 0.1."""

    class SSLWantReadError(SSLError):
        """Call again when the transport is readable. Since 0.1."""

    class SSLWantWriteError(SSLError):
        """Call again when the transport is writable. Since 0.1."""

    class SSLSyscallError(SSLError):
        """A system call failed. Since 0.1."""

    class SSLEOFError(SSLError):
        """The peer's stream ended without close_notify: the data may be truncated. Since 0.1."""

    class SSLCertVerificationError(SSLError, ValueError):
        """The peer's certificate was rejected: `verify_code` is OpenSSL's X509_V_ERR_*, `verify_message` the reason.

        Since 0.1.
        """

        verify_code: int
        verify_message: str


class SSLWantCallbackError(SSLError):
    """A callback has answered PENDING: call again when it can decide. Since 0.1.

    Its errno is OpenSSL's: 11 for `client_hello_callback`, 4 for `client_credential_callback`. It is no want to read or
    write, so that whoever does not know it gives the connection up. OpenSSL: SSL_get_error(3)
    """

    __module__ = "wiretight"


CertificateError = SSLCertVerificationError
socket_error = OSError

__all__ = [
    "HAS_STANDARD",
    "CertificateError",
    "SSLCertVerificationError",
    "SSLEOFError",
    "SSLError",
    "SSLSyscallError",
    "SSLWantCallbackError",
    "SSLWantReadError",
    "SSLWantWriteError",
    "SSLZeroReturnError",
    "socket_error",
    "standard",
]
