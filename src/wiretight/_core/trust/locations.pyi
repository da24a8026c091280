from typing import Any, final

from wiretight._core.context.context import Context

@final
class Revocations: ...

def load_again(context: Context, loads: list[tuple[Any, ...]], checks_crls: bool, /) -> None: ...
