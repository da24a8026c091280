from collections.abc import Callable
from typing import Any

from wiretight._core.context.context import Context

def handshake_callback(context: Context, /) -> Callable[..., Any] | None: ...
def set_handshake_callback(context: Context, callback: Callable[..., Any] | None, /) -> None: ...
