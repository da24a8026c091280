"""Ten servers, of seven implementations, for scanners to look at."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.command import started
from tests.kit.certificates import ADDRESS, Certificates, Credentials
from tests.kit.programs import Process
from tests.kit.sockets import free_port

Serve = Callable[[Certificates, Path], contextlib.AbstractContextManager[int]]

PROGRAMS = Path(__file__).parent / "peers" / "programs"


def needs(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs the program {name}: apt-get install {package}")
    return found


def s_server(*options: str, of: str = "server") -> Serve:
    """`openssl s_server`; {server}, {rsa}, {ca} in the options are files."""

    @contextlib.contextmanager
    def serve(certificates: Certificates, folder: Path) -> Iterator[int]:
        port = free_port()
        own: Credentials = getattr(certificates, of)
        rsa = certificates.server_with_rsa
        names = {"rsa": rsa.chain, "rsa_key": rsa.key, "ca": certificates.ca_file, "dh": certificates.dh_file}
        given = [option.format(**names) for option in options]
        command = [
            needs("openssl", "openssl"),
            "s_server",
            "-accept",
            port,
            "-cert",
            own.chain,
            "-cert_chain",
            own.chain,
        ]
        with Process(*command, "-key", own.key, *given) as process:
            process.line_with("ACCEPT")
            yield port

    return serve


@contextlib.contextmanager
def nginx(certificates: Certificates, folder: Path) -> Iterator[int]:
    port = free_port()
    text = f"""
        daemon off; pid {folder}/pid; error_log stderr notice; worker_processes 1; events {{}}
        http {{
            access_log off;
            client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
            uwsgi_temp_path {folder}; scgi_temp_path {folder};
            server {{
                listen {ADDRESS}:{port} ssl http2;
                ssl_certificate {certificates.server.chain}; ssl_certificate_key {certificates.server.key};
                ssl_protocols TLSv1.2 TLSv1.3;
                ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305;
                ssl_ecdh_curve X25519:prime256v1:secp384r1;
                add_header Strict-Transport-Security "max-age=63072000" always;
                return 204;
            }}
        }}
    """
    (folder / "nginx.conf").write_text(text)
    with Process(needs("nginx", "nginx"), "-p", folder, "-c", folder / "nginx.conf") as process:
        process.line_with("start worker processes")
        yield port


@contextlib.contextmanager
def haproxy(certificates: Certificates, folder: Path) -> Iterator[int]:
    port = free_port()
    own = folder / "own.pem"
    own.write_bytes(b"".join(path.read_bytes() for path in certificates.server_with_rsa))
    text = f"""
        global
            log stdout format raw local0
            tune.ssl.default-dh-param 2048
        defaults
            mode http
            timeout connect 30s
            timeout client 30s
            timeout server 30s
        frontend near
            bind {ADDRESS}:{port} ssl crt {own} alpn h2,http/1.1 ssl-min-ver TLSv1.2
            http-request return status 200
    """
    (folder / "haproxy.cfg").write_text(text + "\n")
    with Process(needs("haproxy", "haproxy"), "-W", "-db", "-f", folder / "haproxy.cfg") as process:
        process.line_with("Loading success")
        yield port


@contextlib.contextmanager
def our_own(certificates: Certificates, folder: Path) -> Iterator[int]:
    chain, key = certificates.server
    with started("serve", "--cert", chain, "--key", key, "--port", 0, folder) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rpartition(":")[2].strip("/\n"))
        finally:
            process.terminate()
            process.communicate()


def gnutls(priority: str) -> Serve:
    @contextlib.contextmanager
    def serve(certificates: Certificates, folder: Path) -> Iterator[int]:
        port = free_port()
        chain, key = certificates.server_with_rsa
        options = ["--http", "--port", port, "--priority", priority, "--x509certfile", chain, "--x509keyfile", key]
        with Process(needs("gnutls-serv", "gnutls-bin"), *options, "--disable-client-cert") as server:
            server.line_with(f"IPv4 0.0.0.0 port {port}...done")
            yield port

    return serve


@contextlib.contextmanager
def go(certificates: Certificates, folder: Path) -> Iterator[int]:
    needs("go", "golang-go")
    subprocess.run(["go", "build", "-o", folder / "old", PROGRAMS / "old_server.go"], check=True)
    with Process(folder / "old", *certificates.server_with_rsa) as server:
        yield int(server.line_with("port ").split()[1])


SERVERS: dict[str, Serve] = {
    "openssl": s_server("-www"),
    "openssl, TLS 1.2, DHE, no tickets": s_server(
        "-tls1_2",
        "-cipher",
        "DHE:RSA+AES:!ARIA:!DSS:!PSK",
        "-no_ticket",
        "-serverpref",
        "-dhparam",
        "{dh}",
        of="server_with_rsa",
    ),
    "openssl, old and bad": s_server(
        "-no_tls1_3", "-cipher", "ALL:NULL:aNULL:!PSK:!SRP:@SECLEVEL=0", "-legacy_renegotiation", of="server_with_rsa"
    ),
    "openssl, two keys": s_server("-dcert", "{rsa}", "-dkey", "{rsa_key}", "-serverpref", "-alpn", "h2,http/1.1"),
    "openssl, expired, asks for certificates": s_server("-verify", "1", "-CAfile", "{ca}", of="expired"),
    "openssl, TLS 1.3 only": s_server("-tls1_3", "-num_tickets", "0", "-groups", "P-256:P-384"),
    "nginx": nginx,
    "HAProxy": haproxy,
    "wiretight": our_own,
    "GnuTLS": gnutls("NORMAL"),
    "GnuTLS, legacy": gnutls("LEGACY:+VERS-TLS1.0:+VERS-TLS1.1:+3DES-CBC:+ARCFOUR-128:+MD5:+SIGN-RSA-SHA1:%COMPAT"),
    "Go, old": go,
}
