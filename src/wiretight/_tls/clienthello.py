"""ClientHello: what a client says first, taken apart (RFC 8446, section 4.1.2; RFC 5246, section 7.4.1.2).

Anyone may send one, so the parser is strict: whatever violates the syntax of the message, or of an extension that is
read here, is an Undecodable. Its time and memory are linear in the message, whose length has a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wiretight._core.base.reader import Reader, Undecodable
from wiretight._tls import fingerprints

if TYPE_CHECKING:
    from typing_extensions import Buffer

LIMIT = 131396  # bytes; OpenSSL reads no longer one

_RECORD_HEADER, _MESSAGE_HEADER = 5, 4
_HANDSHAKE, _MAJOR_VERSION = 22, 3
_MOST_PER_RECORD = 16384
_MOST_ENTRIES = 512  # of a list whose entries have lengths: clients have 20, and time is what they cost
_MOST_RECORDS = 64  # a client needs nine for the longest; one byte in each would only be work

_CLIENT_HELLO = 1
_SERVER_NAME, _GROUPS, _POINT_FORMATS, _SIGNATURE_ALGORITHMS, _ALPN = 0, 10, 11, 13, 16
_SESSION_TICKET, _PRE_SHARED_KEY, _EARLY_DATA, _SUPPORTED_VERSIONS, _KEY_SHARE = 35, 41, 42, 43, 51


@dataclass(frozen=True)
class ClientHello:
    """What a client offers. Numbers are those of IANA's registries, in the client's order, GREASE among them.

    `raw` is the handshake message with its header. `extensions` has the numbers of the extensions, and `bodies` the
    content of each by its number. Names are decoded as Latin-1, so that no byte is lost: a client may send anything.
    `server_name` is None without the extension. `is_retry`: it is the client's second one, after a HelloRetryRequest.

    Nothing in it is authenticated: any client may say any of it. Since 0.1.
    Source: RFC 8446, section 4.1.2; RFC 5246, section 7.4.1.2.
    """

    __module__ = "wiretight"

    raw: bytes = field(repr=False)
    legacy_version: int
    session_id: bytes
    cipher_suites: tuple[int, ...]
    extensions: tuple[int, ...]
    bodies: Mapping[int, bytes] = field(repr=False, hash=False)
    server_name: str | None
    alpn_protocols: tuple[str, ...]
    supported_versions: tuple[int, ...]
    groups: tuple[int, ...]
    key_shares: tuple[int, ...]
    point_formats: tuple[int, ...]
    signature_algorithms: tuple[int, ...]
    psk_identities: tuple[bytes, ...]
    is_retry: bool = False

    @property
    def offers_session(self) -> bool:
        """Whether an earlier session is offered, in any of the three ways that TLS has had for it. Since 0.1.

        Source: RFC 8446, section 4.2.11; RFC 5077; RFC 5246, section 7.4.1.2.
        """
        by_id = bool(self.session_id) and _SUPPORTED_VERSIONS not in self.bodies
        return _PRE_SHARED_KEY in self.bodies or bool(self.bodies.get(_SESSION_TICKET)) or by_id

    @property
    def offers_early_data(self) -> bool:
        """Whether the client sends data along with it. Since 0.1. Source: RFC 8446, section 4.2.10."""
        return _EARLY_DATA in self.bodies

    @property
    def ja3(self) -> str:
        """The fingerprint JA3 before it is hashed: five lists in the client's order. GREASE counts nowhere. Since 0.1.

        Source: github.com/salesforce/ja3.
        """
        return fingerprints.ja3(self)

    @property
    def ja3_hash(self) -> str:
        """The fingerprint JA3: the MD5 of `ja3`, as 32 hexadecimal digits. Since 0.1.

        Chromium and others shuffle their extensions, and with them this one: prefer `ja4`.
        Source: github.com/salesforce/ja3.
        """
        return fingerprints.ja3_hash(self)

    @property
    def ja4(self) -> str:
        """The fingerprint JA4, such as t13d1516h2_8daaf6152771_e5627efa2ab1: it tells programs apart. Since 0.1.

        It is no proof of anything, because whoever wants to look like another program can.
        Source: github.com/FoxIO-LLC/ja4, technical_details/JA4.md.
        """
        return fingerprints.ja4(self)


def parse_client_hello(data: Buffer) -> ClientHello | None:
    """The ClientHello at the beginning of what a client sends; None if more bytes of it are needed.

    For a proxy that only routes: it keeps what it has read, and sends all of it on. What follows the ClientHello is not
    looked at. Raises ValueError for what is no ClientHello, or violates its syntax, as soon as that can be seen; for
    one of more than 128 KiB, or in more than 64 records. TypeError for what is not bytes-like. Since 0.1.
    Source: RFC 8446, sections 4.1.2 and 5.1.
    """
    with memoryview(data) as view:
        start = bytes(view[: LIMIT + _MOST_RECORDS * _RECORD_HEADER])
    try:
        message = _first_message(start)
        return None if message is None else parse(message)
    except Undecodable as error:
        raise ValueError(f"this is not a valid ClientHello: {error}") from None


def _first_message(data: bytes) -> bytes | None:
    """The handshake message in the first records; None while it is not complete."""
    message = bytearray()
    at = 0
    for _ in range(_MOST_RECORDS):
        header = data[at : at + _RECORD_HEADER]
        if header[:2] != bytes((_HANDSHAKE, _MAJOR_VERSION))[: len(header)]:
            raise Undecodable("it does not begin as TLS does")
        if len(header) < _RECORD_HEADER:
            return None
        length = int.from_bytes(header[3:], "big")
        if not 0 < length <= _MOST_PER_RECORD:
            raise Undecodable("the length of a record is out of range")
        at += _RECORD_HEADER
        fragment = data[at : at + length]
        message += fragment
        size = _size_of(message)
        if len(message) - len(fragment) + length > size:
            raise Undecodable("its last record contains more")
        if len(message) == size:
            return bytes(message)
        if len(fragment) < length:
            return None
        at += length
    raise Undecodable("it is in too many records")


def _size_of(message: bytearray) -> int:
    """The size of the message that begins so; LIMIT while that cannot be known."""
    if message and message[0] != _CLIENT_HELLO:
        raise Undecodable("it is another message")
    if len(message) < _MESSAGE_HEADER:
        return LIMIT
    size = _MESSAGE_HEADER + int.from_bytes(message[1:_MESSAGE_HEADER], "big")
    if size > LIMIT:
        raise Undecodable("it is too long")
    return size


def parse(message: bytes, is_retry: bool = False) -> ClientHello:
    """The ClientHello in a handshake message with its header. Raises Undecodable for anything else."""
    if len(message) > LIMIT:
        raise Undecodable("it is too long")
    outer = Reader(message)
    if outer.number(1) != _CLIENT_HELLO:
        raise Undecodable("it is another message")
    body = outer.vector(3)
    outer.end()
    legacy_version = body.number(2)
    body.take(32)  # random
    session_id = body.vector(1).rest()
    if len(session_id) > 32:
        raise Undecodable("the session ID is too long")
    cipher_suites = _at_least_one(body.vector(2).numbers(2))
    _at_least_one(body.vector(1).numbers(1))  # compression methods
    bodies = _extensions(body)
    return ClientHello(
        raw=message,
        legacy_version=legacy_version,
        session_id=session_id,
        cipher_suites=cipher_suites,
        extensions=tuple(bodies),
        bodies=bodies,
        server_name=_server_name(bodies),
        alpn_protocols=_protocols(bodies),
        supported_versions=_numbers(bodies, _SUPPORTED_VERSIONS, 1, 2),
        groups=_numbers(bodies, _GROUPS, 2, 2),
        key_shares=_key_shares(bodies),
        point_formats=_numbers(bodies, _POINT_FORMATS, 1, 1),
        signature_algorithms=_numbers(bodies, _SIGNATURE_ALGORITHMS, 2, 2),
        psk_identities=_identities(bodies),
        is_retry=is_retry,
    )


def _extensions(body: Reader) -> dict[int, bytes]:
    """By number, in order. Each may be there once (RFC 8446, section 4.2). Before TLS 1.2 there may be none at all."""
    found: dict[int, bytes] = {}
    if body:
        entries = body.vector(2)
        body.end()
        while entries:
            number = entries.number(2)
            if number in found:
                raise Undecodable(f"extension {number} is there twice")
            if len(found) == _MOST_ENTRIES:
                raise Undecodable("it has too many extensions")
            found[number] = entries.vector(2).rest()
    if _PRE_SHARED_KEY in found and next(reversed(found)) != _PRE_SHARED_KEY:
        raise Undecodable("an extension follows pre_shared_key")
    return found


def _numbers(bodies: Mapping[int, bytes], extension: int, length: int, size: int) -> tuple[int, ...]:
    """An extension that is a list of numbers; () if it is not there."""
    if extension not in bodies:
        return ()
    outer = Reader(bodies[extension])
    found = _at_least_one(outer.vector(length).numbers(size))
    outer.end()
    return found


def _server_name(bodies: Mapping[int, bytes]) -> str | None:
    """RFC 6066, section 3, whose only type of a name is a host's."""
    if _SERVER_NAME not in bodies:
        return None
    outer = Reader(bodies[_SERVER_NAME])
    entry = outer.vector(2)
    outer.end()
    if entry.number(1) != 0:
        raise Undecodable("the server's name is of an unknown type")
    name = entry.vector(2).rest()
    entry.end()
    if not name:
        raise Undecodable("the server's name is empty")
    return name.decode("latin-1")


def _protocols(bodies: Mapping[int, bytes]) -> tuple[str, ...]:
    """RFC 7301, section 3.1."""
    if _ALPN not in bodies:
        return ()
    outer = Reader(bodies[_ALPN])
    names = [each.rest() for each in outer.vector(2).vectors(1, _MOST_ENTRIES)]
    outer.end()
    if not names or not all(names):
        raise Undecodable("a protocol's name is empty")
    return tuple(name.decode("latin-1") for name in names)


def _key_shares(bodies: Mapping[int, bytes]) -> tuple[int, ...]:
    """The groups of the key shares, of which there may be none (RFC 8446, section 4.2.8)."""
    if _KEY_SHARE not in bodies:
        return ()
    outer = Reader(bodies[_KEY_SHARE])
    shares = outer.vector(2)
    outer.end()
    groups = []
    while shares:
        groups.append(shares.number(2))
        if not shares.vector(2):
            raise Undecodable("a key share is empty")
        if len(groups) > _MOST_ENTRIES:
            raise Undecodable("it has too many key shares")
    return tuple(groups)


def _identities(bodies: Mapping[int, bytes]) -> tuple[bytes, ...]:
    """RFC 8446, section 4.2.11. Each has a binder, too."""
    if _PRE_SHARED_KEY not in bodies:
        return ()
    outer = Reader(bodies[_PRE_SHARED_KEY])
    entries = outer.vector(2)
    identities = []
    while entries:
        identities.append(entries.vector(2).rest())
        entries.take(4)  # the obfuscated age of a ticket
        if len(identities) > _MOST_ENTRIES:
            raise Undecodable("it offers too many sessions")
    binders = outer.vector(2).vectors(1, _MOST_ENTRIES)
    outer.end()
    if not identities or not all(identities) or len(binders) != len(identities):
        raise Undecodable("identities and binders do not fit")
    return tuple(identities)


def _at_least_one(found: list[int]) -> tuple[int, ...]:
    if not found:
        raise Undecodable("a list is empty")
    return tuple(found)
