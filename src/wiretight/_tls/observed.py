"""What an operator sees of a context: its metrics, and each handshake."""

from __future__ import annotations

from wiretight._core.callbacks import handshakes
from wiretight._core.connection.telling import make_events_with
from wiretight._standard.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from wiretight._tls.handshakes import HandshakeEvent
    from wiretight._tls.metrics import Metrics

_handshakes: Any = handshakes  # its functions take a context, which a mixin is not


def set_handshake_callback(context: Any, callback: Callable[[Any, HandshakeEvent], object] | None) -> None:
    """Sets it, and has it get events. Since 0.1."""
    from wiretight._tls.handshakes import event_of  # which imports dataclasses

    make_events_with(event_of)
    _handshakes.set_handshake_callback(context, callback)


def import_for_operators() -> None:
    """Imports what is asked of a running server, maybe first when no descriptor is left to read a module with.

    Whoever makes a context that may serve calls it: ARCHITECTURE.md, "What is imported when". Since 0.1.
    """
    import datetime as dt  # noqa: F401  of certificates

    from wiretight._tls import information, metrics, openmetrics  # noqa: F401


class Observed:
    """The part of SSLContext that tells what its connections do."""

    __slots__ = ()

    def metrics(self) -> Metrics:
        """What the connections of this context have done so far, in one immutable object. Since 0.1.

        A connection counts in the context that it was made with, also after an `sni_callback` has chosen another one.
        A copy() begins at 0. Source: an addition to `ssl`.
        """
        from wiretight._tls.metrics import metrics_of

        return metrics_of(self)

    @property
    def handshake_callback(self) -> Callable[[Any, HandshakeEvent], object] | None:
        """Called after each handshake, good or bad, with (connection, HandshakeEvent); or None.

        It runs once the call that ended the handshake is over, before that returns or raises, and may do anything with
        the connection. A handshake that the program gives up, also after a timeout, is over with close(). On a server,
        it is the callback of the context that `sni_callback` has chosen. An SSLObject or a socket that is dropped amid
        its handshake, without close(), is counted in metrics(), and not told.

        What it raises goes to sys.unraisablehook: the handshake is over, and the call has a result. KeyboardInterrupt,
        SystemExit and whatever else is no Exception come out of the call, which has done its work: close() has closed,
        and what a read has got is for the next one. A call that has sent data returns all the same, because a program
        that handles them would send it again: they come out of the next call, or of close().

        Setting it raises TypeError if it is not callable, or a coroutine function. Since 0.1. Source: an addition to
        `ssl`.
        """
        callback: Callable[[Any, HandshakeEvent], object] | None = _handshakes.handshake_callback(self)
        return callback

    @handshake_callback.setter
    def handshake_callback(self, callback: Callable[[Any, HandshakeEvent], object] | None) -> None:
        set_handshake_callback(self, callback)
