"""Chains of certificates with one thing wrong, or two: each flaw by itself, with the errors that OpenSSL has for it."""

from __future__ import annotations

import inspect
import itertools
import ssl as standard
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.kit.authority import DAY, NOW, Crl, Issued, crl, issue
from tests.kit.certificates import HOST

CRL_CHECK = standard.VerifyFlags.VERIFY_CRL_CHECK_LEAF
STRICT = standard.VerifyFlags.VERIFY_X509_STRICT


@dataclass
class Chain:
    """root - intermediate - leaf, before they are issued: what issue() is called with, which flaws change."""

    leaf: dict[str, Any] = field(default_factory=lambda: {"names": [HOST]})
    intermediate: dict[str, Any] = field(default_factory=dict)
    root: dict[str, Any] = field(default_factory=dict)
    is_trusted: bool = True  # its root
    is_alone: bool = False  # the leaf has signed itself
    sent: int = 2  # certificates, from the leaf on
    flags: int = 0
    crls: list[Callable[[Issued, Issued, Issued], Crl]] = field(default_factory=list)

    def issued(self) -> tuple[Issued, Issued, Issued]:
        """leaf, intermediate, root"""
        is_strict = bool(self.flags & STRICT)
        root = issue("root", ca=True, by_the_book=is_strict, **self.root)
        intermediate = root.issue("intermediate", **{"ca": True, "by_the_book": is_strict, **self.intermediate})
        leaf = issue("leaf", issuer=None if self.is_alone else intermediate, **{"by_the_book": is_strict, **self.leaf})
        return leaf, intermediate, root


class Flaw:
    """What is done to a chain, and the codes that OpenSSL then has for it; `later` are found once those are tolerated.

    Flaws that touch the same thing do not go together. What `is_deep` is not looked at while something else is wrong.
    """

    def __init__(
        self,
        name: str,
        expected: set[int],
        touches: str,
        *spoil: Callable[[Chain], object],
        is_deep: bool = False,
        later: Iterable[int] = (),
    ) -> None:
        self.name = name
        self.expected = expected
        self.all = {*expected, *later}
        self.touches = set(touches.split())
        self.spoil = spoil
        self.is_deep = is_deep

    def __repr__(self) -> str:
        return self.name


def spoilt(*flaws: Flaw) -> Chain:
    chain = Chain()
    for flaw in flaws:
        for spoil in flaw.spoil:
            spoil(chain)
    return chain


def pairs() -> list[tuple[Flaw, Flaw]]:
    """Any two flaws that go together."""
    return [
        (first, second)
        for first, second in itertools.combinations(FLAWS, 2)
        if not first.touches & second.touches and not (first.is_deep and second.is_deep)
    ]


# --- What flaws do ---------------------------------------------------------------------------------------------------
def _extended(which: str, extension: x509.ExtensionType) -> Callable[[Chain], None]:
    def extend(chain: Chain) -> None:
        settings = getattr(chain, which)
        settings["extensions"] = [*settings.get("extensions", ()), (extension, True)]

    return extend


def _with(which: str, **settings: Any) -> Callable[[Chain], None]:
    return lambda chain: getattr(chain, which).update(settings)


def _flagged(flags: int) -> Callable[[Chain], None]:
    return lambda chain: setattr(chain, "flags", chain.flags | flags)


def _set(name: str, value: Any) -> Callable[[Chain], None]:
    return lambda chain: setattr(chain, name, value)


def _listed(make: Callable[[Issued, Issued, Issued], Crl]) -> Callable[[Chain], None]:
    return lambda chain: chain.crls.append(make)


def _usage(*uses: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{name: name in uses for name in inspect.signature(x509.KeyUsage).parameters})


_SMALL_KEY = rsa.generate_private_key(65537, 1024)
_OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
_UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
_FOR_CLIENTS = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH])
_FOR_OTHERS = x509.NameConstraints([x509.DNSName("third.example")], None)
_NOT_FOR_US = x509.NameConstraints(None, [x509.DNSName(HOST)])
_AN_HOUR_AGO = NOW - DAY / 24
_IN_AN_HOUR = NOW + DAY / 24

FLAWS = [
    Flaw("expired", {10}, "dates", _with("leaf", not_after=_AN_HOUR_AGO)),
    Flaw("not yet valid", {9}, "dates", _with("leaf", not_before=_IN_AN_HOUR)),
    Flaw("expired intermediate", {10}, "intermediate-dates", _with("intermediate", not_after=_AN_HOUR_AGO)),
    Flaw("another name", {62}, "name", _with("leaf", names=["elsewhere.example"])),
    Flaw("no name", {62}, "name constraints", _with("leaf", names=[])),
    Flaw("untrusted root", {20}, "trust", _set("is_trusted", False)),
    Flaw("untrusted root, sent", {19}, "trust", _set("is_trusted", False), _set("sent", 3)),
    Flaw(
        "untrusted leaf, alone",
        {20, 21},
        "trust intermediate-dates ca crl constraints signature strict",
        _set("is_trusted", False),
        _set("sent", 1),
    ),
    Flaw(
        "self-signed",
        {18},
        "trust intermediate-dates ca crl constraints path signature strict",
        _set("is_alone", True),
        _set("sent", 1),
    ),
    Flaw("key too small", {66}, "size", _with("leaf", key=_SMALL_KEY)),
    Flaw("for clients only", {26}, "use", _extended("leaf", _FOR_CLIENTS)),
    Flaw("unknown critical extension", {34}, "extension", _extended("leaf", _UNKNOWN)),
    Flaw("intermediate is no CA", {79, 26}, "ca strict", _with("intermediate", ca=False)),
    Flaw("path too long", {25}, "path trust", _with("root", path_length=0)),
    Flaw(
        "intermediate may not sign",
        {26, 79},
        "ca crl strict",
        _extended("intermediate", _usage("digital_signature")),
        later=[32],
    ),
    Flaw("revoked", {23}, "crl", _flagged(CRL_CHECK), _listed(lambda leaf, ca, _: ca.revoke(leaf))),
    Flaw("without CRL", {3}, "crl", _flagged(CRL_CHECK)),
    Flaw("CRL of another CA", {3}, "crl", _flagged(CRL_CHECK), _listed(lambda _, __, root: crl(root))),
    Flaw("expired CRL", {12}, "crl", _flagged(CRL_CHECK), _listed(lambda _, ca, __: crl(ca, next_update=_AN_HOUR_AGO))),
    Flaw(
        "CRL not yet valid",
        {11},
        "crl",
        _flagged(CRL_CHECK),
        _listed(lambda _, ca, __: crl(ca, last_update=_IN_AN_HOUR)),
    ),
    Flaw("forged CRL", {8}, "crl", _flagged(CRL_CHECK), _listed(lambda _, ca, __: crl(ca, signed_with=_OTHER_KEY))),
    Flaw("forged", {7}, "signature", _with("leaf", signed_with=_OTHER_KEY), is_deep=True),
    Flaw("forged intermediate", {7}, "signature trust", _with("intermediate", signed_with=_OTHER_KEY), is_deep=True),
    Flaw("not for these names", {47}, "constraints", _extended("intermediate", _FOR_OTHERS), is_deep=True),
    Flaw("not for this name", {48}, "constraints name", _extended("intermediate", _NOT_FOR_US), is_deep=True),
    Flaw("strictly, no key of the issuer", {85}, "strict ca", _flagged(STRICT), _with("leaf", by_the_book=False)),
    Flaw(
        "strictly, a CA without use",
        {92, 86, 85},
        "strict ca trust",
        _flagged(STRICT),
        _with("intermediate", by_the_book=False),
    ),
]
