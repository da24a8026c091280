"""Findings: what is wrong with what a server offers, how much, and why; and the grade that follows."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from wiretight._cli.connect.chain import Certificate, in_days
from wiretight._cli.connect.report import Report
from wiretight._cli.scan.handshakes import Completed
from wiretight._cli.scan.hello import SSL3, TLS10, TLS11, TLS12, TLS13
from wiretight._cli.scan.suites import Suite, suite
from wiretight._cli.scan.survey import Survey
from wiretight._cli.trace.names import GROUPS, SIGNATURES, VERSIONS, name_of

# From the mildest: what they mean, and the grade of a server with nothing worse.
SEVERITIES = {
    "advice": ("could be better", "A"),
    "weak": ("kept for clients of before 2014, or without forward secrecy", "B"),
    "old": ("deprecated by the RFCs, but not known to be broken for every client", "C"),
    "broken": ("can be attacked", "F"),
    "refused": ("a client refuses the certificate, whatever else there is", "T"),
}
BEST = "A+"
GRADES = (BEST, *(grade for _, grade in SEVERITIES.values()))
REFUSED = GRADES[-1]

_YEAR = 31_536_000
_SOON = 14  # days
_LISTED = 4
_PQ = {512, 513, 514, 4587, 4588, 4589}


@dataclass(frozen=True)
class Finding:
    """What is wrong, in a sentence without a full stop; `why` is a reason and its source, or empty."""

    severity: str
    what: str
    why: str = ""


def findings(survey: Survey, completed: Completed) -> list[Finding]:
    """All of them, the worst first."""
    found = [
        *_about_versions(survey),
        *_about_suites(survey),
        *_about_keys(survey),
        *_about_extensions(survey),
        *(finding for report in completed.trust for finding in _about_trust(report)),
        *_about_web(completed),
    ]
    order = list(SEVERITIES)
    return sorted(dict.fromkeys(found), key=lambda it: -order.index(it.severity))


def grade(found: Iterable[Finding]) -> str:
    """That of the worst finding, or the best if there is none."""
    order = list(SEVERITIES)
    worst = max((order.index(it.severity) for it in found), default=-1)
    return GRADES[worst + 1]


def _about_versions(survey: Survey) -> Iterator[Finding]:
    if survey.ssl2_ciphers:
        yield Finding("broken", "SSL 2.0 is offered", "DROWN decrypts TLS, too, with its help (RFC 6176)")
    if SSL3 in survey.offers:
        yield Finding("broken", "SSL 3.0 is offered", "POODLE decrypts it (RFC 7568)")
    older = [VERSIONS[version] for version in (TLS10, TLS11) if version in survey.offers]
    if older:
        yield Finding("old", f"{_listed(older)} {_is(older)} offered", "deprecated, signed with SHA-1 (RFC 8996)")
    if not survey.offers.keys() & {TLS12, TLS13}:
        yield Finding(
            "old", "nothing newer than TLS 1.1 is offered", "today's clients do not connect (RFC 9325, 3.1.1)"
        )
    elif TLS13 not in survey.offers:
        yield Finding(
            "advice", "TLS 1.3 is not offered", "it is faster, and has none of the weaknesses here (RFC 8446)"
        )
    if survey.honours_fallback is False and older:
        yield Finding("weak", "a fallback to an older version is accepted", "attackers can force one (RFC 7507)")


def _about_suites(survey: Survey) -> Iterator[Finding]:
    every = [suite(number) for number in survey.suites]
    kinds = (
        ("broken", r"_WITH_NULL_|^TLS_SHA", "{} without encryption", "everybody can read it"),
        ("broken", "_anon_", "{} without authentication", "everybody in between can pose as the server"),
        ("broken", "_EXPORT", "{} of export strength", "FREAK and Logjam break them at once"),
        ("broken", "_WITH_RC4", "{} with RC4", "it leaks what it encrypts (RFC 7465)"),
        ("broken", "_WITH_DES_|_RC2_|DES40", "{} with DES or RC2", "their keys can be tried one by one"),
        ("old", "_3DES_|_IDEA_|_28147_|MAGMA", "{} with blocks of 64 bits", "Sweet32 decrypts long connections"),
        ("weak", "_SEED_|_GOST", "{} of an algorithm that few have examined", "clients do not offer it"),
    )
    seen: set[Suite] = set()
    for severity, pattern, what, why in kinds:
        those = [each for each in every if each not in seen and re.search(pattern, each.iana)]
        seen.update(those)
        if those:
            yield Finding(severity, what.format(_counted(those)), f"{why}: {_names(those)}")
    static = [each for each in every if each not in seen and not each.is_forward_secret]
    if static:
        why = "who gets its key decrypts what was recorded (RFC 9325, 4.1)"
        yield Finding("weak", f"{_counted(static)} without forward secrecy", f"{why}: {_names(static)}")
    cbc = [each for each in every if each not in seen and each.is_cbc and each.is_forward_secret]
    if cbc:
        why = "their padding has been attacked again and again (Lucky 13)"
        yield Finding("weak", f"{_counted(cbc)} in CBC mode", f"{why}: {_names(cbc)}")
    bad = bool(seen or static or cbc)
    below = [offer for version, offer in survey.offers.items() if version != TLS13]
    if bad and any(offer.own_order is False for offer in below):
        yield Finding("advice", "clients decide which suite is used, though weak ones are among them")


def _about_keys(survey: Survey) -> Iterator[Finding]:
    bits = [answer.dh_bits for answer in survey.answers if answer.dh_bits]
    if bits and min(bits) < 2048:
        severity = "broken" if min(bits) < 1024 else "old"
        yield Finding(severity, f"Diffie-Hellman with {min(bits)} bits", "Logjam: give it 2048 (RFC 9325, 4.1)")
    groups = {group for offer in survey.offers.values() for group in offer.groups}
    small = [name_of(group, GROUPS) for group in groups if group in (19, 21)]
    if small:
        yield Finding("old", f"the small {_plural('group', small)} {_listed(small)}", "less than 128 bits of security")
    if TLS13 in survey.offers and survey.offers[TLS13].groups and not groups & _PQ:
        why = "what is recorded today may be decrypted by a quantum computer: X25519MLKEM768 prevents it"
        yield Finding("advice", "no post-quantum group is offered", why)

    bad = [SIGNATURES[it] for offer in survey.offers.values() for it in offer.signatures if it >> 8 in (1, 2)]
    if bad:
        why = "others may come to forge them (RFC 9155)"
        yield Finding("weak", f"handshakes are signed with {_listed(bad)}, if a client has nothing better", why)


def _about_extensions(survey: Survey) -> Iterator[Finding]:
    if survey.compresses:
        yield Finding("broken", "TLS compresses", "CRIME finds out secrets by their size (RFC 9325, 3.3)")
    if survey.secure_renegotiation is False:
        yield Finding("broken", "renegotiation is not secure", "others can put data before the client's (RFC 5746)")
    if survey.extended_master_secret is False:
        why = "the triple handshake attack makes two connections alike (RFC 7627)"
        yield Finding("advice", "the extended master secret is not supported", why)


def _about_trust(report: Report) -> Iterator[Finding]:
    kind = f"the {report.chain[0].key_type} certificate" if report.chain else "the certificate"
    if report.verified is False:
        yield Finding("refused", f"{kind} is refused", str(report.refused))
    for note in report.notes:
        yield Finding("advice", note)
    for at, certificate in enumerate(report.chain):
        it = kind if at == 0 else f"the certificate {certificate.subject!r} of the chain"
        yield from _about_certificate(certificate, it)


def _about_certificate(certificate: Certificate, it: str) -> Iterator[Finding]:
    bits = certificate.key_bits or 0
    is_root = certificate.subject == certificate.issuer
    if certificate.key_type == "RSA" and 0 < bits < 2048:
        severity = "broken" if bits < 1024 else "old"
        yield Finding(severity, f"the key of {it} has {bits} bits only", "RSA needs 2048 (RFC 9325, 4.4)")
    if certificate.key_type == "EC" and 0 < bits < 224:
        yield Finding("old", f"the key of {it} has {bits} bits only", "elliptic curves need 224 (RFC 9325, 4.5)")
    if not is_root and re.search(r"md[245]|sha1(?![0-9])|SHA1(?![0-9])", certificate.signature, re.IGNORECASE):
        yield Finding(
            "broken", f"{it} is signed with {certificate.signature}", "it can be forged (RFC 9155, CABF 2014)"
        )
    left = certificate.days_left
    if left is not None and not certificate.expired and left < _SOON:
        yield Finding("advice", f"{it} expires in {in_days(left)}")


def _about_web(completed: Completed) -> Iterator[Finding]:
    web = completed.web
    if web is None:
        return
    if web.max_age is None or not web.max_age:
        what = "there is no HSTS" if web.hsts is None else f"HSTS is switched off ({web.hsts})"
        yield Finding("advice", what, "a browser may be led to plain HTTP at first (RFC 6797)")
    elif web.max_age < _YEAR:
        days = in_days(web.max_age // 86400)
        yield Finding("advice", f"HSTS holds for {days} only", "a year is usual, Mozilla's guideline has two")


def _counted(those: list[Suite]) -> str:
    return f"{len(those)} {_plural('suite', those)}"


def _names(those: list[Suite]) -> str:
    names = [each.name for each in those]
    return ", ".join(names[:_LISTED]) + (f", and {len(names) - _LISTED} more" if len(names) > _LISTED else "")


def _listed(names: list[str]) -> str:
    return " and ".join(names)


def _is(those: list[str]) -> str:
    return "are" if len(those) > 1 else "is"


def _plural(word: str, those: "list[Suite] | list[str]") -> str:
    return word if len(those) == 1 else f"{word}s"
