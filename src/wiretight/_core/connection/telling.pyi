from collections.abc import Callable
from typing import Any

def make_events_with(function: Callable[[Any, int, int, str | None], object], /) -> None: ...
