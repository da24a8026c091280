"""Findings: why a certificate would be refused, and by whom.

What OpenSSL and Python refuse is not reckoned here: a context verifies the chain. What browsers demand on top of that
is: the Baseline Requirements of the CA/Browser Forum for certificates of public CAs, and the rules of their makers.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import wiretight as ssl
from wiretight._cli.cert.extensions import Uses
from wiretight._cli.connect.chain import Certificate, is_address
from wiretight._cli.connect.reasons import UNKNOWN_ISSUER, reasons_of
from wiretight._core.trust.verifier import verify_chain

SERVER, CLIENT, AUTHORITY = "server", "client", "CA"

_PUBLIC = "browsers, from a public CA"
_BROWSERS = "browsers"
_APPLE = "Apple's systems"

# The longest validity (days) of a certificate that a public CA issues from that day on: Baseline Requirements, 6.3.2.
_LONGEST = (
    (dt.date(2029, 3, 15), 47),
    (dt.date(2027, 3, 15), 100),
    (dt.date(2026, 3, 15), 200),
    (dt.date(2020, 9, 1), 398),
    (dt.date(2018, 3, 1), 825),
)
# Of any CA, since July 2019: https://support.apple.com/en-us/103769
_LONGEST_FOR_APPLE, _APPLE_SINCE = 825, dt.date(2019, 7, 1)
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Finding:
    """One reason: who refuses the certificate, which one of the chain it is about (None: the chain), and why."""

    who: str
    certificate: int | None
    reason: str


@dataclass(frozen=True)
class Judgement:
    """What verifying a chain has come to. `refused` is why this system refuses it, as `connect` would tell it; `root`
    what it leads to, None if that is not trusted; `lacks_issuer` if that is because a certificate is missing.
    """

    refused: list[str]
    root: ssl.Certificate | None
    lacks_issuer: bool
    findings: list[Finding]


def judge(chain: list[ssl.Certificate], role: str, name: str | None, trust: ssl.TrustStore | None) -> Judgement:
    """Verify the chain of a server or client, and find who else would refuse it.

    `name` is the server's, an A-label or address; `trust` is None for what the system trusts. Raises SSLError for a
    name that cannot be one.
    """
    findings: list[Finding] = []
    seen: set[tuple[int, int]] = set()
    for who, context in _verifiers(role, trust):
        errors, _ = verify_chain(context, chain, name, role == CLIENT)
        for error in errors:
            if (error.code, error.depth) not in seen:
                at = chain.index(error.certificate) if error.certificate in chain else None
                findings.append(Finding(who, at, *reasons_of([error], chain, name or "")))
        seen |= {(error.code, error.depth) for error in errors}
    errors, built = verify_chain(_context(trust), chain, name, role == CLIENT)
    refused = reasons_of(errors, chain, name or "")
    lacks_issuer = any(error.code in UNKNOWN_ISSUER for error in errors)
    return Judgement(refused, None if errors or not built else built[-1], lacks_issuer, findings)


def _context(trust: ssl.TrustStore | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if trust is not None:
        context.trust_store = trust
    return context


def _verifiers(role: str, trust: ssl.TrustStore | None) -> Iterator[tuple[str, ssl.SSLContext]]:
    """Each stricter than the one before: what it finds on top of that is its own."""
    everybody = "every client" if role == SERVER else "every server"
    for level, who in ((0, everybody), (1, "OpenSSL at security level 1"), (2, "OpenSSL at security level 2")):
        context = _context(trust)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.set_ciphers(f"DEFAULT@SECLEVEL={level}")
        yield who, context
    context = _context(trust)
    context.set_ciphers("DEFAULT@SECLEVEL=2")
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    yield "Python 3.13 and newer (VERIFY_X509_STRICT)", context


# --- Browsers ---------------------------------------------------------------------------------------------------------


def of_browsers(native: ssl.Certificate, certificate: Certificate, uses: Uses, public: bool) -> list[Finding]:
    """Why browsers would refuse a server's own certificate that OpenSSL accepts; `public` if its CA may be public."""
    found = [*_of_names(native, certificate), *_of_key(certificate, uses), *_of_validity(native)]
    if uses.is_ca:
        found.append(("Firefox, rustls", "it is a CA's certificate, used as that of a server"))
    if uses.extended_key_usage is None:
        found.append((_APPLE, "it does not say that it is for servers (extended key usage: serverAuth)"))
    if uses.must_staple:
        found.append(("Firefox", "it asks for a stapled OCSP response (must-staple): the server has to send one"))
    return [Finding(who, 0, reason) for who, reason in found if public or who != _PUBLIC]


def _of_names(native: ssl.Certificate, certificate: Certificate) -> Iterator[tuple[str, str]]:
    if not certificate.names:
        yield (
            "browsers, Go, urllib3",
            "it has no subject alternative names: the common name of the subject does not count (RFC 9525, 6.3)",
        )
        return
    try:
        names = [name for kind, name in native.alternative_names if kind == "DNS"]
    except (ValueError, ssl.SSLError):
        return
    for name in names:
        if is_address(name):
            yield "every client", f"the address {name} is among its DNS names, where no client looks for addresses"
        elif set(name) & set(":/@ "):
            yield "every client", f"{name!r} is no host name, and matches nothing"


def _of_key(certificate: Certificate, uses: Uses) -> Iterator[tuple[str, str]]:
    kind, bits = certificate.key_type, certificate.key_bits
    if kind not in ("RSA", "EC"):
        yield _BROWSERS, f"its key is of the kind {kind or 'unknown'}: browsers take RSA and ECDSA only"
    elif kind == "RSA" and bits is not None and bits < 2048:
        yield _PUBLIC, f"its RSA key has {bits} bits: 2048 are the least (CA/B Forum, 6.1.5)"
        yield _APPLE, f"its RSA key has {bits} bits: 2048 are the least, of any CA"
    elif kind == "EC" and bits not in (256, 384, 521):
        yield _BROWSERS, f"its curve of {bits} bits is none of P-256, P-384 and P-521 (CA/B Forum, 6.1.5)"
    if any(word in certificate.signature.lower() for word in ("md5", "sha1")):
        yield _BROWSERS, f"it is signed with {certificate.signature}, which can be forged"
    if uses.key_usage is not None and "digitalSignature" not in uses.key_usage:
        yield "Chrome", "its key may not sign (key usage: digitalSignature), as TLS 1.3 demands (RFC 8446, 4.4.2.2)"


def _of_validity(native: ssl.Certificate) -> Iterator[tuple[str, str]]:
    try:
        first, days = native.not_before.date(), _days_of(native)
    except ValueError:
        return
    longest = next((longest for since, longest in _LONGEST if first >= since), None)
    if longest is not None and days > longest:
        yield _PUBLIC, f"it is valid for {days} days: {longest} are the most (CA/B Forum, 6.3.2)"
    if first >= _APPLE_SINCE and days > _LONGEST_FOR_APPLE:
        yield _APPLE, f"it is valid for {days} days: {_LONGEST_FOR_APPLE} are the most, of any CA"


def _days_of(native: ssl.Certificate) -> int:
    """Both ends count: a part of a day is a day."""
    seconds = (native.not_after - native.not_before).total_seconds() + 1
    return -int(-seconds // _DAY.total_seconds())


# --- The chain --------------------------------------------------------------------------------------------------------


def leaf_of(certificates: Sequence[Certificate], fitting: int | None) -> int:
    """The number of the certificate that all others are there for: that of the key, or the one that certifies none."""
    if fitting is not None:
        return fitting
    issuers = {each.issuer for each in certificates if each.issuer != each.subject}
    return next((at for at, each in enumerate(certificates) if each.subject not in issuers), 0)
