"""Crl: a list of revoked certificates (RFC 5280, section 5)."""

import datetime as dt
import time
from dataclasses import dataclass

from wiretight._cli.cert import der
from wiretight._cli.connect.chain import in_words

_TIMES = (der.UTC_TIME, der.GENERALIZED_TIME)
_DAY = 86400


@dataclass(frozen=True)
class Crl:
    """What a list says; dates are ISO 8601 in UTC. `next_update` and `days_left` are None for a list without an end."""

    issuer: str
    this_update: str
    next_update: str | None
    expired: bool
    days_left: int | None
    revoked: int
    signature: str


def read_crl(octets: bytes) -> Crl:
    """Raises ValueError for what is none."""
    outer = der.first_element(octets)
    signed = outer.part(0, der.SEQUENCE).parts
    if signed and signed[0].tag == der.INTEGER:
        signed = signed[1:]
    if len(signed) < 3 or signed[2].tag not in _TIMES:
        raise ValueError("another structure was expected")
    rest = signed[3:]
    until = rest[0].time if rest and rest[0].tag in _TIMES else None
    rest = rest[1:] if until is not None else rest
    left = None if until is None else until.timestamp() - time.time()
    return Crl(
        issuer=in_words(der.distinguished_name(signed[1])),
        this_update=_iso(signed[2].time),
        next_update=None if until is None else _iso(until),
        expired=left is not None and left < 0,
        days_left=None if left is None else int(left / _DAY),
        revoked=sum(1 for _ in rest[0].each()) if rest and rest[0].tag == der.SEQUENCE else 0,
        signature=der.long_name(outer.part(1, der.SEQUENCE).part(0, der.OID).oid),
    )


def _iso(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
