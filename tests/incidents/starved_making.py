"""A call whose allocations fail: `python tests/incidents/starved_making.py KIND FOLDER CASE`.

A CASE of tests/incidents/making.py, KIND and the rest as in tests/incidents/starved.py.
"""

from __future__ import annotations

import sys

from preloaded import allocations_made, faults, put_allocator_under_openssl, starved

KIND = sys.argv[1]
NO_OPENSSL = 77  # as in starved.py
if KIND == "openssl" and not put_allocator_under_openssl():
    sys.exit(NO_OPENSSL)

import gc  # noqa: E402
import os  # noqa: E402
import socket  # noqa: E402
import traceback  # noqa: E402
import warnings  # noqa: E402
from collections import Counter  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import wiretight  # noqa: E402
from tests.incidents.faulty import reported  # noqa: E402
from tests.incidents.making import CASES, Workshop  # noqa: E402

# What may come out of a call that is short of memory.
EXPECTED = (MemoryError, wiretight.SSLError)


def open_numbers() -> set[int]:
    """The descriptors that are open."""
    with os.scandir("/proc/self/fd") as entries:
        numbers = {int(entry.name) for entry in entries}
    return {number for number in numbers if Path(f"/proc/self/fd/{number}").exists()}


def is_of_socket_accept(error: BaseException) -> bool:
    """Whether it was raised in the standard library's accept(), which loses the descriptor."""
    return any(frame.f_code is socket.socket.accept.__code__ for frame, _ in traceback.walk_tb(error.__traceback__))


def plain(value: Any) -> Any:
    """`value` if it can be compared, or its type."""
    return value if isinstance(value, bytes | int | tuple | list | dict) else type(value)


def attempt(case: str, shop: Workshop, at: int) -> tuple[Any, int]:
    """Calls with allocation number `at` failing: the result or the error, and how many allocations were made."""
    with shop.prepared(case):
        before = open_numbers()
        try:
            answer = plain(starved(at, CASES[case], shop))
        except BaseException as error:
            if is_of_socket_accept(error):
                for number in open_numbers() - before:
                    os.close(number)
            answer = error
    return answer, allocations_made()


def is_of_the_interpreter(error: BaseException) -> bool:
    """CPython makes this of a want of memory for a frame object, whose traceback it wanted to extend."""
    return isinstance(error, SystemError) and str(error) == "error return without exception set"


def making(case: str, folder: str) -> Counter[str]:
    """The first allocation of the call fails, the second, …: it succeeds or raises, and the next one succeeds."""
    shop = Workshop(Path(folder))
    outcomes: Counter[str] = Counter()
    attempt(case, shop, -1)  # what is kept from the first call is there after that
    usual, made = attempt(case, shop, -1)
    at = 0
    while at < made:
        print(at, file=sys.stderr, end=" ", flush=True)
        answer, made = attempt(case, shop, at)
        if isinstance(answer, BaseException):
            if not isinstance(answer, EXPECTED) and not is_of_the_interpreter(answer):
                raise AssertionError(f"allocation {at}: a want of memory was reported as another error") from answer
            outcomes[type(answer).__name__] += 1
            if case == "read":
                shop.connected = shop.handshake()  # a connection that has lost a byte is at its end
            answer, _ = attempt(case, shop, -1)  # whatever was to be changed or read is whole
            made = at + 2  # it may have ended early
        else:
            outcomes["completed"] += 1
        assert answer == usual, f"allocation {at}: {answer} instead of {usual}"
        at += 1
    shop.close()
    return outcomes


def main() -> None:
    gc.disable()  # a collection that a failed allocation has set off is not the call's
    warnings.simplefilter("ignore", ResourceWarning)
    if KIND == "python":
        faults.faults_python()
    folder, case = sys.argv[2:4]
    reported(lambda: making(case, folder), the_core=KIND != "python")
    # Not by way of OpenSSL's clean-up at exit: 3.0 frees a store's loader twice that it had no memory to register.
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
