"""For servers that have to be told their port."""

from __future__ import annotations

import socket

from tests.kit.certificates import ADDRESS


def free_port() -> int:
    """A port that is free now, and that the kernel gives nobody else who asks for any port for a while."""
    with socket.create_server((ADDRESS, 0)) as listener:
        return listener.getsockname()[1]
