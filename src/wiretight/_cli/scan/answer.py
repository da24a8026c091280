"""Answer: what a server says to a ClientHello, read strictly: it comes from anybody, and there are bounds to it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from wiretight._cli.scan.hello import SSL2_CIPHERS, SSL3, TLS12, TLS13
from wiretight._cli.scan.opened import Keys, Unopened
from wiretight._cli.scan.suites import suite
from wiretight._cli.trace.messages import RETRY, extensions_of
from wiretight._core.base.reader import Reader, Undecodable

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _DATA = 20, 21, 22, 23
_RECORD_LIMIT = 16384 + 2048  # RFC 5246, 6.2.3
_RECORDS_LIMIT = 200
_BYTES_LIMIT = 1 << 19
_FATAL = 2
_ALERT_SEALED = 19  # of TLS 1.3: two bytes, its type, its tag

_ENCRYPTED_EXTENSIONS, _SERVER_HELLO, _CERTIFICATE, _KEY_EXCHANGE, _REQUEST, _DONE, _VERIFY, _FINISHED, _STATUS = (
    8, 2, 11, 12, 13, 14, 15, 20, 22,
)  # fmt: skip


class NotTLS(Exception):
    """The server has sent something that is not what it should be; `begin` is how it began."""

    def __init__(self, what: str, begin: bytes = b"") -> None:
        super().__init__(what)
        self.begin = begin


@dataclass
class Answer:
    """What there was: a ServerHello with what followed in the same flight, an alert, or neither.

    `end` is how it ended without either: "closed", "reset", "silent", "odd". `group` is that of the key exchange, or
    the one that a TLS 1.3 server asks for (`is_retry`). `dh_bits` and `signature` are those of a ServerKeyExchange,
    `authorities` the names (DER) in a request for a certificate, `stapled` whether there was an OCSP response. In TLS
    1.3 these are known only if it was `opened`.
    """

    version: int | None = None
    suite: int = 0
    compression: int = 0
    extensions: dict[int, bytes] = field(default_factory=dict)
    group: int | None = None
    dh_bits: int | None = None
    signature: int | None = None
    certificates: list[bytes] = field(default_factory=list)
    authorities: list[bytes] | None = None
    stapled: bool = False
    ssl2_ciphers: list[str] = field(default_factory=list)
    is_retry: bool = False
    opened: bool = False
    alert: int | None = None
    end: str | None = None

    def __bool__(self) -> bool:
        """Whether the server goes on."""
        return self.version is not None and self.alert is None

    @property
    def alpn(self) -> str | None:
        """The application protocol that it has chosen."""
        if 16 not in self.extensions:
            return None
        try:
            names = Reader(self.extensions[16]).vector(2).vectors(1)
            return names[0].rest().decode("latin-1") if names else None
        except Undecodable:
            raise NotTLS("sent an ALPN extension that cannot be decoded") from None


class Flight:
    """Reads the server's first flight from bytes as they arrive, as far as it is needed."""

    def __init__(self, hello: bytes, looks_on: bool = False) -> None:
        """`hello` is our ClientHello; with `looks_on`, what follows a ServerHello of TLS 1.3 is opened."""
        self.answer = Answer()
        self.is_over = False
        self._hello, self._looks_on = hello, looks_on
        self._keys: Keys | None = None
        self._data = bytearray()
        self._messages = bytearray()
        self._records = self._bytes = 0

    def feed(self, data: bytes) -> None:
        """Take `data` in. Raises NotTLS."""
        self._data += data
        self._bytes += len(data)
        if self._bytes > _BYTES_LIMIT:
            raise NotTLS("does not stop sending")
        try:
            for kind, record in self._whole_records():
                self._take(kind, record)
                if self.is_over:
                    return
        except Undecodable:
            raise NotTLS("sent a handshake message that cannot be decoded") from None

    def _whole_records(self) -> Iterator[tuple[int, bytes]]:
        while len(self._data) >= 5:
            kind, major = self._data[0], self._data[1]
            size = int.from_bytes(self._data[3:5], "big")
            if not _CHANGE_CIPHER_SPEC <= kind <= _DATA or major != 3 or size > _RECORD_LIMIT:
                raise NotTLS("does not speak TLS", bytes(self._data[:64]))
            if len(self._data) < 5 + size:
                return
            record = bytes(self._data[5 : 5 + size])
            del self._data[: 5 + size]
            self._records += 1
            if self._records > _RECORDS_LIMIT:
                raise NotTLS("does not stop sending records")
            yield kind, record
        if self._data and not _CHANGE_CIPHER_SPEC <= self._data[0] <= _DATA:
            raise NotTLS("does not speak TLS", bytes(self._data[:64]))

    def _take(self, kind: int, record: bytes) -> None:
        is_sealed = self.answer.version == TLS13 and not self.answer.is_retry
        if kind == _ALERT and len(record) == 2:
            if record[0] == _FATAL or record[1] == 0:
                self.answer.alert = record[1]
                self.is_over = True
        elif kind == _HANDSHAKE and not is_sealed:
            self._take_messages(record)
        elif kind == _DATA and is_sealed:
            self._open(record)
        elif kind != _CHANGE_CIPHER_SPEC or not is_sealed:
            raise NotTLS("sent a record where it may not be")

    def _open(self, record: bytes) -> None:
        if len(record) == _ALERT_SEALED:
            self.answer.alert = -1  # nobody but us knows which
        if len(record) == _ALERT_SEALED or self._keys is None:
            self.is_over = True
            return
        try:
            kind, content = self._keys.open(record)
        except Unopened:
            raise NotTLS("sent a record that cannot be decrypted") from None
        if kind == _ALERT:
            self.answer.alert = content[1] if len(content) == 2 else -1
            self.is_over = True
        elif kind == _HANDSHAKE:
            self.answer.opened = True
            self._take_messages(content)
        else:
            raise NotTLS("sent a record where it may not be")

    def _take_messages(self, data: bytes) -> None:
        self._messages += data
        while len(self._messages) >= 4 and not self.is_over:
            end = 4 + int.from_bytes(self._messages[1:4], "big")
            if end > _BYTES_LIMIT:
                raise NotTLS("announces a handshake message that is too long")
            if len(self._messages) < end:
                return
            message = bytes(self._messages[:end])
            del self._messages[:end]
            self._understand(message)

    def _understand(self, message: bytes) -> None:
        kind, body = message[0], Reader(message[4:])
        if self.answer.version is None:
            if kind != _SERVER_HELLO:
                raise NotTLS("does not begin with a ServerHello")
            self._server_hello(message, body)
        elif kind == _CERTIFICATE and not self.answer.certificates:
            self._certificate(body)
        elif kind == _STATUS:
            self.answer.stapled = bool(body)
        elif kind == _KEY_EXCHANGE and not self.answer.opened:
            self._key_exchange(body)
        elif kind == _REQUEST:
            self._request(body)
        elif kind == _ENCRYPTED_EXTENSIONS and self.answer.opened:
            self.answer.extensions.update(extensions_of(body))
        elif kind == _VERIFY and self.answer.opened:
            self.answer.signature = body.number(2)
            self.is_over = True
        elif kind in (_DONE, _FINISHED):
            self.is_over = True
        else:
            raise NotTLS(f"sent handshake message {kind} where it may not be")
        _ = self.answer.alpn  # whether it can be read

    def _server_hello(self, message: bytes, body: Reader) -> None:
        answer = self.answer
        version = body.number(2)
        random = body.take(32)
        body.vector(1)
        answer.suite, answer.compression = body.number(2), body.number(1)
        answer.extensions = extensions_of(body)
        if 43 in answer.extensions:
            version = Reader(answer.extensions[43]).number(2)
        if not SSL3 <= version <= TLS13 or (version == TLS13) != (43 in answer.extensions):
            raise NotTLS(f"answers with version 0x{version:04x}")
        answer.version = version
        answer.is_retry = random == RETRY
        if version < TLS13:
            return
        share = Reader(answer.extensions.get(51, b""))
        if share:
            answer.group = share.number(2)
        if answer.is_retry or not self._looks_on:
            self.is_over = True
            return
        with contextlib.suppress(Unopened):  # whether an alert follows can be seen without
            self._keys = Keys(self._hello + message, answer.suite, share.vector(2).rest())

    def _certificate(self, body: Reader) -> None:
        if self.answer.version == TLS13:
            body.vector(1)
        entries = body.vector(3)
        while entries:
            self.answer.certificates.append(entries.vector(3).rest())
            if self.answer.version == TLS13:
                extensions = extensions_of(entries)
                self.answer.stapled |= 5 in extensions

    def _key_exchange(self, body: Reader) -> None:
        exchange = suite(self.answer.suite).key_exchange
        if exchange.startswith("ECDH"):
            if body.number(1) != 3:  # a curve without a name (RFC 8422, 5.4)
                return
            self.answer.group = body.number(2)
            body.vector(1)
        elif exchange.startswith("DH"):
            prime = body.vector(2).rest()
            self.answer.dh_bits = int.from_bytes(prime, "big").bit_length()
            body.vector(2)
            body.vector(2)
        else:
            return
        if self.answer.version == TLS12 and body and "anon" not in exchange:
            self.answer.signature = body.number(2)

    def _request(self, body: Reader) -> None:
        if self.answer.version == TLS13:
            body.vector(1)
            extensions = extensions_of(body)
            names = Reader(extensions[47]).vector(2).vectors(2) if 47 in extensions else []
        else:
            body.vector(1)
            if self.answer.version == TLS12:
                body.vector(2)
            names = body.vector(2).vectors(2)
        self.answer.authorities = [name.rest() for name in names]


def ssl2_answer(data: bytes) -> Answer | None:
    """What the server says to a CLIENT-HELLO of SSL 2.0; None if more has to come. Raises NotTLS."""
    if len(data) >= 2 and not data[0] & 0x80:
        return Answer(end="closed")
    size = int.from_bytes(data[:2], "big") & 0x7FFF
    if len(data) < 2 or len(data) < 2 + size:
        return None
    try:
        body = Reader(data[2 : 2 + size])
        if body.number(1) != 4:
            return Answer(end="closed")
        body.take(2)
        version = body.number(2)
        lengths = [body.number(2) for _ in range(3)]
        body.take(lengths[0])
        ciphers = Reader(body.take(lengths[1])).numbers(3)
    except Undecodable:
        return Answer(end="closed")
    if version != 2:
        return Answer(end="closed")
    return Answer(version=2, ssl2_ciphers=[SSL2_CIPHERS.get(number, f"0x{number:06x}") for number in ciphers])
