from typing import NoReturn, final

from typing_extensions import Buffer

from wiretight._core.session.ticketkeys import KeySet

@final
class WrappingKey:
    def __new__(cls, key: Buffer, /) -> WrappingKey: ...
    def __reduce__(self) -> NoReturn: ...

@final
class Plaintext: ...

def sealed(
    keys: KeySet, wrapping_key: WrappingKey, rotate_every: float, accept_for: float, shared: bool = False, /
) -> bytes: ...
def opened(data: Buffer, wrapping_key: WrappingKey, shared: bool = False, /) -> tuple[KeySet, float, float]: ...
