from collections.abc import Iterable
from enum import IntEnum

def name_alerts(members: Iterable[IntEnum], /) -> None: ...
