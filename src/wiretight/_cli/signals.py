"""signals: Ctrl-C, SIGTERM and SIGHUP end a command as exceptions, so that its files and servers are cleaned up."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from wiretight._cli.errors import Terminated

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

INTERRUPTED = 130  # what a shell reports for a program ended by SIGINT
ENDING = (signal.SIGTERM, signal.SIGHUP)

_AGAIN = 0.01  # seconds: it may be swallowed any number of times, so not at once


@contextmanager
def ended_by_exceptions() -> Iterator[None]:
    """Meanwhile SIGTERM and SIGHUP raise `Terminated`, and neither that nor `KeyboardInterrupt` gets lost.

    A signal's handler runs between any two instructions of the main thread. Where these are a destructor's or a weak
    reference's callback, as any import has them, the interpreter prints the exception and goes on.
    """
    before = {number: signal.getsignal(number) for number in ENDING}
    others = sys.unraisablehook

    def hook(lost: "UnraisableHookArgs") -> None:
        if isinstance(lost.exc_value, (KeyboardInterrupt, Terminated)):
            _repeat(lost.exc_value)
        else:
            others(lost)

    sys.unraisablehook = hook
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # as nohup has it
                signal.signal(number, _terminated)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)  # the interpreter, when it exits, handles no signal any more
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
        sys.unraisablehook = others


def _repeat(lost: BaseException) -> None:
    def handler(_signal_number: int, _frame: FrameType | None) -> NoReturn:
        raise type(lost)(*lost.args)

    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, _AGAIN)


def _terminated(signal_number: int, _frame: FrameType | None) -> NoReturn:
    raise terminated(signal_number)


def terminated(signal_number: int) -> Terminated:
    """The exception, with the status that a shell reports for a program which that signal has ended."""
    return Terminated(128 + signal_number)
