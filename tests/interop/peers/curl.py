"""curl, which sends the data as the body of a request and takes it from the answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from tests.interop.http import answer
from tests.interop.peers.peer import Peer, Reasons, output
from tests.interop.peers.terms import CLIENT, HALF_CLOSE, SERVER, Answer, Terms
from tests.kit.certificates import HOST
from tests.kit.programs import curl


class Curl(Peer):
    name = "curl"
    programs = ("curl",)
    packages = ("curl",)
    cannot: ClassVar[Reasons] = {
        (SERVER,): "curl is a client.",
        (CLIENT, HALF_CLOSE): "HTTP's clients keep their direction open until they have the answer.",
    }

    def version(self) -> str:
        words = output("curl", "--version").split()
        return f"{words[1]} ({next(word for word in words if word.startswith('OpenSSL/'))})"

    def call(self, terms: Terms, port: int) -> Answer:
        url = f"https://{HOST}:{port}/"
        options: list[Any] = ["--verbose", "--ipv4", "--header", "Expect:", "--data-binary", "@-"]
        options += ["--cacert", terms.certificates.ca_file, "--tls-max", terms.number, f"--tlsv{terms.number}"]
        if terms.client_credentials is not None:
            chain, key = terms.client_credentials
            options += ["--cert", chain, "--key", key]
        # It offers h2 with HTTP/1.1, or HTTP/1.1 alone, or nothing.
        options += ["--http2" if "h2" in terms.alpn else "--http1.1"] if terms.alpn else ["--no-alpn"]
        if terms.resume:
            options += [url]  # twice, over two connections: the server ends each
        done = curl(url, *options, data=terms.data)
        text = done.stderr.decode(errors="replace")
        # Up to 8.11 "SSL re-using session ID", since 8.12 "SSL reusing session with ALPN ..."
        said: dict[str, Any] = {"resumed": re.search("SSL re-?using session", text) is not None}
        for version in re.findall(r"SSL connection using (TLSv1\.\d)", text):
            said["version"] = version
        for protocol in re.findall(r"ALPN: server accepted (\S+)", text):
            said["alpn"] = protocol
        return Answer(done.stdout[-len(terms.data) :], said)

    def serve_our_end(self, terms: Terms) -> Callable[[Any], None]:
        return answer
