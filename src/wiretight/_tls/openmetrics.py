"""OpenMetrics: the metrics of contexts as the text that Prometheus and its kin scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from wiretight._core.sslcontext import _SSLContext

if TYPE_CHECKING:
    from wiretight._tls.context import SSLContext
    from wiretight._tls.handshakes import HandshakeFailure
    from wiretight._tls.metrics import Metrics

CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

Sample = tuple[str, dict[str, str], float]  # the suffix of its name, its labels, its value
Samples = Callable[["Metrics"], Iterable[Sample]]


def openmetrics(contexts: Mapping[str, SSLContext]) -> str:
    """The metrics of `contexts` in the OpenMetrics format, each with its name in the label `context`.

    Answer a scrape with it, as the content type `application/openmetrics-text; version=1.0.0; charset=utf-8`. A context
    that is given twice, or under a name that changes, makes wrong sums. Raises TypeError for what is no mapping of
    strings to SSLContext. Since 0.1.
    Source: https://prometheus.io/docs/specs/om/open_metrics_spec/
    """
    metrics = [(name, _metrics_of(name, context)) for name, context in _items(contexts)]
    lines: list[str] = []
    for family, kind, unit, text, samples in _FAMILIES:
        lines.append(f"# TYPE {family} {kind}")
        if unit:
            lines.append(f"# UNIT {family} {unit}")
        lines.append(f"# HELP {family} {text}")
        for name, each in metrics:
            lines += [_line(family + suffix, {"context": name, **labels}, n) for suffix, labels, n in samples(each)]
    return "\n".join([*lines, "# EOF", ""])


def _items(contexts: Any) -> Iterable[tuple[Any, Any]]:
    if not isinstance(contexts, Mapping):
        raise TypeError(f"openmetrics() needs a mapping of names to contexts, not {type(contexts).__name__}")
    return contexts.items()


def _metrics_of(name: Any, context: Any) -> Metrics:
    if not isinstance(name, str):
        raise TypeError(f"the name of a context must be a string, not {type(name).__name__}")
    if _SSLContext not in type(context).__mro__:
        raise TypeError(f"{name!r} must be an SSLContext of wiretight, not {type(context).__name__}")
    metrics: Metrics = context.metrics()
    return metrics


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    shown = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
    return f"{name}{{{shown}}} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


# --- The families -----------------------------------------------------------------------------------------------------


def _counter(value: Callable[[Metrics], int]) -> Samples:
    return lambda metrics: [("_total", {}, value(metrics))]


def _counters(label: str, values: Callable[[Metrics], Mapping[str, int]]) -> Samples:
    return lambda metrics: [("_total", {label: key}, count) for key, count in values(metrics).items()]


def _failures(values: Callable[[Metrics], Mapping[HandshakeFailure, int]]) -> Samples:
    return lambda metrics: [("_total", _labels(failure), count) for failure, count in values(metrics).items()]


def _labels(failure: HandshakeFailure) -> dict[str, str]:
    """A label without a value is as none (OpenMetrics, section 4.6)."""
    alert = failure.alert_name or ("unregistered" if failure.alert_sender else "")
    code = "" if failure.verify_code is None else failure.verify_code.name
    return {"reason": failure.reason, "alert": alert, "alert_sender": failure.alert_sender or "", "verify_code": code}


def _gauge(value: Callable[[Metrics], float | None]) -> Samples:
    def samples(metrics: Metrics) -> Iterator[Sample]:
        found = value(metrics)
        if found is not None:
            yield "", {}, found

    return samples


def _histogram(metrics: Metrics) -> Iterator[Sample]:
    for limit, count in metrics.handshake_buckets:
        yield "_bucket", {"le": "+Inf" if limit == float("inf") else repr(limit)}, count
    yield "_count", {}, metrics.handshake_buckets[-1][1]
    yield "_sum", {}, metrics.handshake_seconds


def _moved(what: str) -> Samples:
    return lambda metrics: [
        ("_total", {"direction": direction}, getattr(metrics, f"{what}_{direction}")) for direction in ("in", "out")
    ]


_FAMILIES: tuple[tuple[str, str, str, str, Samples], ...] = (
    ("wiretight_handshakes_started", "counter", "", "Handshakes that have begun.",
     _counter(lambda metrics: metrics.handshakes_started)),
    ("wiretight_handshakes_done", "counter", "", "Handshakes that have succeeded.",
     _counter(lambda metrics: metrics.handshakes_done)),
    ("wiretight_handshakes_failed", "counter", "", "Handshakes that have failed, by what was wrong.",
     _failures(lambda metrics: metrics.handshakes_failed)),
    ("wiretight_handshakes_open", "gauge", "", "Handshakes that are going on.",
     _gauge(lambda metrics: metrics.handshakes_open)),
    ("wiretight_handshake_seconds", "histogram", "seconds", "How long the successful handshakes took.",
     _histogram),
    ("wiretight_resumptions", "counter", "", "Successful handshakes: whether a session was resumed, or why not.",
     _counters("outcome", lambda metrics: metrics.resumptions)),
    ("wiretight_versions", "counter", "", "Successful handshakes by version.",
     _counters("version", lambda metrics: metrics.versions)),
    ("wiretight_ciphers", "counter", "", "Successful handshakes by cipher suite.",
     _counters("cipher", lambda metrics: metrics.ciphers)),
    ("wiretight_groups", "counter", "", "Successful handshakes by group of the key exchange.",
     _counters("group", lambda metrics: metrics.groups)),
    ("wiretight_tickets_sent", "counter", "", "Session tickets sent.",
     _counter(lambda metrics: metrics.tickets_sent)),
    ("wiretight_connections_open", "gauge", "", "Connections that are open.",
     _gauge(lambda metrics: metrics.connections_open)),
    ("wiretight_connections_closed", "counter", "", "Connections that have ended without an alert, by how.",
     _counters("ending", lambda metrics: metrics.connections_closed)),
    ("wiretight_connections_failed", "counter", "", "Connections that an alert of either end has ended.",
     _failures(lambda metrics: metrics.connections_failed)),
    ("wiretight_transferred_bytes", "counter", "bytes", "Bytes on the wire, TLS's own included.",
     _moved("bytes")),
    ("wiretight_transferred_records", "counter", "records", "TLS records on the wire.",
     _moved("records")),
    ("wiretight_certificate_expiry_timestamp_seconds", "gauge", "seconds", "When the first certificate ends.",
     _gauge(lambda metrics: metrics.certificate_expires)),
    ("wiretight_crl_expiry_timestamp_seconds", "gauge", "seconds", "When the first issuer has no useful CRL any more.",
     _gauge(lambda metrics: metrics.crls_expire)),
    ("wiretight_ticket_key_expiry_timestamp_seconds", "gauge", "seconds", "When no ticket key may encrypt any more.",
     _gauge(lambda metrics: metrics.ticket_keys_expire)),
)  # fmt: skip
