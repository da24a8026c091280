"""Chain: the certificates that a peer sent, decoded; and the reason why verification failed, in a sentence."""

import hashlib
import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan, nan
from typing import Any

import wiretight as ssl

_DAY = 86400

# X509_V_ERR_*: OpenSSL's X509_verify_cert_error_string(3)
_NOT_YET_VALID, _EXPIRED = 9, 10
_SELF_SIGNED, _SELF_SIGNED_IN_CHAIN = 18, 19
_NO_ISSUER = (2, 20, 21)
_WRONG_NAME, _WRONG_ADDRESS = 62, 64


@dataclass(frozen=True)
class Certificate:
    """One certificate, in words. `days_left` counts whole days, and is negative or 0 once it has `expired`.

    Both are None where the certificate has no date there, but something that only looks like one.
    """

    subject: str
    issuer: str
    not_before: str
    not_after: str
    expired: bool | None
    days_left: int | None
    names: list[str]
    sha256: str

    @property
    def valid(self) -> str:
        """The time of validity, with what is left of it."""
        if self.days_left is None:
            return f"{self.not_before} to {self.not_after}"
        days = _days(abs(self.days_left))
        left = f"expired {days} ago" if self.expired else f"{days} left"
        return f"{self.not_before} to {self.not_after}, {left}"


def sent_by(connection: ssl.SSLSocket) -> list[Certificate]:
    """The chain as the peer sent it, its own certificate first; needs no verification."""
    # Decoded certificates, which the interface has since Python 3.10 on its inner object only.
    inner = connection._sslobj
    return [] if inner is None else [decoded(native) for native in inner.get_unverified_chain() or ()]


def reasons(error: ssl.SSLCertVerificationError, name: str, chain: list[Certificate]) -> list[str]:
    """Why the chain was rejected for the server `name`: each reason once."""
    found = [(each.code, each.message) for each in error.verify_errors] or [(error.verify_code, error.verify_message)]
    return list(dict.fromkeys(_reason(code, message, name, chain) for code, message in found))


def _reason(code: int, message: str, name: str, chain: list[Certificate]) -> str:
    last = chain[-1] if chain else None
    if code == _EXPIRED and (late := _first(chain, lambda it: _seconds(it.not_after))):
        whose = "the certificate" if late is chain[0] else f"the certificate {late.subject!r} of the chain"
        return f"{whose} expired {_days(abs(late.days_left or 0))} ago ({late.not_after})"
    if code == _NOT_YET_VALID and (early := _first(chain, lambda it: -_seconds(it.not_before))):
        whose = "the certificate" if early is chain[0] else f"the certificate {early.subject!r} of the chain"
        return f"{whose} is not valid before {early.not_before}: is this machine's clock right?"
    if code in (_WRONG_NAME, _WRONG_ADDRESS) and chain:
        return f"the name {name} is not among those of the certificate: {', '.join(chain[0].names) or 'it has none'}"
    if code == _SELF_SIGNED:
        return "the certificate is self-signed and not trusted (see --cafile)"
    if code == _SELF_SIGNED_IN_CHAIN and last:
        return f"unknown issuer: the chain ends at {last.subject!r}, which is not trusted (see --cafile)"
    if code in _NO_ISSUER and last:
        return f"unknown issuer: {last.issuer!r} is neither trusted nor sent by the server (see --cafile)"
    return f"{message} (X509_V_ERR {code})"


def is_address(name: str) -> bool:
    """Whether `name` is an IP address, for which TLS sends no server name (RFC 6066 section 3)."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def decoded(native: Any) -> Certificate:
    """What a certificate of the core says, in words."""
    facts = native.get_info()
    end = _seconds(facts["notAfter"])
    left = None if isnan(end) else end - time.time()
    return Certificate(
        subject=_name(facts.get("subject", ())),
        issuer=_name(facts.get("issuer", ())),
        not_before=facts["notBefore"],
        not_after=facts["notAfter"],
        expired=None if left is None else left < 0,
        days_left=None if left is None else int(left / _DAY),
        names=[_usual(value) for _, value in facts.get("subjectAltName", ())],
        sha256=hashlib.sha256(ssl.PEM_cert_to_DER_cert(native.public_bytes())).hexdigest(),
    )


def _name(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    return ", ".join(f"{key}={value}" for rdn in parts for key, value in rdn)


def _usual(name: str) -> str:
    # OpenSSL writes IPv6 addresses out in full: 0:0:0:0:0:0:0:1.
    return str(ipaddress.ip_address(name)) if is_address(name) else name


def _seconds(moment: str) -> float:
    """A date of a certificate in seconds; NaN for what is none, which only a verification refuses."""
    try:
        return ssl.cert_time_to_seconds(moment)
    except (ValueError, OverflowError):
        return nan


def _first(chain: list[Certificate], moment: Callable[[Certificate], float]) -> Certificate | None:
    """The certificate that comes first by its date, of those that have one."""
    return min((it for it in chain if not isnan(moment(it))), key=moment, default=None)


def _days(count: int) -> str:
    if count == 0:
        return "less than a day"
    return "1 day" if count == 1 else f"{count} days"
