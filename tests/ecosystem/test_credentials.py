"""Clients that prove who they are with a key from memory, through a context: no library needs a file for it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wiretight
from tests.interop.test_http import QuietServer
from tests.interop.test_no_key_files import key_material, said_of
from tests.kit.certificates import ADDRESS, HOST
from tests.kit.keys import authority, credential_of, new_material, server_context
from tests.kit.strace import traced

LIBRARIES = {
    "requests": """
import requests
from requests.adapters import HTTPAdapter

class Adapter(HTTPAdapter):
    def init_poolmanager(self, *args, **options):
        super().init_poolmanager(*args, ssl_context=context, **options)

with requests.Session() as session:
    session.trust_env = False
    session.mount("https://", Adapter())
    print(session.get(url, verify=True).text)
""",
    "urllib3": """
import urllib3

with urllib3.PoolManager(ssl_context=context) as pool:
    print(pool.request("GET", url).data.decode())
""",
    "httpx": """
import httpx

with httpx.Client(verify=context, trust_env=False) as client:
    print(client.get(url).text)
""",
    "aiohttp": """
import asyncio
import aiohttp

async def main():
    async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as answer:
        print(await answer.text())

asyncio.run(main())
""",
    "http.client": """
import http.client
import urllib.parse

address = urllib.parse.urlsplit(url)
connection = http.client.HTTPSConnection(address.hostname, address.port, context=context)
connection.request("GET", "/")
print(connection.getresponse().read().decode())
connection.close()
""",
}
BEGINNING = """
import json, sys
import wiretight

said = json.load(sys.stdin)
url = said["url"]
context = wiretight.create_default_context(cadata=said["root"])
context.verify_flags &= ~wiretight.VERIFY_X509_STRICT  # the certificates of these tests have no key identifiers
context.add_credential(wiretight.Credential.from_pem(said["pem"], said["key_pem"]))
"""


class Telling(http.server.BaseHTTPRequestHandler):
    """Answers with the name in the client's certificate."""

    def do_GET(self) -> None:
        names: Any = self.connection.getpeercert()["subjectAltName"]  # type: ignore[attr-defined]
        body = names[0][1].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    context = server_context(None, credential_of())
    context.load_verify_locations(cadata=authority()[0].pem)
    context.verify_mode = wiretight.CERT_REQUIRED
    with QuietServer((ADDRESS, 0), Telling) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        serving = threading.Thread(target=server.serve_forever, args=(0.01,), name="telling")
        serving.start()
        yield f"https://{HOST}:{server.server_address[1]}/"
        server.shutdown()
        serving.join()


@pytest.mark.parametrize("name", list(LIBRARIES))
def test_a_library_shows_a_certificate_whose_key_is_in_no_file(name: str, url: str, tmp_path: Path) -> None:
    if name != "http.client":
        pytest.importorskip(name, reason="pip install --group ecosystem")
    made = new_material("RSA", "client.example")
    data = json.dumps({**said_of(made), "url": url}).encode()
    trace = traced(BEGINNING + LIBRARIES[name], data=data, folder=tmp_path)
    assert trace.output == "client.example\n"
    assert [path for path in trace.opened_for_writing if not path.startswith("/dev/")] == []
    assert not any(part in trace.written for part in key_material(made))
