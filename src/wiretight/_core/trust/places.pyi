FILES: tuple[str, ...]
FOLDERS: tuple[str, ...]

def system_trust() -> tuple[str | None, str | None]: ...
