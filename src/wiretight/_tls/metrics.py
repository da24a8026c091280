"""Metrics: what the connections of a context have done, in numbers that never decrease."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from wiretight._core.connection.metrics import numbers_of
from wiretight._core.connection.outcomes import RESUMPTIONS, unpacked
from wiretight._core.trust.crldates import crls_expire
from wiretight._tls.constants import TLSVersion
from wiretight._tls.handshakes import HandshakeFailure, failure_of

_numbers_of: Any = numbers_of  # which takes a native context, as the next one
_crls_expire: Any = crls_expire
_ENDINGS = ("closed_by_peer", "closed", "truncated")


@dataclass(frozen=True)
class Metrics:
    """The metrics of one context at one moment: those of all connections that were made with it.

    Each handshake that was started is, at the end, in exactly one of `handshakes_done` and `handshakes_failed`; each
    that was done, in exactly one of `connections_closed` and `connections_failed`. Nothing in it can be chosen by a
    peer. Since 0.1.
    """

    handshakes_started: int
    handshakes_done: int
    handshakes_failed: Mapping[HandshakeFailure, int]
    handshake_seconds: float  # of those that are done, in all
    handshake_buckets: tuple[tuple[float, int], ...]  # how many took at most so many seconds; the last is infinity
    resumptions: Mapping[str, int]  # "resumed", or why not: "not_offered", "refused", "unknown_key", "expired"
    versions: Mapping[str, int]  # "TLSv1.3"
    ciphers: Mapping[str, int]  # "TLS_AES_256_GCM_SHA384"
    groups: Mapping[str, int]  # "x25519"
    connections_closed: Mapping[str, int]  # "closed_by_peer", "closed" (by us, first), "truncated": no close_notify
    connections_failed: Mapping[HandshakeFailure, int]  # after the handshake, by an alert of either end
    tickets_sent: int
    bytes_in: int
    bytes_out: int
    records_in: int
    records_out: int
    certificate_expires: float | None  # the first of those that are sent, in seconds since 1970
    crls_expire: float | None  # likewise: when the first issuer has no list any more that is of use
    ticket_keys_expire: float | None  # when none of the ring may encrypt any more, if no other is made; None: never

    @property
    def handshakes_open(self) -> int:
        """Those that have been started and are not over. Since 0.1."""
        return max(0, self.handshakes_started - self.handshakes_done - sum(self.handshakes_failed.values()))

    @property
    def connections_open(self) -> int:
        """Those whose handshake is done and that have not been closed or dropped. Since 0.1."""
        ended = sum(self.connections_closed.values()) + sum(self.connections_failed.values())
        return max(0, self.handshakes_done - ended)


def metrics_of(context: Any) -> Metrics:
    """Those of `context` now. Since 0.1."""
    numbers = _numbers_of(context)
    closed, failed = _closed_and_failed(numbers["endings"])
    return Metrics(
        handshakes_started=numbers["started"],
        handshakes_done=numbers["done"],
        handshakes_failed=_failures(numbers["failures"], numbers["other_failures"]),
        handshake_seconds=numbers["nanoseconds"] / 1e9,
        handshake_buckets=_cumulated(numbers["durations"]),
        resumptions=_by_name(RESUMPTIONS, {RESUMPTIONS[kind]: n for kind, n in numbers["resumptions"].items()}),
        versions=MappingProxyType({_version(number): n for number, n in numbers["versions"].items()}),
        ciphers=MappingProxyType(numbers["ciphers"]),
        groups=MappingProxyType(numbers["groups"]),
        connections_closed=_by_name(_ENDINGS, closed),
        connections_failed=_failures(failed, numbers["other_endings"]),
        tickets_sent=numbers["tickets_sent"],
        bytes_in=numbers["bytes_in"],
        bytes_out=numbers["bytes_out"],
        records_in=numbers["records_in"],
        records_out=numbers["records_out"],
        certificate_expires=_certificates_expire(context),
        crls_expire=_crls_expire(context),
        ticket_keys_expire=None if context.ticket_keys is None else context.ticket_keys._ends(),
    )


def _closed_and_failed(endings: Mapping[int, int]) -> tuple[dict[str, int], dict[int, int]]:
    closed: dict[str, int] = {}
    failed: dict[int, int] = {}
    for outcome, count in endings.items():
        name = unpacked(outcome)[0]
        if name in _ENDINGS:
            closed[name] = count
        else:
            failed[outcome] = count
    return closed, failed


def _failures(counts: Mapping[int, int], others: int) -> Mapping[HandshakeFailure, int]:
    failures: dict[HandshakeFailure, int] = {}
    for outcome, count in counts.items():
        failure = failure_of(outcome)  # the same for all alerts that have no name
        failures[failure] = failures.get(failure, 0) + count
    if others:
        failures[HandshakeFailure("unknown", None, None, None)] = others
    return MappingProxyType(failures)


def _by_name(names: tuple[str, ...], counts: Mapping[str, int]) -> Mapping[str, int]:
    """All of them, so that a sum or a rate has no gaps."""
    return MappingProxyType({name: counts.get(name, 0) for name in names})


def _cumulated(durations: list[tuple[int, int]]) -> tuple[tuple[float, int], ...]:
    total = 0
    buckets = []
    for limit, count in durations[:-1]:
        total += count
        buckets.append((limit / 1e9, total))
    return (*buckets, (float("inf"), total + durations[-1][1]))


def _version(number: int) -> str:
    try:
        return TLSVersion(number).name.replace("_", ".")
    except ValueError:
        return f"0x{number:04x}"


def _certificates_expire(context: Any) -> float | None:
    """Also those of the authorities that are sent with them: a peer needs the whole chain."""
    return min((each.not_after.timestamp() for own in context.credentials for each in own.certificates), default=None)
