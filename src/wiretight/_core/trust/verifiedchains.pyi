from collections.abc import Callable
from typing import NamedTuple

class Statistics(NamedTuple):
    chains: int
    recalled: int
    missed: int

def forget_verified_chains() -> None: ...
def statistics() -> Statistics: ...
def recalled(digest: bytes, meanwhile: Callable[[], object] | None = None, /) -> bool: ...
