"""SCRAM with channel bindings: servers that people run accept ours, and refuse any other.

PostgreSQL checks "tls-server-end-point" and Prosody "tls-unique" on TLS 1.2; on TLS 1.3, Prosody has checked
"tls-exporter" since its release 13.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import ssl as standard
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import wiretight
from tests.ecosystem.families import postgresql, prosody
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.servers import Server
from tests.kit.threads import PATIENCE

MECHANISM = "SCRAM-SHA-256-PLUS"
PASSWORD = "secret"


def connect(port: int, user: str, context: Any) -> Any:
    import pg8000.native

    return pg8000.native.Connection(
        user, host=HOST, port=port, database="postgres", password=PASSWORD, ssl_context=context, timeout=PATIENCE
    )


@pytest.fixture(scope="module")
def postgres(certificates: Certificates) -> int:
    """The port of a PostgreSQL that asks one of its users for a password."""
    pytest.importorskip("pg8000", reason="pip install --group ecosystem")
    port = postgresql.running(certificates.server, certificates.ca_file, False)
    with connect(port, postgresql.USER, certificates.client_context()) as administrator:
        administrator.run(f"CREATE ROLE {postgresql.WITH_PASSWORD} LOGIN PASSWORD '{PASSWORD}'")
    return port


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[bytes], bytes]], list[Any]]:
    """Has pg8000 take the binding from the connection instead of making its own; and who authenticated with it."""

    def bind(alter: Callable[[bytes], bytes]) -> list[Any]:
        import scramp

        made: list[Any] = []
        original = scramp.ScramClient

        def client(mechanisms: Any, user: str, password: str, channel_binding: Any) -> Any:
            kind, connection = channel_binding
            data = alter(connection.get_channel_binding(kind))
            made.append(original(mechanisms, user, password, channel_binding=(kind, data)))
            return made[-1]

        monkeypatch.setattr(scramp, "ScramClient", client)
        return made

    return bind


def test_postgresql_accepts_the_end_point(
    postgres: int, bound: Any, certificates: Certificates, version: standard.TLSVersion
) -> None:
    authenticated = bound(lambda data: data)
    with connect(postgres, postgresql.WITH_PASSWORD, certificates.client_context(version)) as connection:
        assert connection.run("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()") == [
            [True, version.name.replace("_", ".")]
        ]
    assert [client.mechanism_name for client in authenticated] == [MECHANISM]


def test_postgresql_refuses_the_end_point_of_somebody_else(
    postgres: int, bound: Any, certificates: Certificates, version: standard.TLSVersion
) -> None:
    import pg8000.native

    bound(lambda data: data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(pg8000.native.DatabaseError, match="SCRAM channel binding check failed"):
        connect(postgres, postgresql.WITH_PASSWORD, certificates.client_context(version))


@pytest.fixture
def xmpp(certificates: Certificates) -> Iterator[prosody.Prosody]:
    pytest.importorskip("slixmpp", reason="pip install --group ecosystem")
    with tempfile.TemporaryDirectory(prefix="prosody-") as folder:
        with prosody.server(certificates.server, Path(folder)) as server:
            yield server


async def logged_in(port: int, ca_file: Path, version: standard.TLSVersion) -> str:
    """The SASL mechanism with which the user of Prosody has logged in."""
    import slixmpp

    client = slixmpp.ClientXMPP(f"{prosody.USER}@{HOST}", prosody.PASSWORD)
    client.ca_certs = ca_file
    client.enable_direct_tls = False
    client.ssl_context.minimum_version = client.ssl_context.maximum_version = version
    over = asyncio.get_running_loop().create_future()
    for event in ("session_start", "failed_all_auth", "connection_failed"):
        client.add_event_handler(event, lambda _, event=event: over.done() or over.set_result(event))
    client.connect(ADDRESS, port)
    assert await over == "session_start"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        mechanism: str = client["feature_mechanisms"].mech.name
    await client.disconnect()
    return mechanism


def test_prosody_accepts_the_binding_of_each_version(
    xmpp: prosody.Prosody, certificates: Certificates, version: standard.TLSVersion
) -> None:
    wiretight.install()
    try:
        mechanism = asyncio.run(asyncio.wait_for(logged_in(xmpp.port, certificates.ca_file, version), PATIENCE))
    finally:
        wiretight.uninstall()
    if version == standard.TLSVersion.TLSv1_3 and "'tls-exporter' supported" not in xmpp.output:
        pytest.skip('this Prosody is older than 13, and cannot check "tls-exporter"')
    assert mechanism == MECHANISM


# --- HTTP libraries: the connection behind a response ----------------------------------------------------------------

LABEL = "EXPERIMENTAL wiretight tests"


class Answering:
    """An HTTP server's handler. Its answer is what it exports, and comes when the client has its own `keys`: a response
    that is complete may have no connection any more.
    """

    def __init__(self) -> None:
        self.keys: queue.Queue[bytes] = queue.Queue()

    def __call__(self, sock: Any) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += sock.recv(1000)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 32\r\n\r\n")
        exported = sock.export_keying_material(LABEL, 32)
        assert self.keys.get(timeout=PATIENCE) == exported
        sock.sendall(exported)
        with contextlib.suppress(ConnectionError):
            assert sock.recv(1) == b""


Exported = Callable[[bytes], None]


def with_requests(context: Any, url: str, exported: Exported) -> bytes:
    import requests

    class Adapter(requests.adapters.HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, ssl_context=context, **options)

    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", Adapter())
        with session.get(url, timeout=PATIENCE, stream=True) as response:
            exported(response.raw.connection.sock.export_keying_material(LABEL, 32))
            content: bytes = response.content
            return content


def with_httpx(context: Any, url: str, exported: Exported) -> bytes:
    import httpx

    with httpx.Client(verify=context, timeout=PATIENCE, trust_env=False) as client:
        with client.stream("GET", url) as response:
            connection = response.extensions["network_stream"].get_extra_info("ssl_object")
            # httpcore shows what is behind an SSLSocket.
            connection = getattr(connection, "owner", connection)
            exported(connection.export_keying_material(LABEL, 32))
            return response.read()


def with_aiohttp(context: Any, url: str, exported: Exported) -> bytes:
    import aiohttp

    async def fetch() -> bytes:
        async with aiohttp.ClientSession() as session, session.get(url, ssl=context) as response:
            connection = response.connection.transport.get_extra_info("ssl_object")
            exported(connection.export_keying_material(LABEL, 32))
            content: bytes = await response.read()
            return content

    return asyncio.run(fetch())


@pytest.mark.parametrize("fetch", [with_requests, with_httpx, with_aiohttp], ids=["requests", "httpx", "aiohttp"])
def test_the_connection_of_a_response_exports_keys(
    certificates: Certificates, version: standard.TLSVersion, fetch: Callable[[Any, str, Exported], bytes]
) -> None:
    pytest.importorskip(fetch.__name__.removeprefix("with_"), reason="pip install --group ecosystem")
    answering = Answering()
    with Server(certificates.server_context(version), answering, ragged_eof_ok=True) as server:
        url = f"https://{HOST}:{server.port}/"
        assert len(fetch(certificates.client_context(version), url, answering.keys.put)) == 32
