"""tlslite-ng as a peer of the interoperation tests. tests/interop/peers/scripted.py says how it is called."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

from tlslite.api import HandshakeSettings, SessionCache, TLSConnection, X509CertChain, parsePEMKey

terms = json.loads(sys.argv[1])
settings = HandshakeSettings()
settings.minVersion = settings.maxVersion = {"1.2": (3, 3), "1.3": (3, 4)}[terms["version"]]
ALPN = [bytearray(name, "ascii") for name in terms["alpn"]] or None


def own_credentials():
    if terms["chain"] is None:
        return None, None
    chain = X509CertChain()
    chain.parsePemList(Path(terms["chain"]).read_text())
    return chain, parsePEMKey(Path(terms["key"]).read_text(), private=True)


def said(number, connection):
    chain = connection.session.clientCertChain if terms["role"] == "server" else None
    facts = {
        "version": connection.getVersionName().replace(" ", "v"),
        "alpn": bytes(connection.session.appProto or b"").decode(),
    }
    if terms["role"] == "client" or terms["version"] == "1.2":  # of a ticket in TLS 1.3 its server does not tell
        facts["resumed"] = bool(connection.resumed)
    if terms["role"] == "server":
        facts["certificate"] = bool(chain)
    return f"connection {number} {json.dumps(facts)}"


def received(connection):
    data = b""
    while terms["half_close"] or len(data) < terms["size"]:
        part = connection.recv(65536)
        if not part:
            break
        data += part
    return data


def call(data, number, session):
    connection = TLSConnection(socket.create_connection((terms["address"], terms["port"])))
    chain, key = own_credentials()
    connection.handshakeClientCert(chain, key, session=session, settings=settings, serverName="localhost", alpn=ALPN)
    connection.sendall(data)
    answer = received(connection)
    print(said(number, connection), file=sys.stderr)
    connection.close()
    return answer, connection.session


def answer(connection, number, cache):
    chain, key = own_credentials()
    connection.handshakeServer(
        certChain=chain, privateKey=key, settings=settings, sessionCache=cache, alpn=ALPN,
        reqCert=terms["demands_certificate"],
    )  # fmt: skip
    if terms["demands_certificate"] and not connection.session.clientCertChain:
        connection.sock.close()
        return
    print(said(number, connection), flush=True)
    connection.sendall(received(connection))
    connection.close()


def main():
    if terms["role"] == "client":
        data = sys.stdin.buffer.read()
        back, session = call(data, 1, None)
        if terms["resume"]:
            back, session = call(data, 2, session)
        sys.stdout.buffer.write(back)
        return
    cache = SessionCache()
    settings.ticketKeys = [bytearray(b"0123456789abcdef" * 2)]
    with socket.create_server((terms["address"], 0)) as listener:
        print(f"port {listener.getsockname()[1]}", flush=True)
        for number in range(1, 10):
            answer(TLSConnection(listener.accept()[0]), number, cache)


main()
