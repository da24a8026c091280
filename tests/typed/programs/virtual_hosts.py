"""One port, several certificates: the server name chooses the context."""

import ssl
from collections.abc import Mapping


class Hosts:
    """Contexts by name."""

    def __init__(self, contexts: Mapping[str, ssl.SSLContext], default: ssl.SSLContext) -> None:
        self.contexts = contexts
        default.sni_callback = self.choose
        self.default = default

    def choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> int | None:
        if name is None:
            return None
        found = self.contexts.get(name)
        if found is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = found
        return None

    def stop(self) -> None:
        self.default.sni_callback = None
        self.default.set_servername_callback(None)


def alert(number: int) -> str:
    description = ssl.AlertDescription(number)
    if description is ssl.AlertDescription.ALERT_DESCRIPTION_HANDSHAKE_FAILURE:
        return "no common cipher"
    if description == ssl.ALERT_DESCRIPTION_INTERNAL_ERROR:
        return "broken"
    return description.name
