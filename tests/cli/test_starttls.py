"""connect --starttls: asks a server in its own protocol to continue in TLS."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.command import assert_one_line, wiretight
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.sockets import receive_exactly


def report(port: int, *arguments: object) -> Any:
    result = wiretight("connect", f"{HOST}:{port}", "--json", *arguments)
    assert result.stdout, result.stderr
    return json.loads(result.stdout)


# --- Protocols of lines -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("protocol", "lines"),
    [
        ("smtp", [b"220-hello\r\n220 ready\r\n", b"250-here\r\n250 STARTTLS\r\n", b"220 go\r\n"]),
        ("imap", [b"* OK ready\r\n", b"* a note\r\na OK begin\r\n"]),
        ("pop3", [b"+OK ready\r\n", b"+OK begin\r\n"]),
        ("ftp", [b"220 ready\r\n", b"234 begin\r\n"]),
        ("lmtp", [b"220 ready\r\n", b"250-here\r\n250 STARTTLS\r\n", b"220 go\r\n"]),
        ("nntp", [b"201 ready\r\n", b"382 begin\r\n"]),
        ("smtp", [b"220\r\n", b"250-here\r\n250\r\n", b"220\r\n"]),
        ("imap", [b"* ok ready\r\n", b"a Ok begin\r\n"]),
        ("sieve", [b"ok\r\n", b"Ok\r\n"]),
        ("sieve", [b'"IMPLEMENTATION" "here"\r\n"STARTTLS"\r\nOK\r\n', b'OK "begin"\r\n']),
    ],
)
def test_starttls_upgrades_a_plain_connection(
    saying: Callable[..., int], certificates: Certificates, protocol: str, lines: list[bytes]
) -> None:
    context = certificates.server_context()

    def tls_from_here(sock: socket.socket) -> None:
        while not sock.recv(4096).endswith(b"\n"):
            pass
        sock.sendall(lines[-1])
        with context.wrap_socket(sock, server_side=True) as wrapped:
            wrapped.recv(1)

    port = saying(*lines[:-1], then=tls_from_here)

    facts = report(port, "--cafile", certificates.ca_file, "--starttls", protocol)

    assert (facts["verified"], facts["session_reused"]) == (True, True)


@pytest.mark.parametrize(
    ("protocol", "lines"),
    [
        ("smtp", [b"554 go away\r\n"]),
        ("smtp", [b"220 ready\r\n", b"250 here\r\n", b"454 not now\r\n"]),
        ("imap", [b"* OK ready\r\n", b"a BAD what\r\n"]),
        ("pop3", [b"+OK ready\r\n", b"-ERR what\r\n"]),
        ("ftp", [b"220 ready\r\n", b"502 what\r\n"]),
        ("nntp", [b"200 ready\r\n", b"580 what\r\n"]),
        ("sieve", [b"OK\r\n", b"NO\r\n"]),
        ("ftp", [b"x" * 5000]),
        ("ftp", [b"note\r\n" * 200]),
        ("ftp", [b""]),
    ],
)
def test_a_server_without_starttls_is_reported(saying: Callable[..., int], protocol: str, lines: list[bytes]) -> None:
    port = saying(*lines)

    assert_one_line(wiretight("connect", f"{ADDRESS}:{port}", "--starttls", protocol), f"{ADDRESS}:{port}")


# --- Others -----------------------------------------------------------------------------------------------------------

MYSQL_TLS = 0x800
XMPP = b"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"
XMPP_TLS = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'"


def postgres(sock: socket.socket, answer: bytes = b"S") -> None:
    assert receive_exactly(sock, 8) == b"\0\0\0\x08\x04\xd2\x16\x2f"
    sock.sendall(answer)


def mysql(sock: socket.socket, capabilities: int = MYSQL_TLS | 0x200) -> None:
    greeting = b"\x0a8.0.36\0" + b"\1\0\0\0" + b"12345678\0" + capabilities.to_bytes(2, "little")
    greeting += b"\x2d\2\0\0\0\x15" + bytes(10) + b"123456789012\0mysql_native_password\0"
    sock.sendall(len(greeting).to_bytes(3, "little") + b"\0" + greeting)
    if capabilities & MYSQL_TLS:
        head = receive_exactly(sock, 4)
        request = receive_exactly(sock, int.from_bytes(head[:3], "little"))
        assert (len(request), head[3]) == (32, 1)
        assert int.from_bytes(request[:4], "little") & MYSQL_TLS


def ldap(sock: socket.socket, result: bytes = b"\0", length: bytes = b"\x07") -> None:
    size = receive_exactly(sock, 2)[1]
    assert b"\x801.3.6.1.4.1.1466.20037"[1:] in receive_exactly(sock, size)
    response = b"\x02\x01\x01\x78" + length + b"\x0a\x01" + result + b"\x04\x00\x04\x00"
    sock.sendall(b"\x30" + bytes([len(response)]) + response)


def xmpp(
    sock: socket.socket, features: bytes = XMPP_TLS + b"><required/></starttls>", last: bytes = b"proceed"
) -> None:
    receive_until(sock, b"<stream:stream")
    sock.sendall(XMPP + b"<stream:features>" + features + b"</stream:features>")
    if b"starttls" in features:
        receive_until(sock, b"<starttls")
        sock.sendall(b"<" + last + b" xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")


def receive_until(sock: socket.socket, tag: bytes) -> None:
    data = b""
    while tag not in data or not data.rstrip().endswith(b">"):
        data += sock.recv(4096)


def long_ldap(sock: socket.socket) -> None:
    ldap(sock, length=b"\x84\0\0\0\x07")


PEERS = {"postgres": postgres, "mysql": mysql, "ldap": ldap, "xmpp": xmpp, "ldap with long lengths": long_ldap}


@pytest.mark.parametrize("client", ["wiretight", "openssl"])
@pytest.mark.parametrize("peer", PEERS)
def test_a_server_of_another_kind_is_asked(
    saying: Callable[..., int], certificates: Certificates, peer: str, client: str
) -> None:
    """And it is one, because OpenSSL's own client agrees."""
    context = certificates.server_context()
    protocol = peer.partition(" ")[0]

    def speak(sock: socket.socket) -> None:
        PEERS[peer](sock)
        with context.wrap_socket(sock, server_side=True) as wrapped:
            wrapped.recv(1)

    port = saying(b"", then=speak)
    if client == "openssl":
        if shutil.which("openssl") is None:
            pytest.skip("openssl is not installed")
        command = ["openssl", "s_client", "-connect", f"{HOST}:{port}", "-starttls", protocol, "-brief"]
        result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
        assert "CONNECTION ESTABLISHED" in result.stderr, result.stderr
        return
    facts = report(port, "--cafile", certificates.ca_file, "--starttls", protocol)
    assert (facts["verified"], facts["session_reused"]) == (True, True)


@pytest.mark.parametrize(
    ("protocol", "speak", "words"),
    [
        ("postgres", lambda sock: postgres(sock, b"N"), "does not offer STARTTLS"),
        ("postgres", lambda sock: postgres(sock, b"E"), "does not answer as --starttls expects"),
        ("mysql", lambda sock: mysql(sock, 0x200), "does not offer STARTTLS"),
        ("mysql", lambda sock: sock.sendall(b"\x10\0\0\0\xff\x10\x04Too many conn"), "'Too many conn'"),
        ("mysql", lambda sock: sock.sendall(b"\xff\xff\xff\0"), "does not answer as --starttls expects"),
        ("mysql", lambda sock: sock.sendall(b"\x03\0\0\0\x0aab"), "does not answer as --starttls expects"),
        ("ldap", lambda sock: ldap(sock, b"\x02"), "result code 2"),
        ("ldap", lambda sock: ldap(sock, length=b"\x85\0\0\0\0\x07"), "does not answer as --starttls expects"),
        ("ldap", lambda sock: sock.sendall(b"\x30\x84\xff\xff\xff\xff"), "does not answer as --starttls expects"),
        ("ldap", lambda sock: sock.sendall(b"HTTP/1.1 400"), "does not answer as --starttls expects"),
        ("xmpp", lambda sock: xmpp(sock, b"<mechanisms/>"), "does not offer STARTTLS"),
        ("xmpp", lambda sock: xmpp(sock, last=b"failure"), "does not offer STARTTLS"),
        ("xmpp", lambda sock: sock.sendall(b"x" * 5000), "does not answer as --starttls expects"),
    ],
)
def test_a_server_of_another_kind_without_it_is_reported(
    saying: Callable[..., int], protocol: str, speak: Callable[[socket.socket], None], words: str
) -> None:
    port = saying(b"", then=speak)

    assert_one_line(wiretight("connect", f"{ADDRESS}:{port}", "--starttls", protocol), f"{ADDRESS}:{port}", words)
