"""CommandError, one sentence for the user; and the sentences for the errors of a connection."""

import socket
from typing import TYPE_CHECKING

import wiretight as ssl

if TYPE_CHECKING:
    from wiretight._install.installation import Installation


class CommandError(Exception):
    """What went wrong and what to do about it, in one sentence without a full stop."""


class UsageError(CommandError):
    """The arguments make no sense, whatever the files and servers are that they name."""


class Terminated(SystemExit):
    """SIGTERM or SIGHUP has come; it goes the way of any exit."""


def installed() -> "Installation":
    """What install() did; CommandError where it refuses."""
    try:
        return ssl.install()
    except RuntimeError as refusal:
        raise CommandError(str(refusal)) from refusal


PLAIN_HTTP = "sent plain HTTP where TLS was expected"

_NOT_TLS = "does not speak TLS on this port: it answered with something else, for example plain HTTP"
_NO_COMMON_VERSION = "shares no TLS version with us (see --tls)"
_NO_HANDSHAKE = "refused the handshake: no cipher suite or group in common, or it demands a client certificate"

# What the peer has told us, by its alert.
_ALERTS = {
    ssl.ALERT_DESCRIPTION_PROTOCOL_VERSION: _NO_COMMON_VERSION,
    ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE: _NO_HANDSHAKE,
    ssl.ALERT_DESCRIPTION_INSUFFICIENT_SECURITY: _NO_HANDSHAKE,
    ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME: "knows no server of that name (see --servername)",
    ssl.ALERT_DESCRIPTION_NO_APPLICATION_PROTOCOL: "accepts none of the ALPN protocols offered (see --alpn)",
    ssl.ALERT_DESCRIPTION_CERTIFICATE_REQUIRED: "demands a client certificate",
    ssl.ALERT_DESCRIPTION_UNKNOWN_CA: "does not trust the certificate that it was shown",
    ssl.ALERT_DESCRIPTION_BAD_CERTIFICATE: "refused the certificate that it was shown, or was shown none",
    ssl.ALERT_DESCRIPTION_CERTIFICATE_UNKNOWN: "refused the certificate that it was shown",
}

# What we have found, by OpenSSL's mnemonic in SSLError.reason. A plaintext response can cause several, depending on its
# first bytes.
_SENTENCES = {
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": _NOT_TLS,
    "RECORD_LAYER_FAILURE": _NOT_TLS,
    "HTTP_REQUEST": PLAIN_HTTP,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "showed no certificate",
    "UNKNOWN_PROTOCOL": _NOT_TLS,
    "UNSUPPORTED_PROTOCOL": _NO_COMMON_VERSION,
    "NO_PROTOCOLS_AVAILABLE": "no TLS version is left after --tls and the system's OpenSSL configuration",
}


def connection_failure(error: Exception, peer: str, timeout: float | None = None) -> CommandError:
    """The sentence for an error while connecting to `peer` (its address or name) or on the connection."""
    return CommandError(f"{peer} {what_happened(error, timeout)}")


def what_happened(error: Exception, timeout: float | None = None) -> str:
    """The same without its subject: "refused the connection …"."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"could not be verified: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError):
        return "closed the connection in the middle of TLS"
    if isinstance(error, ssl.SSLError):
        alert, reason = getattr(error, "alert", None), getattr(error, "reason", None)
        told = None if alert is None or error.alert_sent else _ALERTS.get(alert)
        return told or _SENTENCES.get(reason or "") or f"failed in TLS: {reason or error}"
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return "is an unknown host: check the spelling and the network"
    if isinstance(error, TimeoutError):
        return "did not answer in time" if timeout is None else f"did not answer within {timeout:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "refused the connection: nothing listens there"
    if isinstance(error, (ConnectionResetError, BrokenPipeError)):
        if isinstance(error.__cause__, ssl.SSLError):  # the peer's alert
            return what_happened(error.__cause__)
        return "closed the connection abruptly"
    return f"cannot be reached: {getattr(error, 'strerror', None) or error}"
