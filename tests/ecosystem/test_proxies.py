"""HTTPS through Squid, an HTTPS proxy: TLS in TLS, by the library's own means and by wrap_socket() of an SSLSocket."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import shutil
import socket
import ssl as standard
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import wiretight
from tests.ecosystem.conftest import refuse_to_work
from tests.interop.test_http import DATA, https_server
from tests.interop.test_tls_in_tls import ThroughHTTPSProxy
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.programs import Process, program
from tests.kit.sockets import free_port
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE

CONFIGURATION = """
https_port {address}:{port} tls-cert={folder}/chain.pem tls-key={folder}/key.pem {options}
http_access allow all
cache deny all
access_log none
pid_filename none
netdb_filename none
coredump_dir {folder}
hosts_file {folder}/hosts
shutdown_lifetime 0 seconds
max_filedescriptors 1024
"""

VERSIONS = [standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3]
WITHOUT = {standard.TLSVersion.TLSv1_2: "options=NO_TLSv1_3", standard.TLSVersion.TLSv1_3: "tls-min-version=1.3"}


@pytest.fixture(scope="module", params=VERSIONS, ids=["in-tls12", "in-tls13"])
def squid(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[int]:
    """Squid speaks one version of TLS to its clients. Root's becomes another user, who reads the folder."""
    command = program("squid", "squid-openssl")
    built = subprocess.run([command, "-v"], capture_output=True, text=True, timeout=PATIENCE, check=True).stdout
    if "--with-openssl" not in built:
        pytest.skip("this Squid has no OpenSSL: apt-get install squid-openssl")
    with tempfile.TemporaryDirectory(prefix="squid-") as folder:
        Path(folder).chmod(0o755)
        for source, name in zip(certificates.server, ("chain.pem", "key.pem"), strict=True):
            shutil.copy(source, Path(folder, name))
            Path(folder, name).chmod(0o644)
        # Squid looks names up by itself, and a bare system need not have the file that localhost is in.
        Path(folder, "hosts").write_text(f"{ADDRESS} {HOST}\n")
        port = free_port()
        configuration = Path(folder, "squid.conf")
        values = {"address": ADDRESS, "port": port, "folder": folder, "options": WITHOUT[request.param]}
        configuration.write_text(CONFIGURATION.format_map(values))
        # Under a name of its own: two of the same name share memory.
        with Process(command, "-n", f"t{port}", "-N", "-d", 1, "-f", configuration, folder=Path(folder)) as process:
            process.line_with("Accepting")  # which it says just before it listens
            while not listens(port):
                time.sleep(0.01)
            yield port


def listens(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection((ADDRESS, port), PATIENCE):
        return True
    return False


class Through(NamedTuple):
    """Fetches a page through the proxy at that port, with contexts for the page's server and for the proxy."""

    name: str
    needs: tuple[str, ...]
    fetch: Callable[[Any, Any, int, int], bytes]


def by_http_client(context: Any, proxy_context: Any, proxy: int, port: int) -> bytes:
    connection = ThroughHTTPSProxy((HOST, proxy), proxy_context, context=context)
    connection.set_tunnel(HOST, port)
    with contextlib.closing(connection):
        connection.request("POST", "/", body=DATA)
        with connection.getresponse() as response:
            return response.read()


def by_urllib3(context: Any, proxy_context: Any, proxy: int, port: int) -> bytes:
    """With urllib3.util.ssltransport.SSLTransport: an SSLObject over memory BIOs."""
    import urllib3

    options = {"ssl_context": context, "proxy_ssl_context": proxy_context, "retries": False, "timeout": PATIENCE}
    with urllib3.ProxyManager(f"https://{HOST}:{proxy}", **options) as pool:
        return pool.request("POST", f"https://{HOST}:{port}/", body=DATA).data


def by_urllib3_on_sockets(context: Any, proxy_context: Any, proxy: int, port: int) -> bytes:
    """With wrap_socket() in its place, which is what urllib3 would do if `ssl` could."""
    from urllib3.util import ssl_

    def wrap(sock: Any, ssl_context: Any, tls_in_tls: bool, server_hostname: str | None = None) -> Any:
        nested.append(tls_in_tls)
        return ssl_context.wrap_socket(sock, server_hostname=server_hostname)

    nested: list[bool] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl_, "_ssl_wrap_socket_impl", wrap)
        data = by_urllib3(context, proxy_context, proxy, port)
    assert nested == [False, True]
    return data


def by_httpx(context: Any, proxy_context: Any, proxy: int, port: int) -> bytes:
    """With httpcore's TLSinTLSStream: an SSLObject over memory BIOs."""
    import httpx

    through = httpx.Proxy(f"https://{HOST}:{proxy}", ssl_context=proxy_context)
    with httpx.Client(verify=context, proxy=through, timeout=PATIENCE, trust_env=False) as client:
        return client.post(f"https://{HOST}:{port}/", content=DATA).content


CLIENTS = [
    Through("http.client", (), by_http_client),
    Through("urllib3", ("urllib3",), by_urllib3),
    Through("urllib3-sockets", ("urllib3",), by_urllib3_on_sockets),
    Through("httpx", ("httpx",), by_httpx),
]


@pytest.fixture(params=["handed", "installed"])
def module(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Contexts are handed to the library, or it finds `ssl` replaced."""
    for name in ("urllib3", "httpx"):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)
    if request.param == "handed":
        yield tls
        return
    of_the_standard = standard.SSLContext
    wiretight.install()
    refuse_to_work(of_the_standard, monkeypatch)
    try:
        yield importlib.import_module("ssl")
    finally:
        wiretight.uninstall()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_page_comes_through_squid(certificates, version, squid, module, client):
    for name in client.needs:
        pytest.importorskip(name, reason="pip install --group ecosystem", exc_type=ModuleNotFoundError)
    with https_server(certificates.server_context(version)) as port:
        context = certificates.client_context(version, module=module)
        data = client.fetch(context, certificates.client_context(module=module), squid, port)
    assert hashlib.sha256(data).digest() == hashlib.sha256(DATA).digest()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_a_server_with_the_wrong_name_behind_squid_is_refused(certificates, version, squid, module, client):
    for name in client.needs:
        pytest.importorskip(name, reason="pip install --group ecosystem", exc_type=ModuleNotFoundError)
    with https_server(certificates.server_context(version, credentials=certificates.elsewhere)) as port:
        context = certificates.client_context(version, module=module)
        with pytest.raises(Exception, match="Hostname mismatch"):
            client.fetch(context, certificates.client_context(module=module), squid, port)
