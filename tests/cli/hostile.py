"""Servers that are none: each does to whoever connects what no client should be hurt by."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from tests.kit.certificates import ADDRESS

Conduct = Callable[[socket.socket, threading.Event], None]

RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


@contextlib.contextmanager
def serving(conduct: Conduct, connections: int | None = None) -> Iterator[int]:
    """A server that treats each connection so, in a thread of its own; it listens for as many, or for the block."""
    over = threading.Event()
    threads: list[threading.Thread] = []
    with socket.create_server((ADDRESS, 0), backlog=64) as listener:

        def treat(sock: socket.socket) -> None:
            with sock, contextlib.suppress(OSError):
                conduct(sock, over)

        def accept() -> None:
            accepted = 0
            while connections is None or accepted < connections:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                accepted += 1
                threads.append(threading.Thread(target=treat, args=(sock,)))
                threads[-1].start()
            listener.close()

        acceptor = threading.Thread(target=accept)
        acceptor.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            over.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            acceptor.join()
            for thread in threads:
                thread.join()


# --- What they say ----------------------------------------------------------------------------------------------------


def record(kind: int, data: bytes, version: int = 0x0303) -> bytes:
    return struct.pack(">BHH", kind, version, len(data)) + data


def message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def vector(size: int, data: bytes) -> bytes:
    return len(data).to_bytes(size, "big") + data


def extension(number: int, data: bytes) -> bytes:
    return number.to_bytes(2, "big") + vector(2, data)


def server_hello(
    version: int = 0x0303, suite: int = 0xC02F, extensions: bytes = b"", compression: int = 0, random: bytes = bytes(32)
) -> bytes:
    body = version.to_bytes(2, "big") + random + vector(1, b"") + suite.to_bytes(2, "big") + bytes([compression])
    return message(2, body + (vector(2, extensions) if extensions else b""))


def certificates(*ders: bytes) -> bytes:
    return message(11, vector(3, b"".join(vector(3, der) for der in ders)))


DONE = message(14, b"")
_TYPES = vector(1, b"\1") + vector(2, b"\4\1")
REQUEST = message(13, _TYPES + vector(2, b""))
BAD_REQUEST = message(13, _TYPES + vector(2, vector(2, b"\x30\xff") + vector(2, b"\x1b[2J")))


def hello_1_3(share: bytes, suite: int = 0x1303, random: bytes = bytes(32)) -> bytes:
    """A ServerHello of TLS 1.3, or the request for another hello."""
    return server_hello(suite=suite, random=random, extensions=extension(43, b"\x03\x04") + extension(51, share))


# --- What they do -----------------------------------------------------------------------------------------------------


def say(*parts: bytes) -> Conduct:
    """Hear something, say this, and wait for the end."""

    def conduct(sock: socket.socket, over: threading.Event) -> None:
        sock.recv(65536)
        for part in parts:
            sock.sendall(part)
        until_closed(sock, over)

    return conduct


def flight(*messages: bytes) -> Conduct:
    return say(record(22, b"".join(messages)))


def until_closed(sock: socket.socket, over: threading.Event) -> None:
    sock.settimeout(0.05)
    while not over.is_set():
        try:
            if not sock.recv(65536):
                return
        except TimeoutError:
            pass


def at_once(data: bytes) -> Conduct:
    def conduct(sock: socket.socket, over: threading.Event) -> None:
        sock.sendall(data)
        until_closed(sock, over)

    return conduct


def close(sock: socket.socket, _over: threading.Event) -> None:
    pass


def close_after_hello(sock: socket.socket, _over: threading.Event) -> None:
    sock.recv(65536)


def reset(sock: socket.socket, _over: threading.Event) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_after_hello(sock: socket.socket, over: threading.Event) -> None:
    sock.recv(65536)
    reset(sock, over)


def slowly(data: bytes) -> Conduct:
    """A byte ten times a second."""

    def conduct(sock: socket.socket, over: threading.Event) -> None:
        for at in range(len(data)):
            if over.wait(0.1):
                return
            sock.sendall(data[at : at + 1])

    return conduct


def flood(piece: bytes) -> Conduct:
    """The same, for ever."""

    def conduct(sock: socket.socket, over: threading.Event) -> None:
        sock.recv(65536)
        while not over.is_set():
            sock.sendall(piece)

    return conduct


def begin_and_flood(begin: bytes, piece: bytes) -> Conduct:
    def conduct(sock: socket.socket, over: threading.Event) -> None:
        sock.recv(65536)
        sock.sendall(begin)
        while not over.is_set():
            sock.sendall(piece)

    return conduct


def echo(sock: socket.socket, over: threading.Event) -> None:
    while not over.is_set() and (data := sock.recv(65536)):
        sock.sendall(data)


def byte_by_byte(sock: socket.socket, _over: threading.Event) -> None:
    """Each byte of a handshake message in a record of its own."""
    sock.recv(65536)
    for byte in server_hello() + certificates(b"no certificate") + DONE:
        sock.sendall(record(22, bytes([byte])))


HELLO_1_2 = record(22, server_hello())

CONDUCTS: dict[str, Conduct] = {
    "says nothing": until_closed,
    "closes at once": close,
    "closes after the hello": close_after_hello,
    "resets at once": reset,
    "resets after the hello": reset_after_hello,
    "a byte at a time, of a ServerHello": slowly(HELLO_1_2),
    "a byte at a time, of anything": slowly(b"\x16\x03\x03\x40\x00" + bytes(100)),
    "garbage": say(bytes(range(256)) * 16),
    "random bytes": say(os.urandom(4096)),
    "zeros for ever": flood(bytes(65536)),
    "empty records for ever": flood(record(22, b"") * 1000),
    "warnings for ever": flood(record(21, b"\x01\x5a") * 1000),
    "a message that never ends": begin_and_flood(record(22, b"\x02\xff\xff\xff"), record(22, bytes(16384))),
    "certificates for ever": begin_and_flood(HELLO_1_2, record(22, certificates(bytes(16000)))),
    "requests for ever": begin_and_flood(HELLO_1_2, record(22, REQUEST)),
    "the same suite for every hello": flight(server_hello(), DONE),
    "the same suite of TLS 1.3 for every hello": flight(hello_1_3(b"\0\x17\0\1\0", 0x1301)),
    "the same request for a share for every hello": flight(hello_1_3(b"\0\x17", 0x1301, RETRY)),
    "the same alert for every hello": say(record(21, b"\x02\x28")),
    "an alert nobody knows": say(record(21, b"\x02\xee")),
    "an alert of three bytes": say(record(21, b"\x02\x28\x00")),
    "close_notify": say(record(21, b"\x01\x00")),
    "HTTP after the hello": say(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "HTTP at once": at_once(b"HTTP/1.0 408 Request Timeout\r\n\r\n"),
    "SSH": at_once(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "SMTP": at_once(b"220 mail.example.org ESMTP\r\n"),
    "a banner with escapes": at_once(b"\x1b[2J\x1b]0;evil\x07\r\n"),
    "half a ServerHello": say(HELLO_1_2[:20]),
    "half a ServerHello, and the end": lambda sock, over: (sock.recv(65536), sock.sendall(HELLO_1_2[:20]))[0] and None,
    "extensions that are too long": flight(server_hello() + b"\0\xff\0\0", DONE),
    "an extension that is too long": flight(server_hello(extensions=b"\0\x10\xff\xff"), DONE),
    "a version that is none": flight(server_hello(version=0x1234), DONE),
    "a version to come": flight(server_hello(extensions=extension(43, b"\x03\x05")), DONE),
    "TLS 1.2 as TLS 1.3 says it": flight(server_hello(extensions=extension(43, b"\x03\x03")), DONE),
    "a certificate first": flight(certificates(b"x"), DONE),
    "a certificate that is none": flight(server_hello(), certificates(b"", b"\x30\x80", b"x" * 3000), DONE),
    "a ServerHello, and data": say(HELLO_1_2 + record(23, bytes(100))),
    "a ServerHello of TLS 1.3, and nothing": flight(hello_1_3(b"\0\x17" + vector(2, bytes(65)))),
    "a ServerHello of TLS 1.3, and what cannot be decrypted": say(
        record(22, hello_1_3(b"\0\x17" + vector(2, b"\4" + bytes(64)))) + record(23, bytes(300))
    ),
    "a share that is none": flight(hello_1_3(b"\0\x17\0\3abc")),
    "authorities that are none": flight(server_hello(), certificates(b"x"), BAD_REQUEST, DONE),
    "ALPN with escapes": flight(server_hello(extensions=extension(16, vector(2, vector(1, b"\x1b[2J")))), DONE),
    "ALPN that is none": flight(server_hello(extensions=extension(16, b"\xff")), DONE),
    "a record of 64 KiB": say(b"\x16\x03\x03\xff\xff" + bytes(65535)),
    "a record of another protocol": say(b"\x16\x05\x03\x00\x04" + bytes(4)),
    "a ServerHello of SSL 2.0 that lies": say(b"\x80\x0b\x04\0\1\0\2\xff\xff\xff\xff\xff\xff"),
    "our own hello": echo,
    "records of one byte": byte_by_byte,
}  # fmt: skip
