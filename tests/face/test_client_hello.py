"""The ClientHello, taken apart: strictly, within bounds, and into fingerprints that equal the published ones."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kit.subject import tls
from wiretight import ClientHello, parse_client_hello
from wiretight._core.base.reader import Undecodable
from wiretight._tls.clienthello import LIMIT, parse
from wiretight._tls.fingerprints import ja3, ja3_hash, ja4, ja4_r

Extension = tuple[int, bytes]

# The example of the specification: github.com/FoxIO-LLC/ja4, technical_details/JA4.md.
SUITES = [
    0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8, 0xC013, 0xC014, 0x009C, 0x009D, 0x002F,
    0x0035,
]  # fmt: skip
EXTENSIONS = [
    0x001B, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002D, 0x000D, 0x0005, 0x0023, 0x0012, 0x002B, 0xFF01, 0x000B,
    0x000A, 0x0015,
]  # fmt: skip
SIGNATURES = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]


def vector(size: int, *parts: bytes) -> bytes:
    data = b"".join(parts)
    return len(data).to_bytes(size, "big") + data


def numbers(size: int, values: Sequence[int]) -> bytes:
    return b"".join(value.to_bytes(size, "big") for value in values)


def extension(number: int, content: bytes) -> bytes:
    return numbers(2, [number]) + vector(2, content)


def server_name(name: bytes) -> bytes:
    return vector(2, b"\0" + vector(2, name))


def protocols(*names: bytes) -> bytes:
    return vector(2, *(vector(1, name) for name in names))


CONTENTS = {
    0: server_name(b"example.org"),
    10: vector(2, numbers(2, [0x11EC, 29, 23])),
    11: vector(1, b"\0"),
    13: vector(2, numbers(2, SIGNATURES)),
    16: protocols(b"h2", b"http/1.1"),
    43: vector(1, numbers(2, [0x0304, 0x0303])),
    51: vector(2, numbers(2, [29]) + vector(2, b"k" * 32)),
}


def hello(
    suites: Sequence[int] = SUITES,
    extensions: Sequence[Extension] | None = None,
    *,
    version: int = 0x0303,
    session: bytes = b"",
) -> bytes:
    """A ClientHello with these, by default that of the specification's example."""
    if extensions is None:
        extensions = [(number, CONTENTS.get(number, b"")) for number in EXTENSIONS]
    body = numbers(2, [version]) + bytes(32) + vector(1, session) + vector(2, numbers(2, suites)) + vector(1, b"\0")
    if extensions:
        body += vector(2, *(extension(number, content) for number, content in extensions))
    return b"\x01" + vector(3, body)


def real_hello() -> bytes:
    """What OpenSSL's client says to example.org."""
    incoming, outgoing = tls.MemoryBIO(), tls.MemoryBIO()
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2", "http/1.1"])
    client = context.wrap_bio(incoming, outgoing, server_hostname="example.org")
    with pytest.raises(tls.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()[5:]


def test_what_a_client_offers_is_read() -> None:
    ticket = vector(2, vector(2, b"ticket"), b"") + vector(2, vector(1, b"b" * 32))
    read = parse(hello([0x1301], [(43, CONTENTS[43]), (0, CONTENTS[0]), (16, CONTENTS[16]), (51, CONTENTS[51])]))
    offering = parse(hello([0x1301], [(42, b""), (41, vector(2, vector(2, b"ticket") + b"age.") + ticket[-35:])]))

    assert read.supported_versions == (0x0304, 0x0303)
    assert read.server_name == "example.org"
    assert read.alpn_protocols == ("h2", "http/1.1")
    assert read.key_shares == (29,)
    assert read.extensions == (43, 0, 16, 51)
    assert not read.offers_session
    assert offering.psk_identities == (b"ticket",)
    assert offering.offers_session
    assert offering.offers_early_data
    assert parse(hello([0xC02F], [], session=b"s" * 32)).offers_session
    assert parse(hello([0xC02F], [(35, b"ticket")])).offers_session


def test_what_a_real_client_says_is_read() -> None:
    read = parse(real_hello())

    assert read.server_name == "example.org"
    assert read.alpn_protocols == ("h2", "http/1.1")
    assert 0x0304 in read.supported_versions
    assert ja4(read).startswith("t13d")
    assert ja4(read)[8:10] == "h2"


def test_a_hello_without_extensions_is_one() -> None:
    read = parse(hello([0x002F], []))

    assert read.extensions == ()
    assert read.server_name is None
    assert ja4(read) == "t12i010000_" + ja4(read).split("_")[1] + "_000000000000"


MALFORMED = {
    "empty": b"",
    "another message": b"\x02" + hello()[1:],
    "more bytes than it says": hello() + b"\0",
    "a long session ID": hello(session=b"s" * 33),
    "no suites": hello([]),
    "half a suite": b"\x01" + vector(3, b"\x03\x03" + bytes(32) + b"\0" + vector(2, b"\x13") + b"\x01\0"),
    "no compression": b"\x01" + vector(3, b"\x03\x03" + bytes(32) + b"\0" + vector(2, b"\x13\x01") + b"\0"),
    "an extension twice": hello(extensions=[(23, b""), (23, b"")]),
    "bytes after the extensions": b"\x01" + vector(3, hello(extensions=[(23, b"")])[4:] + b"\0"),
    "an empty name": hello(extensions=[(0, server_name(b""))]),
    "no name": hello(extensions=[(0, b"")]),
    "a name of another type": hello(extensions=[(0, vector(2, b"\1" + vector(2, b"x")))]),
    "two names": hello(extensions=[(0, vector(2, (b"\0" + vector(2, b"x")) * 2))]),
    "no protocols": hello(extensions=[(16, vector(2))]),
    "an empty protocol": hello(extensions=[(16, protocols(b"h2", b""))]),
    "half a group": hello(extensions=[(10, vector(2, b"\0"))]),
    "no groups": hello(extensions=[(10, vector(2))]),
    "bytes after the groups": hello(extensions=[(10, vector(2, b"\0\x1d") + b"\0")]),
    "no versions": hello(extensions=[(43, vector(1))]),
    "an empty key share": hello(extensions=[(51, vector(2, b"\0\x1d\0\0"))]),
    "a session before the end": hello(extensions=[(41, vector(2, vector(2, b"t") + b"age.") + vector(2)), (23, b"")]),
    "a session without binder": hello(extensions=[(41, vector(2, vector(2, b"t") + b"age.") + vector(2))]),
    "no identity": hello(extensions=[(41, vector(2) + vector(2))]),
    "many extensions": hello(extensions=[(number + 1000, b"") for number in range(513)]),
    "many protocols": hello(extensions=[(16, protocols(*[b"x"] * 513))]),
    "many key shares": hello(extensions=[(51, vector(2, b"\0\x1d\0\1k" * 513))]),
    "many sessions": hello(extensions=[(41, vector(2, b"\0\1iage." * 513) + vector(2, b"\1b" * 513))]),
    "too long": b"\x01" + vector(3, bytes(LIMIT)),
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_hello_is_refused(message: bytes) -> None:
    with pytest.raises(Undecodable):
        parse(message)


def test_a_hello_that_ends_anywhere_is_refused() -> None:
    whole = hello()
    for size in range(len(whole)):
        with pytest.raises(Undecodable):
            parse(whole[:size])


@given(st.integers(0, 2**32), st.integers(1, 20))
def test_an_altered_hello_is_read_or_refused(seed: int, count: int) -> None:
    chance = random.Random(seed)
    message = bytearray(hello())
    for _ in range(count):
        message[chance.randrange(len(message))] = chance.randrange(256)

    try:
        read = parse(bytes(message))
    except Undecodable:
        return
    assert len(ja4(read)) == 36
    assert len(ja3_hash(read)) == 32


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(Undecodable):
        parse(b"\x01" + vector(3, body))


def example(**changed: bytes) -> ClientHello:
    """That of the specification, with another ALPN extension."""
    contents = {**CONTENTS, **({16: changed["alpn"]} if "alpn" in changed else {})}
    return parse(hello(extensions=[(number, contents.get(number, b"")) for number in EXTENSIONS]))


# --- At the beginning of a stream -------------------------------------------------------------------------------------
def in_records(message: bytes, size: int = 16384) -> bytes:
    return b"".join(b"\x16\x03\x01" + vector(2, message[at : at + size]) for at in range(0, max(len(message), 1), size))


@pytest.mark.parametrize("size", [16384, 100, 10])
def test_a_stream_is_read_once_all_of_the_hello_is_there(size: int) -> None:
    stream = in_records(hello(), size)

    assert all(parse_client_hello(stream[:at]) is None for at in range(len(stream)))
    read = parse_client_hello(stream)
    assert read == parse(hello())
    assert read is not None
    assert parse_client_hello(bytearray(stream + b"what follows")) == read
    assert (read.ja3, read.ja3_hash, read.ja4) == (ja3(read), ja3_hash(read), ja4(read))
    assert not read.is_retry
    assert repr(read).startswith("ClientHello(legacy_version=771")


def test_the_longest_hello_is_read() -> None:
    """Of the longest suites and extensions that there are, in the records that a client needs for them."""
    read = parse_client_hello(in_records(hello([0x1301] * 32767, [(65001, bytes(65000))])))

    assert read is not None
    assert len(read.raw) > 2**17 - 2**10


NO_STREAM = {
    "http": b"GET / HTTP/1.1\r\n",
    "its first letter": b"G",
    "TLS 4": b"\x16\x04\x01",
    "SSL 2": b"\x80\x2e\x01\x03\x01",
    "an alert": b"\x15\x03\x01\0\x02\x02\x28",
    "an empty record": b"\x16\x03\x01\0\0",
    "a long record": b"\x16\x03\x01\x40\x01",
    "another message": b"\x16\x03\x01\0\x10\x02",
    "a long message": b"\x16\x03\x01\0\x10\x01\x02\x01\x41",
    "a record that contains more": in_records(hello() + b"\0"),
    "the same before it has arrived": in_records(hello() + b"\0")[:20],
    "an alert in the middle": in_records(hello(), 100)[:105] + b"\x15\x03\x01\0\x02\x02\x28",
    "many records": in_records(hello(), 1),
    "a malformed hello": in_records(hello([])),
}


@pytest.mark.parametrize("data", NO_STREAM.values(), ids=NO_STREAM.keys())
def test_what_is_no_hello_is_refused_as_soon_as_that_is_seen(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^this is not a valid ClientHello: \w"):
        parse_client_hello(data)


def test_a_stream_is_bytes() -> None:
    with pytest.raises(TypeError, match="bytes-like"):
        parse_client_hello("text")  # type: ignore[arg-type]


def test_ja4_is_that_of_its_specification() -> None:
    assert ja4(example()) == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert ja4_r(example()) == (
        "t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_"
        "0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_"
        "0403,0804,0401,0503,0805,0501,0806,0601"
    )


def test_ja4_has_no_underscore_without_signature_algorithms() -> None:
    without = parse(hello(extensions=[(n, CONTENTS.get(n, b"") if n != 13 else b"") for n in EXTENSIONS if n != 13]))

    assert not ja4_r(without).endswith("_")
    assert ja4_r(without).count("_") == 2


def test_grease_counts_nowhere() -> None:
    greased = [(0x0A0A, b""), *((number, CONTENTS.get(number, b"")) for number in EXTENSIONS), (0xFAFA, b"\0")]
    greased = [(n, vector(1, numbers(2, [0x5A5A, 0x0304])) if n == 43 else content) for n, content in greased]
    read = parse(hello([0x1A1A, *SUITES], greased))

    assert ja4(read) == ja4(example())
    assert ja3(read) == ja3(example())


@pytest.mark.parametrize(
    ("protocol", "ends"),
    [
        (b"h2", "h2"), (b"http/1.1", "h1"), (b"x", "xx"), (b"\xab", "ab"), (b"\x20", "20"), (b"\xab\xcd", "ad"),
        (b"\x20\x61", "21"), (b"\x30\xab", "3b"), (b"\x61\x20", "60"), (b"\x30\x31\xab\xcd", "3d"),
        (b"\x30\xab\xcd\x31", "01"),
    ],
)  # fmt: skip
def test_ja4_has_the_ends_of_the_first_protocol(protocol: bytes, ends: str) -> None:
    assert ja4(example(alpn=protocols(protocol, b"other")))[8:10] == ends


@pytest.mark.parametrize(
    ("version", "begin"), [(0x0303, "t12"), (0x0302, "t11"), (0x0301, "t10"), (0x0300, "ts3"), (0x0999, "t00")]
)
def test_ja4_has_the_version_of_the_message_without_a_list(version: int, begin: str) -> None:
    assert ja4(parse(hello([0x002F], [], version=version))).startswith(f"{begin}i01")


def test_ja4_counts_to_99() -> None:
    read = parse(hello(range(1, 200), [(number, b"") for number in range(1000, 1150)]))

    assert ja4(read).startswith("t12i999900_")


def test_the_fingerprints_of_the_longest_hello_are_those_of_all_its_numbers() -> None:
    suites = random.Random(1).choices(range(1, 0x0A00), k=32767)
    read = parse(hello(suites, [(10, vector(2, numbers(2, suites[:32700])))]))

    in_decimal = ["-".join(map(str, each)) for each in (suites, suites[:32700])]
    assert read.ja3 == f"771,{in_decimal[0]},10,{in_decimal[1]},"
    digest = sha256(",".join(f"{suite:04x}" for suite in sorted(suites)).encode()).hexdigest()[:12]
    assert read.ja4.split("_")[:2] == ["t12i990100", digest]


def test_ja3_is_that_of_its_publication() -> None:
    suites = [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4]
    lists = [(0, CONTENTS[0]), (10, vector(2, numbers(2, [23, 24, 25]))), (11, vector(1, b"\0"))]

    with_extensions = parse(hello(suites, lists, version=769))
    assert ja3(with_extensions) == "769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0"
    assert ja3_hash(with_extensions) == "ada70206e40642a3e4461f35503241d5"
    without = parse(hello([4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99], [], version=769))
    assert ja3_hash(without) == "de350869b8c85de67a350c8d186f11e6"
