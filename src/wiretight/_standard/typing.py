"""The part of `typing` that annotations need, for type checkers only: importing it takes as long as our own Python."""

# ruff: noqa: PLC0414  the alias marks an exported name

# A type checker treats this name as true, and reads the first branch; the running program the second.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any as Any
    from typing import ClassVar as ClassVar
    from typing import Literal as Literal
    from typing import NoReturn as NoReturn
    from typing import cast as cast
    from typing import overload as overload
else:
    Any = ClassVar = Literal = NoReturn = None  # in annotations, which are never evaluated

    def cast(_, value):
        return value

    def overload(function):
        return function
