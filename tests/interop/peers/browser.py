"""Chromium and Firefox, without a window: a page of ours fetches the data and sends it back."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
from pathlib import Path
from typing import Any, ClassVar

from tests.interop.http import read_request, send_answer
from tests.interop.peers.nss import make_database
from tests.interop.peers.peer import Peer, Reasons, output
from tests.interop.peers.terms import CLIENT, HALF_CLOSE, SERVER, Answer, Terms
from tests.kit.certificates import HOST, Credentials
from tests.kit.programs import Argument, Process
from tests.kit.threads import PATIENCE

PAGE = b"""<!doctype html><title>echo</title><link rel="icon" href="data:,"><script>
fetch("/data").then(answer => answer.text()).then(text => fetch("/echo", {method: "POST", body: text}));
</script>"""


class Site:
    """A Server's handler for a browser: the page, the data, and what comes back. Each over a connection of its own."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.echoes: queue.Queue[bytes] = queue.Queue()

    def __call__(self, sock: Any) -> None:
        with contextlib.suppress(ConnectionError):  # a browser hangs up as it likes
            path, body = read_request(sock)
            if path == "/echo":
                self.echoes.put(body)
            if path:
                send_answer(sock, {"/": PAGE, "/data": self._data}.get(path, b""))


class Browser(Peer):
    begins_again = True  # it looks for a certificate when it is asked for one
    cannot: ClassVar[Reasons] = {
        (SERVER,): "A browser is a client.",
        (CLIENT, HALF_CLOSE): "A browser keeps its direction open until it has the answer.",
    }

    def __init__(self, *credentials: Credentials) -> None:
        """With these beside those of the terms: a browser may have many."""
        self._credentials = credentials

    def own(self, terms: Terms) -> list[Credentials]:
        return [each for each in (terms.client_credentials, *self._credentials) if each is not None]

    def serve_our_end(self, terms: Terms) -> Site:
        self._site = Site(terms.data)
        return self._site

    def call(self, terms: Terms, port: int) -> Answer:
        # It says nothing of its connections.
        with self.process(terms, f"https://{HOST}:{port}/"):
            try:
                return Answer(self._site.echoes.get(timeout=PATIENCE), {})
            except queue.Empty:
                return Answer(b"", {})

    def process(self, terms: Terms, url: str) -> Process:
        raise NotImplementedError


class Chromium(Browser):
    name = "Chromium"
    programs = ("chromium", "certutil", "pk12util", "openssl", "unshare")
    packages = ("chromium", "libnss3-tools", "openssl")

    def version(self) -> str:
        return re.findall(r"^Chromium ([\d.]+)", output("chromium", "--version"), re.MULTILINE)[0]

    def process(self, terms: Terms, url: str) -> Process:
        home = terms.folder
        database = home / ".pki" / "nssdb"
        database.mkdir(parents=True, exist_ok=True)
        make_database(database, terms.certificates.ca_file, *self.own(terms))
        version = f"tls{terms.number}"
        options: list[Argument] = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        options += ["--disable-background-networking", f"--user-data-dir={home / 'profile'}"]
        options += [f"--ssl-version-min={version}", f"--ssl-version-max={version}"]
        command = with_policies(home, {"AutoSelectCertificateForUrls": [json.dumps({"pattern": url, "filter": {}})]})
        return Process(*command, "chromium", *options, url, environment={"HOME": str(home)})


def with_policies(folder: Path, policies: dict[str, Any]) -> list[Argument]:
    """Runs a program with these policies, unseen by any other: Chromium reads them in one place of the system."""
    managed = folder / "chromium" / "policies" / "managed"
    managed.mkdir(parents=True, exist_ok=True)
    (managed / "interop.json").write_text(json.dumps(policies))
    script = f'mount --bind "{folder / "chromium"}" /etc/chromium && exec "$@"'
    private = ["--mount"] if os.getuid() == 0 else ["--map-root-user", "--mount"]
    return ["unshare", *private, "sh", "-c", script, "sh"]


class Firefox(Browser):
    name = "Firefox"
    programs = ("firefox", "certutil", "pk12util", "openssl")
    packages = ("firefox-esr", "libnss3-tools", "openssl")

    def version(self) -> str:
        return output("firefox", "--version").split()[2]

    def process(self, terms: Terms, url: str) -> Process:
        profile = terms.folder / "profile"
        profile.mkdir(exist_ok=True)
        make_database(profile, terms.certificates.ca_file, *self.own(terms))
        version = {"1.2": 3, "1.3": 4}[terms.number]
        preferences = {
            "security.tls.version.min": version,
            "security.tls.version.max": version,
            "security.default_personal_cert": "Select Automatically",
            "browser.shell.checkDefaultBrowser": False,
            "datareporting.policy.dataSubmissionEnabled": False,
            "network.captive-portal-service.enabled": False,
        }
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items()]
        (profile / "user.js").write_text("".join(lines))
        options: list[Argument] = ["--headless", "--no-remote", "--profile", profile]
        return Process("firefox", *options, url, environment={"HOME": str(terms.folder)})
