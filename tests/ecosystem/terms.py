"""What an exchange is made of: its two ends, and the terms on which each makes its TLS."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from tests.kit.certificates import Certificates, Credentials

# The three ways in. A context is handed to the library, which imported the standard `ssl`; or install() comes after the
# library was imported, and it is handed a context of what `ssl` then is; or it makes its own context, out of files.
HANDED, INSTALLED, OF_FILES = "handed", "installed", "of-files"

# A program of its own, started with `python -m wiretight run`: for what has to be imported after install().
RUN = "run"


@dataclass(frozen=True)
class Terms:
    """Who an end is, and whom it trusts; its contexts are of `module`. A server without `ca_file` asks for nobody."""

    way: str
    module: ModuleType
    certificates: Certificates
    credentials: Credentials | None
    ca_file: Path | None

    @property
    def client_context(self) -> Any:
        return self.certificates.client_context(ca_file=self.ca_file, credentials=self.credentials, module=self.module)

    @property
    def server_context(self) -> Any:
        return self.certificates.server_context(
            credentials=self.credentials, client_ca=self.ca_file, module=self.module
        )

    @property
    def of_files(self) -> bool:
        return self.way == OF_FILES


# Sends the bytes to that port of localhost, and returns what came back, when it has closed the connection.
Client = Callable[[Terms, int, bytes], bytes]

# Sends back what comes; the value of its `with` is the port.
Server = Callable[[Terms], AbstractContextManager[int]]


class Exchange(NamedTuple):
    """A client and a server that speak the same protocol, and the modules that have to be there for them."""

    name: str
    client: Client
    server: Server
    needs: tuple[str, ...]
    ways: tuple[str, ...] = (HANDED, INSTALLED)
