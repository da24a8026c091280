"""Messages: what a message of a handshake says, in words (RFC 5246, RFC 8446).

They come from a peer, who may send anything: what cannot be decoded is an Undecodable.
"""

from collections.abc import Callable

import wiretight as ssl
from wiretight._cli.connect.chain import in_words
from wiretight._cli.trace.names import EXTENSIONS, GROUPS, MESSAGES, SIGNATURES, VERSIONS, cipher_name, name_of
from wiretight._core.base.reader import Reader, Undecodable
from wiretight._tls.clienthello import ClientHello, parse

Details = dict[str, object]

_CERTIFICATE = ssl.Certificate  # before a program can put its own there

_TLS13 = 0x0304
# RFC 8446, 4.1.3: the random number that makes a ServerHello a HelloRetryRequest.
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


def name_and_details(message: bytes, version: int) -> tuple[str, Details]:
    """The name of a handshake message with its header, on a connection of this version, and what it says."""
    name = MESSAGES.get(message[0]) if message else None
    if name is None:
        return f"handshake message {message[0]}" if message else "empty message", {}
    if name == "ServerHello" and message[6:38] == RETRY:
        name = "HelloRetryRequest"
    read = _READERS.get(name)
    try:
        if name == "ClientHello":
            return name, client_hello(parse(message))
        reader = Reader(message)
        reader.number(1)
        return name, {} if read is None else read(reader.vector(3), version >= _TLS13)
    except Undecodable:
        return name, {"error": "cannot be decoded"}


def client_hello(hello: ClientHello) -> Details:
    """What a client offers."""
    details: Details = {
        "versions": [name_of(number, VERSIONS) for number in hello.supported_versions or (hello.legacy_version,)]
    }
    if hello.server_name is not None:
        details["server_name"] = hello.server_name
    if hello.alpn_protocols:
        details["alpn"] = list(hello.alpn_protocols)
    details["cipher_suites"] = [cipher_name(number) for number in hello.cipher_suites]
    details["groups"] = [name_of(number, GROUPS) for number in hello.groups]
    if hello.key_shares:
        details["key_shares"] = [name_of(number, GROUPS) for number in hello.key_shares]
    details["signature_algorithms"] = [name_of(number, SIGNATURES) for number in hello.signature_algorithms]
    details["offers_session"] = hello.offers_session
    details["extensions"] = [name_of(number, EXTENSIONS) for number in hello.extensions]
    return details


def _server_hello(body: Reader, _is_1_3: bool) -> Details:
    version = body.number(2)
    body.take(32)
    body.vector(1)
    suite = body.number(2)
    body.number(1)
    extensions = extensions_of(body)
    if 43 in extensions:
        version = Reader(extensions[43]).number(2)
    details: Details = {"version": name_of(version, VERSIONS), "cipher_suite": cipher_name(suite)}
    if 51 in extensions:
        details["group"] = name_of(Reader(extensions[51]).number(2), GROUPS)
    if 41 in extensions:
        details["resumed"] = True
    if 16 in extensions:
        details["alpn"] = _protocols(extensions[16])
    details["extensions"] = [name_of(number, EXTENSIONS) for number in extensions]
    return details


def _encrypted_extensions(body: Reader, _is_1_3: bool) -> Details:
    extensions = extensions_of(body)
    details: Details = {}
    if 16 in extensions:
        details["alpn"] = _protocols(extensions[16])
    details["extensions"] = [name_of(number, EXTENSIONS) for number in extensions]
    return details


def _certificate(body: Reader, is_1_3: bool) -> Details:
    if is_1_3:
        body.vector(1)
    entries = body.vector(3)
    certificates = []
    while entries:
        certificates.append(entries.vector(3).rest())
        if is_1_3:
            entries.vector(2)
    details: Details = {"certificates": len(certificates)}
    if certificates:
        try:
            details["subject"] = in_words(_CERTIFICATE.from_der(certificates[0]).subject)
        except (ssl.SSLError, ValueError):
            raise Undecodable from None
    return details


def _certificate_request(body: Reader, is_1_3: bool) -> Details:
    if is_1_3:
        body.vector(1)
        extensions = extensions_of(body)
        authorities = Reader(extensions[47]).vector(2).vectors(2) if 47 in extensions else []
        algorithms = _list(extensions, 13, 2, 2)
    else:
        body.vector(1)
        algorithms = body.vector(2).numbers(2)
        authorities = body.vector(2).vectors(2)
    return {
        "signature_algorithms": [name_of(number, SIGNATURES) for number in algorithms],
        "authorities": len(authorities),
    }


def _certificate_verify(body: Reader, _is_1_3: bool) -> Details:
    return {"signature_algorithm": name_of(body.number(2), SIGNATURES)}


def _server_key_exchange(body: Reader, _is_1_3: bool) -> Details:
    # Of (EC)DHE only the former has a group here; the others have parameters (RFC 8422, 5.4).
    if body.number(1) != 3:
        return {}
    details: Details = {"group": name_of(body.number(2), GROUPS)}
    body.vector(1)
    if body:
        details["signature_algorithm"] = name_of(body.number(2), SIGNATURES)
    return details


def _new_session_ticket(body: Reader, _is_1_3: bool) -> Details:
    return {"lifetime": body.number(4)}


def _key_update(body: Reader, _is_1_3: bool) -> Details:
    return {"asks_for_answer": body.number(1) == 1}


_READERS: dict[str, Callable[[Reader, bool], Details]] = {
    "ServerHello": _server_hello,
    "HelloRetryRequest": _server_hello,
    "EncryptedExtensions": _encrypted_extensions,
    "Certificate": _certificate,
    "CertificateRequest": _certificate_request,
    "CertificateVerify": _certificate_verify,
    "ServerKeyExchange": _server_key_exchange,
    "NewSessionTicket": _new_session_ticket,
    "KeyUpdate": _key_update,
}


def extensions_of(body: Reader) -> dict[int, bytes]:
    found = {}
    if body:
        every = body.vector(2)
        while every:
            number = every.number(2)
            found[number] = every.vector(2).rest()
    return found


def _list(extensions: dict[int, bytes], number: int, length: int, size: int) -> list[int]:
    return Reader(extensions[number]).vector(length).numbers(size) if number in extensions else []


def _protocols(data: bytes) -> list[str]:
    return [each.rest().decode("latin-1") for each in Reader(data).vector(2).vectors(1)]
