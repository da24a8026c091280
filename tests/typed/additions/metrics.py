"""What an operator sees: counts and events."""

from collections.abc import Mapping

from typing_extensions import assert_type

import wiretight
from wiretight import HandshakeEvent, HandshakeFailure, Metrics, SSLContext


def counts(context: SSLContext) -> float:
    metrics = context.metrics()
    assert_type(metrics, Metrics)
    assert_type(metrics.handshakes_failed, Mapping[HandshakeFailure, int])
    assert_type(metrics.connections_open, int)
    assert_type(metrics.certificate_expires, float | None)
    assert_type(wiretight.openmetrics({"web": context}), str)
    return metrics.handshake_seconds


def tell(connection: object, event: HandshakeEvent) -> None:
    assert_type(event.failure, HandshakeFailure | None)
    assert_type(event.attributes(), dict[str, str | bool])


def listen(context: SSLContext) -> None:
    context.handshake_callback = tell
