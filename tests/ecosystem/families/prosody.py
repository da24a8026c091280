"""The Prosody of the system: an XMPP server that says which channel bindings it can check."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.kit.certificates import ADDRESS, HOST, Credentials
from tests.kit.programs import Process, program
from tests.kit.sockets import free_port

USER, PASSWORD = "tester", "secret"

# Prosody refuses to run as root; its Debian package makes this user.
ACCOUNT = "prosody"

CONFIGURATION = """
data_path = "{folder}/data"
pidfile = "{folder}/prosody.pid"
log = {{ debug = "*console" }}
modules_enabled = {{ "saslauth", "tls", "disco", "roster" }}
modules_disabled = {{ "s2s" }}
authentication = "internal_plain"
c2s_interfaces = {{ "{address}" }}
c2s_ports = {{ {port} }}
c2s_require_encryption = true
s2s_ports = {{}}
certificates = "{folder}"
ssl = {{ certificate = "{folder}/cert.pem", key = "{folder}/key.pem" }}
VirtualHost "{host}"
"""


class Prosody(Process):
    """A running server for `tester@localhost`, on `port`."""

    def __init__(self, credentials: Credentials, folder: Path) -> None:
        self.port = free_port()
        accounts = folder / "data" / HOST / "accounts"
        accounts.mkdir(parents=True)
        (accounts / f"{USER}.dat").write_text(f'return {{ ["password"] = "{PASSWORD}" }};\n')
        shutil.copy(credentials.chain, folder / "cert.pem")
        shutil.copy(credentials.key, folder / "key.pem")
        configuration = folder / "prosody.cfg.lua"
        configuration.write_text(CONFIGURATION.format(folder=folder, address=ADDRESS, port=self.port, host=HOST))
        as_account: tuple[str, ...] = ()
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                shutil.chown(path, ACCOUNT, ACCOUNT)
            setpriv = program("setpriv", "util-linux")
            as_account = (setpriv, f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", "--")
        super().__init__(*as_account, program("prosody", "prosody"), "--config", configuration, "-F")
        try:
            self.line_with("Activated service 'c2s' on")
        except BaseException:
            self.__exit__()
            raise


@contextlib.contextmanager
def server(credentials: Credentials, folder: Path) -> Iterator[Prosody]:
    """`folder` has to be reachable for the account: not below pytest's, which are its user's own."""
    program("prosody", "prosody")
    with Prosody(credentials, folder) as running:
        yield running
