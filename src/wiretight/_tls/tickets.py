"""The session tickets of a server: with which keys a context encrypts them."""

from __future__ import annotations

from wiretight._core.callbacks import tickets
from wiretight._core.session.ticketkeys import KeyRing
from wiretight._standard.typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wiretight._tls.ticketkeys import TicketKeys

_tickets: Any = tickets  # their functions take a context, which a mixin is not


class IssuesTickets:
    """The part of SSLContext that issues session tickets."""

    __slots__ = ()

    @property
    def ticket_keys(self) -> TicketKeys | None:
        """The TicketKeys with which a server encrypts the tickets of its sessions, and opens those that come back.

        None, the default: keys of the context's own, which live as long as it does. With a ring, contexts and processes
        that share it resume each other's sessions, as far as they would verify a client alike, and its keys change in
        time. When none of them may encrypt, no ticket is issued. A connection has the keys that the ring had when the
        connection was made, and they are those of the context that it was made with, even if `sni_callback` chooses
        another. A copy() shares the ring.

        Setting it raises TypeError for another object, ValueError on a context of PROTOCOL_TLS_CLIENT. Since 0.1.
        Source: RFC 5077; RFC 8446, section 4.6.1; an addition to `ssl`.

        OpenSSL: SSL_CTX_set_tlsext_ticket_key_evp_cb(3)
        """
        ring: TicketKeys | None = _tickets.ticket_keys(self)
        return ring

    @ticket_keys.setter
    def ticket_keys(self, ring: TicketKeys | None) -> None:
        if ring is not None and not isinstance(ring, KeyRing):
            raise TypeError(f"ticket_keys must be a TicketKeys or None, not {type(ring).__name__}")
        _tickets.set_ticket_keys(self, ring)
