"""Pebble, Let's Encrypt's CA for tests, with a name server that says this machine is every name."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from tests.kit.certificates import ADDRESS, Credentials
from tests.kit.programs import Process, program
from tests.kit.sockets import free_port
from tests.kit.threads import PATIENCE

# It waits up to 15 seconds before it validates, and refuses one nonce in twenty, so that clients are prepared.
AT_ONCE = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}


class Pebble(Process):
    """A running CA: `directory` is its URL, and it validates what answers on `tls_port`."""

    def __init__(self, credentials: Credentials, folder: Path, name_server: int) -> None:
        self.port, self.tls_port = free_port(), free_port()
        configuration = folder / "pebble.json"
        configuration.write_text(
            json.dumps(
                {
                    "pebble": {
                        "listenAddress": f"{ADDRESS}:{self.port}",
                        "managementListenAddress": f"{ADDRESS}:{free_port()}",
                        "certificate": str(credentials.chain),
                        "privateKey": str(credentials.key),
                        "httpPort": free_port(),
                        "tlsPort": self.tls_port,
                    }
                }
            )
        )
        super().__init__(
            *(program("pebble", "pebble"), "-config", configuration, "-dnsserver", f"{ADDRESS}:{name_server}"),
            environment=AT_ONCE,
        )
        self.directory = f"https://localhost:{self.port}/dir"
        try:
            self.line_with("ACME directory available at")
        except BaseException:
            self.__exit__()
            raise


@contextlib.contextmanager
def running(credentials: Credentials, folder: Path) -> Iterator[Pebble]:
    names = free_port()
    with Process(
        *(program("pebble-challtestsrv", "pebble"), "-dns01", f"{ADDRESS}:{names}", "-defaultIPv4", ADDRESS),
        *("-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", ""),
        *("-management", f"{ADDRESS}:{free_port()}"),
    ) as name_server:
        name_server.line_with("Starting")
        with Pebble(credentials, folder, names) as pebble:
            listening(pebble.port)
            yield pebble


def listening(port: int) -> None:
    """Waits until it is: Pebble says so a moment before."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection((ADDRESS, port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return
