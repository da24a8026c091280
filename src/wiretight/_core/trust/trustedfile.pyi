from typing import final

CACHE_SIZE: int

@final
class TrustedFile: ...

def clear_trust_cache() -> None: ...
