from typing import final

from wiretight._core.context.context import Context
from wiretight._core.session.ticketkeys import KeyRing

@final
class TicketedHook: ...

def ticket_keys(context: Context, /) -> KeyRing | None: ...
def set_ticket_keys(context: Context, ring: KeyRing | None, /) -> None: ...
