from typing import NoReturn

from typing_extensions import Self

from wiretight._core.context.owner import Handle

class Context:
    options: int
    minimum_version: int
    maximum_version: int
    verify_mode: int
    verify_flags: int
    check_hostname: bool
    _host_flags: int
    post_handshake_auth: bool
    num_tickets: int
    def __new__(cls, protocol: int, /, original: Context | None = None, properties: bytes | None = None) -> Self: ...
    def __reduce__(self) -> NoReturn: ...
    @property
    def protocol(self) -> int: ...
    @property
    def security_level(self) -> int: ...

def handle_of(context: Context, /) -> Handle: ...
