"""openssl s_client and s_server."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

from tests.interop.peers.peer import Peer, Reasons, Serving, ask, output
from tests.interop.peers.pipe import converse
from tests.interop.peers.terms import CLIENT, HALF_CLOSE, Answer, Said, Terms
from tests.kit.programs import OpenSSLClient, OpenSSLServer, Process
from tests.kit.sockets import receive_exactly


class OpenSSL(Peer):
    name = "OpenSSL"
    programs = ("openssl",)
    packages = ("openssl",)
    cannot: ClassVar[Reasons] = {(CLIENT, HALF_CLOSE): "s_client stops reading when it has sent its close_notify."}

    def version(self) -> str:
        return output("openssl", "version").split()[1]

    def call(self, terms: Terms, port: int) -> Answer:
        session = terms.folder / "session"
        if terms.resume:
            self._call(terms, port, "-sess_out", session)
            return self._call(terms, port, "-sess_in", session)
        return self._call(terms, port)

    def _call(self, terms: Terms, port: int, *options: Any) -> Answer:
        options = ("-nocommands", *options)
        if terms.client_credentials is not None:
            chain, key = terms.client_credentials
            options += ("-cert", chain, "-cert_chain", chain, "-key", key)
        if terms.alpn:
            options += ("-alpn", ",".join(terms.alpn))
        with OpenSSLClient(port, terms.certificates.ca_file, terms.version, *options) as client:
            data = converse(client, terms)
            return Answer(data, spoken(client.output))

    @contextlib.contextmanager
    def serve(self, terms: Terms) -> Iterator[Serving]:
        options: tuple[Any, ...] = ()
        if terms.demands_certificate:
            options += ("-Verify", 1, "-verify_return_error", "-CAfile", terms.certificates.ca_file)
        if terms.alpn:
            options += ("-alpn", ",".join(terms.alpn))
        if terms.half_close:
            options += ("-rev",)
        with OpenSSLServer(terms.certificates.server, terms.version, *options) as server:
            conversation = ask_for_the_reverse if terms.half_close else partial(ask_through, server)
            yield Serving(server.port, lambda: spoken_by_server(server, terms), conversation, server)


def ask_for_the_reverse(sock: Any, terms: Terms) -> bytes:
    """The half of an exchange with a server that answers a line with the line reversed."""
    return ask(sock, terms)[-2::-1] + b"\n"


def ask_through(server: Process, sock: Any, terms: Terms) -> bytes:
    """The half of an exchange with a server whose standard streams carry the plaintext."""
    sock.sendall(terms.data)
    assert server.says(terms.data)
    server.say(terms.data)
    return receive_exactly(sock, len(terms.data))


def spoken(text: str) -> Said:
    """What s_client has written about its last connection."""
    said: Said = {}
    for kind, version in re.findall(r"^(New|Reused), (TLSv1\.\d), Cipher is", text, re.MULTILINE):
        said.update(resumed=kind == "Reused", version=version)
    for protocol in re.findall(r"^ALPN protocol: (\S+)", text, re.MULTILINE):
        said["alpn"] = protocol
    return said


def spoken_by_server(server: Process, terms: Terms) -> Said:
    """What s_server has written about the last connection; waits for its last line."""
    # Up to 3.4 "Secure Renegotiation IS ...", since 3.5 in TLS 1.3 "This TLS version forbids renegotiation."
    server.line_with("enegotiation", terms.connections)
    protocols = re.findall(r"^ALPN protocols selected: (\S+)", server.output, re.MULTILINE)
    said: Said = {"resumed": "Reused session-id" in server.output}
    return {**said, "alpn": protocols[-1]} if protocols else said
