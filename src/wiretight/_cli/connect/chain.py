"""Chain: the certificates that a peer sent, in words; and what is wrong with their order."""

import base64
import datetime as dt
import ipaddress
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import wiretight as ssl

_DAY = 86400
_UNREADABLE = "(cannot be decoded)"
_SHORT = {  # RFC 4514, section 3
    "commonName": "CN",
    "localityName": "L",
    "stateOrProvinceName": "ST",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "countryName": "C",
    "streetAddress": "STREET",
    "domainComponent": "DC",
    "userId": "UID",
}


@dataclass(frozen=True)
class Certificate:
    """One certificate, in words; dates are ISO 8601 in UTC. `days_left` counts whole days, and is negative or 0 once it
    has `expired`.

    Both are None where the certificate has no date there, but something that only looks like one. `key_type` and
    `key_bits` are None for a kind that OpenSSL does not know, `pem` unless it was asked for.
    """

    subject: str
    issuer: str
    not_before: str
    not_after: str
    expired: bool | None
    days_left: int | None
    names: list[str]
    key_type: str | None
    key_bits: int | None
    signature: str
    sha256: str
    spki_sha256: str
    pem: str | None

    @property
    def pin(self) -> str:
        """Of its key, as curl and `connect --pin` take it (RFC 7469)."""
        return "sha256//" + base64.b64encode(bytes.fromhex(self.spki_sha256)).decode("ascii")

    @property
    def valid(self) -> str:
        """The time of validity, with what is left of it."""
        if self.days_left is None:
            return f"{self.not_before} to {self.not_after}"
        days = in_days(abs(self.days_left))
        left = f"expired {days} ago" if self.expired else f"{days} left"
        return f"{self.not_before} to {self.not_after}, {left}"

    @property
    def key(self) -> str:
        """Such as "EC, 256 bits"."""
        return "of an unknown kind" if self.key_type is None else f"{self.key_type}, {self.key_bits} bits"


def decoded(native: ssl.Certificate, pem: bool = False) -> Certificate:
    """What a certificate says, in words."""
    try:
        left: float | None = native.not_after.timestamp() - time.time()
    except ValueError:
        left = None
    return Certificate(
        subject=_readable(lambda: in_words(native.subject)),
        issuer=_readable(lambda: in_words(native.issuer)),
        not_before=_date(native, "not_before", "notBefore"),
        not_after=_date(native, "not_after", "notAfter"),
        expired=None if left is None else left < 0,
        days_left=None if left is None else int(left / _DAY),
        names=_names(native),
        key_type=native.key_type,
        key_bits=native.key_bits,
        signature=native.signature_algorithm,
        sha256=native.fingerprint().hex(),
        spki_sha256=native.spki_sha256.hex(),
        pem=native.pem() if pem else None,
    )


def notes(chain: Sequence[Certificate]) -> list[str]:
    """What a server's administrator should know about the order and number of the certificates (RFC 8446, 4.4.2)."""
    path = _path(chain)
    found = []
    if path != sorted(path):
        found.append("the certificates are not in order: each should certify the one before it")
    for at, certificate in enumerate(chain):
        which = f"certificate {at} ({certificate.subject!r})"
        if at not in path:
            found.append(f"{which} is superfluous: it certifies none of the others")
        elif at and certificate.subject == certificate.issuer:
            found.append(f"{which} is superfluous: it is a root, which clients have or do not trust")
    return found


def _path(chain: Sequence[Certificate]) -> list[int]:
    """The places of the certificates from the first one to its issuer, and so on, by their names."""
    path = [0] if chain else []
    while path:
        last = chain[path[-1]]
        following = [at for at in range(len(chain)) if at not in path and chain[at].subject == last.issuer]
        if last.subject == last.issuer or not following:
            break
        path.append(following[0])
    return path


def is_address(name: str) -> bool:
    """Whether `name` is an IP address, for which TLS sends no server name (RFC 6066 section 3)."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def in_words(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """A name of a certificate in a line."""
    return ", ".join(f"{_SHORT.get(key, key)}={value}" for rdn in parts for key, value in rdn)


def in_days(count: int) -> str:
    """Such as "3 days"."""
    if count == 0:
        return "less than a day"
    return "1 day" if count == 1 else f"{count} days"


def _usual(name: str) -> str:
    # OpenSSL writes IPv6 addresses out in full: 0:0:0:0:0:0:0:1.
    return str(ipaddress.ip_address(name)) if is_address(name) else name


def _names(native: ssl.Certificate) -> list[str]:
    try:
        names = native.alternative_names
    except (ValueError, ssl.SSLError):
        return [_UNREADABLE]
    return [_usual(value) if isinstance(value, str) else in_words(value) for _, value in names]


def _date(native: ssl.Certificate, attribute: str, key: str) -> str:
    """The date, or what is there instead of one, as OpenSSL prints it."""
    try:
        moment: dt.datetime = getattr(native, attribute)
    except ValueError:
        return _readable(lambda: str(native.get_info()[key]))
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _readable(read: Callable[[], str]) -> str:
    """What it returns, unless the certificate has something else in that place: it comes from anybody."""
    try:
        return read()
    except (ValueError, ssl.SSLError):
        return _UNREADABLE
