from typing import final

@final
class Handle:
    @property
    def owner(self) -> object: ...
