"""Authorities: the names of CAs, as a server sends them in a request for a client's certificate (DER, X.501)."""

from wiretight._core.base.reader import Reader, Undecodable

_SHORT = {  # RFC 4514, section 3
    b"\x55\x04\x03": "CN", b"\x55\x04\x06": "C", b"\x55\x04\x07": "L", b"\x55\x04\x08": "ST", b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU", b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19": "DC",
}  # fmt: skip
_WIDE = {0x1E: "utf-16-be", 0x1C: "utf-32-be"}


def in_words(name: bytes) -> str:
    """The name in a line, or what there is instead."""
    parts = []
    try:
        _, sequence = _element(Reader(name))
        while sequence:
            _, attributes = _element(sequence)
            while attributes:
                _, attribute = _element(attributes)
                _, kind = _element(attribute)
                tag, value = _element(attribute)
                text = value.rest().decode(_WIDE.get(tag, "utf-8"), "replace")
                parts.append(f"{_SHORT.get(kind.rest(), '?')}={text}")
    except Undecodable:
        return "(cannot be decoded)"
    return ", ".join(parts)


def _element(reader: Reader) -> tuple[int, Reader]:
    tag, size = reader.number(1), reader.number(1)
    if size & 0x80:
        if size & 0x7F > 3:
            raise Undecodable
        size = reader.number(size & 0x7F)
    return tag, Reader(reader.take(size))
