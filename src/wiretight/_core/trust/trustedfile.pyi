from typing import final

CACHE_SIZE: int
SETTLED_AFTER: float

@final
class TrustedFile: ...

def clear_trust_cache() -> None: ...
