"""Classes of a program's own, over the socket, the object and the context."""

import ssl
from typing import Any


class CountingSocket(ssl.SSLSocket):
    """Counts what it sends."""

    sent = 0

    def send(self, data: Any, flags: int = 0) -> int:
        count = super().send(data, flags)
        self.sent += count
        return count


class NamedObject(ssl.SSLObject):
    """Tells its peer's name."""

    def name(self) -> str:
        return self.server_hostname or "anonymous"


class Context(ssl.SSLContext):
    """Makes them."""

    sslsocket_class = CountingSocket
    sslobject_class = NamedObject

    def load_default_certs(self, purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH) -> None:
        super().load_default_certs(purpose)
        self.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def make() -> Context:
    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    return context


def takes(context: ssl.SSLContext) -> ssl.SSLContext:
    return context


takes(make())
