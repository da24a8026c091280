"""Handshakes: a message callback that keeps what the two ends of each connection said, and puts it in words."""

import time
from dataclasses import asdict
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import wiretight as ssl
from wiretight._cli.connect.chain import decoded
from wiretight._cli.trace.messages import client_hello, name_and_details
from wiretight._cli.trace.names import EXTENSIONS, GROUPS, name_of
from wiretight._core.base.reader import Reader, Undecodable
from wiretight._tls.clienthello import ClientHello, parse
from wiretight._tls.fingerprints import ja3, ja3_hash, ja4, ja4_r

_HANDSHAKE = 22
_CLIENT_HELLO, _CERTIFICATE, _FINISHED = 1, 11, 20
_OURS = {2, _CERTIFICATE, 12, 15}  # what the server chose, shows and signs
_MOST = 32  # messages; a handshake has some ten, and a client could go on sending them
_TLS13 = 0x0304

Document = dict[str, Any]


class _Message(NamedTuple):
    at: float
    from_client: bool
    version: int
    kind: int
    size: int
    data: bytes  # of those that are looked at later, the others are b""


class Handshakes:
    """The callback for a server's context. It only keeps the few messages that `document()` takes apart later.

    What it keeps of a connection is a few kilobytes, 128 KiB if the client says as much, and goes with the connection.
    """

    def __init__(self) -> None:
        self._seen: WeakKeyDictionary[Any, list[_Message]] = WeakKeyDictionary()

    def __call__(
        self, connection: Any, direction: str, version: int, content_type: int, _message_type: int, data: bytes
    ) -> None:
        if content_type != _HANDSHAKE or not data:
            return
        messages = self._seen.setdefault(connection, [])
        if len(messages) >= _MOST:
            return
        from_client, kind = direction == "read", data[0]
        is_first_hello = from_client and kind == _CLIENT_HELLO and not messages
        kept = data if is_first_hello or (not from_client and kind in _OURS) else b""
        messages.append(_Message(time.perf_counter(), from_client, version, kind, len(data), kept))

    def document(self, connection: Any) -> Document:
        """What was agreed on, by whom, and how; what the client offered. All that JSON needs, and the page shows."""
        info = connection.connection_info()
        messages = self._seen.get(connection, [])
        chosen = _chosen(messages)
        group = chosen.get("group") or info.group
        signature = chosen.get("signature_algorithm") or info.server_signature
        hello = _hello(messages)
        return {
            "version": info.version,
            "cipher_suite": info.cipher,
            "cipher_bits": info.cipher_bits,
            "group": group,
            "post_quantum": group is not None and "MLKEM" in str(group),
            "server_signature": None if info.session_reused else signature,
            "session_reused": info.session_reused,
            "alpn": info.alpn_protocol,
            "server_name": None if hello is None else hello.server_name,
            "hello_retry_request": "retry" in chosen,
            "milliseconds": _duration(messages),
            **_fingerprints(hello),
            "certificate": _certificate(messages, connection),
            "client_certificate": _client_certificate(connection),
            "client_hello": None if hello is None else _offer(hello),
            "messages": _conversation(messages),
        }


def _hello(messages: list[_Message]) -> ClientHello | None:
    try:
        return parse(messages[0].data) if messages else None
    except Undecodable:
        return None  # OpenSSL was less strict


def _chosen(messages: list[_Message]) -> Document:
    """The group and the signature algorithm, and whether the client had to try again with another group."""
    found: Document = {}
    for message in messages:
        if message.data and not message.from_client and message.kind != _CERTIFICATE:
            name, details = name_and_details(message.data, message.version)
            found.update(details)
            if name == "HelloRetryRequest":
                found["retry"] = True
    return found


def _offer(hello: ClientHello) -> Document:
    details = client_hello(hello)
    return {
        "bytes": len(hello.raw),
        **details,
        "post_quantum": any("MLKEM" in name_of(number, GROUPS) for number in hello.groups),
        "extensions": [
            {"number": number, "name": name_of(number, EXTENSIONS), "bytes": len(hello.bodies[number])}
            for number in hello.extensions
        ],
    }


def _fingerprints(hello: ClientHello | None) -> Document:
    if hello is None:
        return {"ja4": None, "ja4_r": None, "ja3": None, "ja3_hash": None}
    return {"ja4": ja4(hello), "ja4_r": ja4_r(hello), "ja3": ja3(hello), "ja3_hash": ja3_hash(hello)}


def _duration(messages: list[_Message]) -> float | None:
    """From the client's first message to the second Finished, each of which is the end of a direction."""
    ends = [message.at for message in messages if message.kind == _FINISHED]
    return round((ends[1] - messages[0].at) * 1000, 2) if len(ends) > 1 else None


def _certificate(messages: list[_Message], connection: Any) -> Document | None:
    """The one that the server sent; in a resumed session, which has none, the one that it would send now."""
    for message in messages:
        if message.kind == _CERTIFICATE and message.data:
            body = Reader(message.data)
            body.take(4)
            if message.version >= _TLS13:
                body.vector(1)
            return {**_described(body.vector(3).vector(3).rest()), "sent": True}
    held = connection.context.credentials
    return {**_described(held[0].certificates[0].der()), "sent": False} if held else None


def _client_certificate(connection: Any) -> Document | None:
    encoded = connection.getpeercert(binary_form=True)
    return None if encoded is None else _described(encoded)


def _described(encoded: bytes) -> Document:
    certificate = asdict(decoded(ssl.Certificate.from_der(encoded)))
    del certificate["pem"]
    return certificate


def _conversation(messages: list[_Message]) -> list[Document]:
    found = []
    for message in messages:
        name, _ = name_and_details(message.data or bytes([message.kind]), message.version)
        found.append(
            {
                "milliseconds": round((message.at - messages[0].at) * 1000, 2),
                "from": "client" if message.from_client else "server",
                "name": name,
                "bytes": message.size,
            }
        )
    return found
