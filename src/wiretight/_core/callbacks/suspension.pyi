from collections.abc import Awaitable
from typing import Any, Final, final

@final
class Pending:
    def __reduce__(self) -> str: ...

@final
class Awaited: ...

PENDING: Final[Pending]

def take_awaitable(connection: Any, /) -> Awaitable[Any] | None: ...
def put_decision(connection: Any, result: Any, error: BaseException | None, /) -> None: ...
