"""wiretight with SSLContext.read_ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import wiretight
from wiretight import OPENSSL_VERSION, PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["OPENSSL_VERSION", "PROTOCOL_TLS_CLIENT", "PROTOCOL_TLS_SERVER", "SSLContext"]


class SSLContext(wiretight.SSLContext):
    def __new__(cls, protocol: int) -> Self:
        context = super().__new__(cls, protocol)
        context.read_ahead = True
        return context
