from collections.abc import Iterable

KEYS: tuple[str, ...]

def use(keys: Iterable[str]) -> None: ...
