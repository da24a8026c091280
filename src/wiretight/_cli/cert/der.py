"""DER: the parts of what OpenSSL is not asked about here: which kind of object it is, requests, CRLs, extensions.

Whatever is malformed raises ValueError: the data comes from anybody. Source: ITU-T X.690, section 8.
"""

import datetime as dt
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from wiretight._core.x509.objects import txt2obj

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, OID, SEQUENCE, SET = 0x01, 0x02, 0x03, 0x04, 0x06, 0x30, 0x31
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
CONTEXT = 0x80  # or'ed with the number of an alternative; CONSTRUCTED as well, if it has parts
CONSTRUCTED = 0x20

_TEXT = {0x0C: "utf-8", 0x12: "ascii", 0x13: "ascii", 0x14: "latin-1", 0x16: "ascii", 0x1A: "ascii"}
_TEXT |= {0x1C: "utf-32-be", 0x1E: "utf-16-be"}
_MOST_PARTS = 200


class TruncatedError(ValueError):
    """The data ends before the object does."""


@dataclass(frozen=True)
class Element:
    """One value: its tag, its content, and its whole encoding."""

    tag: int
    content: memoryview
    whole: memoryview

    @property
    def parts(self) -> list["Element"]:
        """The values that it is made of; ValueError if they are too many for anything that has a fixed form."""
        found = list(itertools.islice(self.each(), _MOST_PARTS + 1))
        if len(found) > _MOST_PARTS:
            raise ValueError("it has too many parts")
        return found

    def each(self) -> Iterator["Element"]:
        """The same, one after the other."""
        return elements(self.content)

    def part(self, number: int, tag: int) -> "Element":
        """The part at that place, which must have this tag."""
        parts = self.parts
        if number >= len(parts) or parts[number].tag != tag:
            raise ValueError("another structure was expected")
        return parts[number]

    @property
    def number(self) -> int:
        """Of an INTEGER."""
        return int.from_bytes(self.content, "big", signed=True)

    @property
    def bits(self) -> memoryview:
        """The octets of a BIT STRING, without the count of unused bits."""
        return self.content[1:]

    @property
    def oid(self) -> str:
        """Of an OBJECT IDENTIFIER, such as "2.5.29.17"."""
        return ".".join(map(str, _arcs(bytes(self.content))))

    @property
    def text(self) -> str:
        """Of any kind of string; what cannot be decoded is escaped."""
        return bytes(self.content).decode(_TEXT.get(self.tag, "latin-1"), "backslashreplace")

    @property
    def time(self) -> dt.datetime:
        """Of a UTCTime or GeneralizedTime (RFC 5280, section 4.1.2.5), in UTC."""
        digits = bytes(self.content).decode("ascii", "replace")
        if self.tag == UTC_TIME:
            digits = ("19" if digits[:2] >= "50" else "20") + digits
        if len(digits) != 15 or not digits[:14].isdigit() or digits[14] != "Z":
            raise ValueError("a date that is none")
        numbers = [int(digits[start : start + 2]) for start in range(4, 14, 2)]
        return dt.datetime(int(digits[:4]), *numbers, tzinfo=dt.timezone.utc)  # type: ignore[arg-type,misc]


def elements(data: "bytes | memoryview") -> Iterator[Element]:
    """The values that stand in `data` one after the other."""
    view = memoryview(data)
    at = 0
    while at < len(view):
        start, length = _header(view, at)
        if start + length > len(view):
            raise TruncatedError(f"it is truncated: {start + length} bytes are announced, and {len(view)} are there")
        yield Element(view[at], view[start : start + length], view[at : start + length])
        at = start + length


def first_element(data: "bytes | memoryview") -> Element:
    """The value that `data` begins with."""
    for element in elements(data):
        return element
    raise TruncatedError("it is empty")


def long_name(oid: str) -> str:
    """OpenSSL's long name for an object identifier, or itself."""
    return _names(oid)[2]


def short_name(oid: str) -> str:
    """OpenSSL's short name, such as "serverAuth", or the object identifier itself."""
    return _names(oid)[1]


def distinguished_name(name: Element) -> "tuple[tuple[tuple[str, str], ...], ...]":
    """In the form of Certificate.subject."""
    found = []
    for rdn in name.parts:
        pairs = [pair.parts for pair in rdn.parts]
        if any(len(pair) != 2 for pair in pairs):
            raise ValueError("a name that is none")
        found.append(tuple((long_name(kind.oid), value.text) for kind, value in pairs))
    return tuple(found)


def _names(oid: str) -> tuple[int, str, str, str]:
    """(number, short name, long name, object identifier)."""
    try:
        return txt2obj(oid)
    except ValueError:
        return (0, oid, oid, oid)


def _header(view: memoryview, at: int) -> tuple[int, int]:
    """(where the content begins, its length)."""
    if len(view) - at < 2:
        raise TruncatedError("it is truncated")
    if view[at] & 0x1F == 0x1F:
        raise ValueError("a tag that no certificate has")
    length = view[at + 1]
    if length < 0x80:
        return at + 2, length
    count = length & 0x7F
    if not 0 < count <= 4:
        raise ValueError("a length that DER does not allow")
    if len(view) - at < 2 + count:
        raise TruncatedError("it is truncated")
    return at + 2 + count, int.from_bytes(view[at + 2 : at + 2 + count], "big")


def _arcs(content: bytes) -> Iterator[int]:
    if not content or content[-1] & 0x80 or len(content) > 64:
        raise ValueError("an object identifier that is none")
    number, is_first = 0, True
    for octet in content:
        number = number << 7 | octet & 0x7F
        if octet & 0x80:
            continue
        if is_first:
            yield min(number // 40, 2)
            number -= min(number // 40, 2) * 40
        yield number
        number, is_first = 0, False
