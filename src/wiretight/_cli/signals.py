"""signals: Ctrl-C and SIGTERM end a command as exceptions, so that its temporary files and servers are cleaned up."""

import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from wiretight._cli.errors import Terminated

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

INTERRUPTED = 130  # what a shell reports for a program ended by SIGINT
TERMINATED = 143  # … by SIGTERM

_AGAIN = 0.01  # seconds: it may be swallowed any number of times, so not at once


def end_by_exception() -> None:
    """From now on, SIGTERM raises `Terminated`, and neither it nor `KeyboardInterrupt` gets lost.

    A signal's handler runs between any two instructions of the main thread. Where these are a destructor's or a weak
    reference's callback, as any import has them, the interpreter prints the exception and goes on.
    """
    signal.signal(signal.SIGTERM, _terminated)
    others = sys.unraisablehook

    def hook(lost: "UnraisableHookArgs") -> None:
        if isinstance(lost.exc_value, Terminated):
            _repeat(_terminated)
        elif isinstance(lost.exc_value, KeyboardInterrupt):
            _repeat(signal.default_int_handler)
        else:
            others(lost)

    sys.unraisablehook = hook


def _repeat(handler: "signal._HANDLER") -> None:
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN)


def _terminated(_signal_number: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated(TERMINATED)
