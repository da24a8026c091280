"""haproxy in TCP mode."""

from __future__ import annotations

from pathlib import Path

from tests.interop.peers.peer import output
from tests.interop.peers.proxy import MARK, Proxy
from tests.interop.peers.terms import Terms
from tests.kit.certificates import ADDRESS, HOST, Credentials
from tests.kit.programs import Process


class HAProxy(Proxy):
    name = "HAProxy"
    programs = ("haproxy",)
    packages = ("haproxy",)

    def version(self) -> str:
        return output("haproxy", "-v").split()[2].partition("-")[0]

    def process(self, terms: Terms, role: str, port: int, to: int) -> Process:
        bind, server = (of_server(terms), "") if role == "server" else ("", of_client(terms))
        side = "fc" if role == "server" else "bc"
        facts = f"version=%[ssl_{side}_protocol] alpn=%[ssl_{side}_alpn] resumed=%[ssl_{side}_is_resumed]"
        if role == "server":
            facts += " certificate=%[ssl_c_serial,hex]"
        text = f"""
            global
                nbthread 1  # each thread has sessions of its own
                log stdout format raw local0
            defaults
                mode tcp
                log global
                retries 0
                log-format "{MARK} {facts}"
                timeout connect 30s
                timeout client 30s
                timeout server 30s
            frontend near
                bind {ADDRESS}:{port} {bind}
                default_backend far
            backend far
                server only {ADDRESS}:{to} {server}
        """
        (terms.folder / "haproxy.cfg").write_text(text + "\n")
        process = Process("haproxy", "-W", "-db", "-f", terms.folder / "haproxy.cfg")
        try:
            process.line_with("Loading success")
        except BaseException:
            process.__exit__()
            raise
        return process


def of_server(terms: Terms) -> str:
    options = f"ssl crt {in_one_file(terms.certificates.server, terms.folder)} {only(terms)}"
    if terms.alpn:
        options += f" alpn {','.join(terms.alpn)}"
    if terms.demands_certificate:
        options += f" ca-file {terms.certificates.ca_file} verify required"
    return options


def of_client(terms: Terms) -> str:
    options = f"ssl verify required ca-file {terms.certificates.ca_file} sni str({HOST}) {only(terms)}"
    if terms.alpn:
        options += f" alpn {','.join(terms.alpn)}"
    if terms.client_credentials is not None:
        options += f" crt {in_one_file(terms.client_credentials, terms.folder)}"
    return options


def only(terms: Terms) -> str:
    return f"ssl-min-ver {terms.name} ssl-max-ver {terms.name}"


def in_one_file(credentials: Credentials, folder: Path) -> Path:
    """A chain and its key, in haproxy's format."""
    path = folder / "own.pem"
    path.write_bytes(credentials.chain.read_bytes() + credentials.key.read_bytes())
    return path
