"""Sessions, kept by host and used again."""

import socket
import ssl

from typing_extensions import assert_type


class Sessions:
    """What a client remembers of the servers that it has met."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.context = context if context is not None else ssl.create_default_context()
        self.known: dict[str, ssl.SSLSession] = {}

    def connect(self, host: str) -> ssl.SSLSocket:
        connection = self.context.wrap_socket(
            socket.create_connection((host, 443)), server_hostname=host, session=self.known.get(host)
        )
        session = connection.session
        assert_type(session, ssl.SSLSession | None)
        if session is not None and session.has_ticket:
            self.known[host] = session
        return connection

    def expires(self, host: str) -> int:
        session = self.known[host]
        assert_type(session.id, bytes)
        assert_type(session.ticket_lifetime_hint, int)
        return session.time + session.timeout

    def statistics(self) -> dict[str, int]:
        return self.context.session_stats()


def resume(context: ssl.SSLContext, host: str, session: ssl.SSLSession) -> bool:
    tls = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=host, session=session)
    tls.session = session
    return tls.session_reused
