"""gnutls-cli and gnutls-serv."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from typing import Any

from tests.interop.peers.peer import Peer, Serving, output
from tests.interop.peers.pipe import converse
from tests.interop.peers.terms import Answer, Said, Terms
from tests.kit.certificates import ADDRESS, HOST
from tests.kit.programs import Process
from tests.kit.sockets import free_port, receive_all, receive_exactly


class GnuTLS(Peer):
    name = "GnuTLS"
    programs = ("gnutls-cli", "gnutls-serv")
    packages = ("gnutls-bin",)

    def version(self) -> str:
        return output("gnutls-cli", "--version").split()[1]

    def call(self, terms: Terms, port: int) -> Answer:
        options: list[Any] = ["--port", port, *only(terms), "--x509cafile", terms.certificates.ca_file]
        options += ["--sni-hostname", HOST, "--verify-hostname", HOST]
        if terms.client_credentials is not None:
            chain, key = terms.client_credentials
            options += ["--x509certfile", chain, "--x509keyfile", key]
        for protocol in terms.alpn:
            options += ["--alpn", protocol]
        if terms.resume:
            # Its first connection is over when it has the ticket: no line goes through it.
            options += ["--resume", "--waitresumption"]
        with Process("gnutls-cli", *options, ADDRESS) as client:
            data = converse(client, terms)
            return Answer(data, spoken(client.output))

    def serve_our_end(self, terms: Terms) -> Any:
        usual = super().serve_our_end(terms)

        def serve(sock: Any) -> None:
            if terms.resume and not sock.session_reused:
                with contextlib.suppress(ConnectionError):
                    assert sock.recv(1) == b""
            else:
                usual(sock)

        return serve

    @contextlib.contextmanager
    def serve(self, terms: Terms) -> Iterator[Serving]:
        chain, key = terms.certificates.server
        port = free_port()
        options: list[Any] = ["--echo", "--port", port, *only(terms), "--x509certfile", chain, "--x509keyfile", key]
        if terms.demands_certificate:
            options += ["--require-client-cert", "--verify-client-cert", "--x509cafile", terms.certificates.ca_file]
        else:
            options += ["--disable-client-cert"]
        for protocol in terms.alpn:
            options += ["--alpn", protocol]
        with Process("gnutls-serv", *options) as server:
            server.line_with(f"IPv4 0.0.0.0 port {port}...done")
            yield Serving(port, lambda: spoken_by_server(server, terms), ask_by_lines, server)


def only(terms: Terms) -> tuple[str, str]:
    return ("--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{terms.number}")


def ask_by_lines(sock: Any, terms: Terms) -> bytes:
    """The half of an exchange with a server that answers each line before it reads the next."""
    if terms.half_close:
        sock.sendall(terms.data)
        sock.shutdown(socket.SHUT_WR)
        return receive_all(sock)
    answers = []
    for line in terms.data.splitlines(keepends=True):
        sock.sendall(line)
        answers.append(receive_exactly(sock, len(line)))
    return b"".join(answers)


def spoken(text: str) -> Said:
    """What either program has written about its last connection."""
    said: Said = {}
    for version in re.findall(r"^- Description: \(TLS(1\.\d)", text, re.MULTILINE):
        said["version"] = f"TLSv{version}"
    for protocol in re.findall(r"^- Application protocol: (\S+)", text, re.MULTILINE):
        said["alpn"] = protocol
    said["resumed"] = "This is a resumed session" in text
    return said


def spoken_by_server(server: Process, terms: Terms) -> Said:
    """What gnutls-serv has written about the last connection; waits for its last line."""
    server.line_with("received cmd: ", terms.connections)
    return spoken(server.output)
