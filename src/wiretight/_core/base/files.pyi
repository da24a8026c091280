from os import PathLike

SETTLED_AFTER: int

def read_file(path: str | bytes | PathLike[str] | PathLike[bytes], /) -> bytes: ...
