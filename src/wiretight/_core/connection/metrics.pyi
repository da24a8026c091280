from typing import TypedDict

from wiretight._core.context.context import Context

class _Numbers(TypedDict):
    started: int
    done: int
    failures: dict[int, int]
    other_failures: int
    endings: dict[int, int]
    other_endings: int
    resumptions: dict[int, int]
    versions: dict[int, int]
    ciphers: dict[str, int]
    groups: dict[str, int]
    tickets_sent: int
    bytes_in: int
    bytes_out: int
    records_in: int
    records_out: int
    nanoseconds: int
    durations: list[tuple[int, int]]

def numbers_of(context: Context, /) -> _Numbers: ...
