"""Foreign errors are never mistaken for ours, ours leave nothing behind, and only documented exceptions escape."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import random
import ssl as standard
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.core.peer import Peer
from tests.core.test_errors import Queue
from tests.incidents.references import reference
from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import WANT, Pair, attempt
from tests.kit.records import Record
from tests.kit.sockets import driven, unix_pair
from tests.kit.subject import tls
from wiretight._core.base import tables

pytestmark = reference("SSL_get_error(3)")

# --- Calls that fail in the same OpenSSL, and what each leaves behind -------------------------------------------------

JUNK = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def client(module: Any = tls) -> Any:
    return module.SSLContext(module.PROTOCOL_TLS_CLIENT)


def loading(text: str, load: Callable[[Any, str], None], module: Any = tls) -> Callable[[], None]:
    """Loads a file with this text into a context."""

    def call() -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(text)
            file.flush()
            load(client(module), file.name)

    return call


def decode(text: str, module: Any) -> Callable[[], None]:
    return loading(text, lambda _, name: module._ssl._test_decode_cert(name))


CALLS: dict[str, Callable[[], object]] = {
    "ciphers": lambda: client().set_ciphers("no such cipher"),
    "ciphersuites": lambda: client().set_ciphersuites("no such suite"),
    "curve": lambda: client().set_ecdh_curve("no such curve"),
    "groups": lambda: client().set_groups("no such group"),
    "client sigalgs": lambda: client().set_client_sigalgs("none"),
    "server sigalgs": lambda: client().set_server_sigalgs("none"),
    "alpn": lambda: client()._set_alpn_protocols(b"\xff"),
    "chain of junk": loading(JUNK, lambda context, name: context.load_cert_chain(name)),
    "empty chain": loading("", lambda context, name: context.load_cert_chain(name)),
    "no chain": lambda: client().load_cert_chain("/nowhere"),
    "CAs of junk": loading(JUNK, lambda context, name: context.load_verify_locations(name)),
    "empty CAs": loading("", lambda context, name: context.load_verify_locations(name)),
    "CA text": lambda: client().load_verify_locations(cadata=JUNK),
    "CA bytes": lambda: client().load_verify_locations(cadata=b"\x30\x82\x01\x01"),
    "no CAs": lambda: client().load_verify_locations("/nowhere"),
    "default CAs": lambda: client().set_default_verify_paths(),
    "DH of junk": loading(JUNK, lambda context, name: context.load_dh_params(name)),
    "decoding": decode(JUNK, tls),
    "handshake with junk": lambda: Pair(client(), client(), server_hostname=HOST),
    "an address": lambda: client().wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_hostname="1.2.3.999"),
    "standard ciphers": lambda: client(standard).set_ciphers("no such cipher"),
    "standard curve": lambda: client(standard).set_ecdh_curve("no such curve"),
    "standard chain": loading(JUNK, lambda context, name: context.load_cert_chain(name), standard),
    "standard CAs": loading(JUNK, lambda context, name: context.load_verify_locations(name), standard),
    "standard CA text": lambda: client(standard).load_verify_locations(cadata=JUNK),
    "standard decoding": decode(JUNK, standard),
    "standard DH": loading(JUNK, lambda context, name: context.load_dh_params(name), standard),
    "hash": lambda: hashlib.new("no such hash"),
    "hmac": lambda: hmac.digest(b"key", b"message", "no such hash"),
    "scrypt": lambda: hashlib.scrypt(b"password", salt=b"salt", n=3, r=8, p=1),
}
# And entries as they are: what a connection takes for an end, for a failure of the system, of the peer, of the program.
SYSTEM, EVP, PEM, ASN1, SSL, X509 = 2, 6, 9, 13, 20, 11
ENTRIES = {
    "unexpected EOF": (SSL, 294),
    "reset": (SYSTEM, 104),
    "again": (SYSTEM, 11),
    "broken pipe": (SYSTEM, 32),
    "verification": (SSL, 134),
    "bad retry": (SSL, 127),
    "alert": (SSL, 1040),
    "no start line": (PEM, 108),
    "bad decrypt": (EVP, 100),
    "wrong tag": (ASN1, 168),
    "mismatch": (X509, 116),
    "shutdown": (SSL, 207),
}


def entry(code: tuple[int, int]) -> Callable[[], None]:
    def leave() -> None:
        queue = Queue()
        for _ in range(2):
            queue.leave(*code)

    return leave


LITTER = {**CALLS, **{f"entry: {name}": entry(code) for name, code in ENTRIES.items()}}


@pytest.fixture(params=LITTER.values(), ids=LITTER)
def litter(request: pytest.FixtureRequest) -> Iterator[Callable[[], None]]:
    """Makes the call, which fails."""

    def call() -> None:
        with contextlib.suppress(Exception):
            request.param()

    yield call
    if not tables.OPENSSL_STATIC:
        Queue().openssl.ERR_clear_error()


def littered(litter: Callable[[], None], operation: Callable[..., Any], *args: Any) -> Any:
    litter()
    return attempt(operation, *args)


def test_there_are_forty_kinds_of_foreign_errors() -> None:
    assert len(LITTER) >= 40


@reference("python/cpython#148594", "openssl/openssl#8470", "openssl/openssl#3690")
def test_an_object_works_after_a_call_that_failed_elsewhere(pair: Pair, litter: Callable[[], None]) -> None:
    """Through a whole connection, with the litter before every single step."""
    unfinished = [pair.client, pair.server]
    while unfinished:
        unfinished = [side for side in unfinished if littered(litter, side.do_handshake) is WANT]
        pair.pump()
    for side, other in ((pair.client, pair.server), (pair.server, pair.client)):
        assert littered(litter, side.read) is WANT
        assert littered(litter, other.write, b"hello") == 5
        pair.pump()
        assert littered(litter, side.read, 2) == b"he"
        assert littered(litter, side.read) == b"llo"
    assert littered(litter, pair.client.unwrap) is WANT
    pair.pump()
    assert littered(litter, pair.server.read) == b""
    assert littered(litter, pair.server.unwrap) is None
    pair.pump()
    assert littered(litter, pair.client.unwrap) is None


@reference("python/cpython#148594", "icinga/icinga2#4345")
def test_a_socket_works_after_a_call_that_failed_elsewhere(
    client_context: Any, server_context: Any, litter: Callable[[], None]
) -> None:
    with Peer(client_context, server_context, transport=unix_pair) as peer:
        assert littered(litter, peer.sock.recv, 10) is WANT
        peer.deliver(peer.encrypt(b"hello"))
        assert littered(litter, peer.sock.recv, 10) == b"hello"
        assert littered(litter, peer.sock.send, b"answer") == 6
        assert littered(litter, peer.sock.unwrap) is WANT
        peer.deliver(peer.close_notify())
        assert littered(litter, peer.sock.unwrap) is peer.sock


@reference("python/cpython#148594")
def test_foreign_errors_do_not_change_a_failure(pair: Pair, litter: Callable[[], None]) -> None:
    pair.handshake()
    pair.server.write(b"hello")
    pair.pump_altered(lambda record: record.damaged())
    with pytest.raises(tls.SSLError, match=r"(?i)bad.record.mac|record.layer.failure") as error:
        littered(litter, pair.client.read)
    assert not isinstance(error.value, tls.SSLEOFError)


@reference("openssl/openssl#8470")
@pytest.mark.parametrize("name", [name for name in CALLS if not name.startswith("standard")])
def test_our_failures_leave_nothing_on_the_error_queue(name: str) -> None:
    queue = Queue()
    queue.openssl.ERR_clear_error()
    with contextlib.suppress(Exception):
        CALLS[name]()
    assert name in {"hash", "hmac", "scrypt"} or queue.is_empty()


# --- What escapes -----------------------------------------------------------------------------------------------------

DOCUMENTED = (OSError, ValueError, TypeError)  # SSLError and TimeoutError are OSErrors


def mangled(raw: bytes, rng: random.Random) -> bytes:
    """One to four of: a changed bit, a byte too few or too many, a part twice, a part that is missing, an end."""
    data = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(6)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at:at] = rng.randbytes(rng.choice((1, 2, 5, 300)))
        elif kind == 2:
            del data[at : at + rng.choice((1, 2, 5, 300))]
        elif kind == 3:
            data[at:at] = data[at : at + 50]
        elif kind == 4:
            data[at : at + 2] = rng.randbytes(2)
        else:
            del data[at:]
    return bytes(data)


@reference("RFC 8446, 6.2", "CVE-2023-40217")
# A server name that is not ASCII is reported by sys.unraisablehook, as `ssl` reports it.
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("seed", range(4))
def test_whatever_bytes_arrive_only_documented_exceptions_escape(
    certificates: Certificates, version: Any, rounds: Callable[[int, int], int], seed: int
) -> None:
    """And a failure is final: no data is ever read from a broken record."""
    client_context = certificates.client_context(version, credentials=certificates.client)
    server_context = certificates.server_context(version, client_ca=certificates.ca_file, alpn=["h2"])
    server_context.sni_callback = lambda side, name, context: None
    rng = random.Random(seed)
    for _ in range(rounds(100, 20_000)):
        pair = Pair(client_context, server_context)
        target = rng.randrange(8)
        seen = 0

        def alter(record: Record, target: int = target) -> bytes:
            nonlocal seen
            seen += 1
            return mangled(record.raw, rng) if seen - 1 == target else record.raw

        with contextlib.suppress(AssertionError):  # "neither side failed", "has not ended": nothing escaped
            failure = pair.until_error(alter=alter)
            assert isinstance(failure.error, DOCUMENTED), failure
            assert failure.peer_error is None or isinstance(failure.peer_error, DOCUMENTED), failure
        for side in (pair.client, pair.server):
            for operation in (side.read, lambda side=side: side.write(b"x"), side.unwrap, side.getpeercert):
                with contextlib.suppress(*DOCUMENTED):
                    result = operation()
                    assert not isinstance(result, bytes) or result == b"", "data that nobody has sent"


@reference("CVE-2023-40217")
@pytest.mark.parametrize("server_side", [False, True], ids=["client", "server"])
@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00" * 100,
        b"\xff" * 20000,
        b"\x16\x03\x01\xff\xff",
        b"\x15\x03\x03\x00\x02\x02\x28",
    ],
    ids=["http", "zeros", "ones", "huge-record", "alert"],
)
def test_plaintext_is_an_ssl_error_on_a_socket(
    client_context: Any, server_context: Any, server_side: bool, raw: bytes
) -> None:
    near, far = unix_pair()
    context = server_context if server_side else client_context
    name = {} if server_side else {"server_hostname": HOST}
    with far, context.wrap_socket(near, server_side=server_side, do_handshake_on_connect=False, **name) as sock:
        sock.settimeout(0)
        far.sendall(raw)
        far.shutdown(1)
        with pytest.raises(tls.SSLError):
            driven(sock, sock.do_handshake)
        for operation in (sock.recv, sock.read):
            with contextlib.suppress(*DOCUMENTED):
                assert driven(sock, operation, 10) == b"", "plaintext is no data"
