"""HandshakeEvent: one handshake that is over, and HandshakeFailure: in which way it has failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wiretight._core.connection.outcomes import unpacked
from wiretight._tls.constants import AlertDescription, NewerAlert
from wiretight._tls.verifycodes import VerifyCode

_ALERTS: dict[int, AlertDescription | NewerAlert] = {
    **{int(alert): alert for alert in AlertDescription},
    **{int(alert): alert for alert in NewerAlert},
}
_VERIFY_CODES = {int(code): code for code in VerifyCode}


@dataclass(frozen=True)
class HandshakeFailure:
    """In which way a handshake has failed, or a connection after it. Equal failures are counted together.

    No part of it is of the peer's making: names are from RFC 8446 and OpenSSL, and unregistered alerts are None.
    Since 0.1.
    """

    reason: str  # "certificate", "timeout": see docs/metrics.md
    alert: AlertDescription | NewerAlert | None  # with which one end told the other
    alert_sender: str | None  # "we" or "peer"
    verify_code: VerifyCode | None  # what was wrong with the peer's certificate

    @property
    def error_type(self) -> str:
        """The most telling part, for OpenTelemetry's error.type: "CERT_HAS_EXPIRED", "unknown_ca", "timeout".

        Since 0.1. Source: OpenTelemetry's semantic conventions.
        """
        if self.verify_code is not None:
            return self.verify_code.name
        return self.alert_name or self.reason

    @property
    def alert_name(self) -> str | None:
        """As in RFC 8446, section 6: "handshake_failure". Since 0.1."""
        return None if self.alert is None else self.alert.name.removeprefix("ALERT_DESCRIPTION_").lower()


@dataclass(frozen=True)
class HandshakeEvent:
    """One handshake that is over, well or badly. What was not agreed on is None.

    Since 0.1.
    """

    server_side: bool
    failure: HandshakeFailure | None  # None: it is done
    seconds: float  # since the first step of ours, also those in which we waited for the peer
    version: str | None  # "TLSv1.3"
    cipher: str | None  # as IANA names it: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
    group: str | None  # of the key exchange: "x25519"
    alpn_protocol: str | None  # "h2"
    session_reused: bool

    def attributes(self) -> dict[str, str | bool]:
        """What is known of it, by OpenTelemetry's names: for a span, a log record, or an instrument.

        Since 0.1. Source: https://opentelemetry.io/docs/specs/semconv/registry/attributes/tls/
        """
        found: dict[str, str | bool | None] = {
            "tls.protocol.name": "tls",
            "tls.protocol.version": self.version and self.version.removeprefix("TLSv"),
            "tls.cipher": self.cipher,
            "tls.curve": self.group,
            "tls.next_protocol": self.alpn_protocol,
            "tls.resumed": self.session_reused,
            "tls.established": self.failure is None,
            "error.type": None if self.failure is None else self.failure.error_type,
        }
        return {name: value for name, value in found.items() if value is not None}


def failure_of(outcome: int) -> HandshakeFailure:
    """The failure that the core counts under this number. Since 0.1."""
    reason, alert, sender, code = unpacked(outcome)
    return HandshakeFailure(
        reason,
        None if alert is None else _ALERTS.get(alert),
        sender,
        _VERIFY_CODES.get(code, VerifyCode.UNSPECIFIED) if code else None,
    )


def event_of(connection: Any, outcome: int, nanoseconds: int, cipher: str | None) -> HandshakeEvent:
    """The event of a native connection. Since 0.1."""
    return HandshakeEvent(
        server_side=connection.server_side,
        failure=failure_of(outcome) if outcome else None,
        seconds=nanoseconds / 1e9,
        version=connection.version(),
        cipher=cipher,
        group=connection.group(),
        alpn_protocol=connection.selected_alpn_protocol(),
        session_reused=connection.session_reused,
    )
