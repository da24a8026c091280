"""Report: what a scan found, for a reader and for a machine."""

import sys
import textwrap
from dataclasses import asdict, dataclass, field

from wiretight._cli.scan.authorities import in_words
from wiretight._cli.scan.findings import BEST, REFUSED, Finding, grade
from wiretight._cli.scan.handshakes import Completed
from wiretight._cli.scan.mozilla import Comparison
from wiretight._cli.scan.suites import suite
from wiretight._cli.scan.survey import VERSIONS, Offer, Survey
from wiretight._cli.terminal import BAD, CAUTION, FAINT, GOOD, NOTE, clean, print_styled, verdict, width
from wiretight._cli.trace.names import GROUPS, SIGNATURES, name_of
from wiretight._cli.trace.names import VERSIONS as VERSION_NAMES

_STYLES = {"advice": NOTE, "weak": CAUTION, "old": CAUTION, "broken": BAD, "refused": BAD}
_INDENT = 15
_YES = {True: "yes", False: "no", None: "-"}


@dataclass
class Scan:
    """Everything about one server. With `is_partial`, the time was over before everything was asked."""

    host: str
    port: int
    findings: list[Finding]
    mozilla: list[Comparison]
    survey: Survey
    completed: Completed
    connections: int
    seconds: float
    is_partial: bool = False
    troubles: list[str] = field(default_factory=list)

    @property
    def grade(self) -> str:
        """That of the worst finding."""
        return grade(self.findings)

    @property
    def grade_without_trust(self) -> str:
        """That of the worst of the others, where the certificate is refused."""
        return grade(finding for finding in self.findings if finding.severity != "refused")


def document(scan: Scan) -> dict[str, object]:
    """For a machine: names and numbers; null is what was not found out, or does not exist there."""
    survey, completed = scan.survey, scan.completed
    web = completed.web
    return {
        "host": scan.host,
        "port": scan.port,
        "grade": scan.grade,
        "grade_without_trust": scan.grade_without_trust,
        "findings": [asdict(finding) for finding in scan.findings],
        "mozilla": [{**asdict(each), "is_met": each.is_met} for each in scan.mozilla],
        "ssl2_ciphers": survey.ssl2_ciphers,
        "versions": [_offer(survey.offers[version]) for version in VERSIONS if version in survey.offers],
        "resumption": {
            "tls13": completed.resumes_1_3,
            "tickets": completed.resumes_tickets,
            "session_ids": completed.resumes_ids,
        },
        "alpn": survey.alpn,
        "ocsp_stapled": survey.stapled,
        "compression": survey.compresses,
        "client_certificate_requested": survey.requests_certificate,
        "client_authorities": None if survey.authorities is None else [in_words(it) for it in survey.authorities],
        "secure_renegotiation": survey.secure_renegotiation,
        "fallback_scsv": survey.honours_fallback,
        "extended_master_secret": survey.extended_master_secret,
        "encrypt_then_mac": survey.encrypt_then_mac,
        "http_status": web.status if web else None,
        "hsts": web.hsts if web else None,
        "hsts_max_age": web.max_age if web else None,
        "certificates": [asdict(report) for report in completed.trust],
        "certificates_unknown": completed.untried if not completed.trust else None,
        "is_partial": scan.is_partial,
        "troubles": scan.troubles,
        "connections": scan.connections,
        "seconds": round(scan.seconds, 3),
    }


def _offer(offer: Offer) -> dict[str, object]:
    bits = [answer.dh_bits for answer in offer.answers if answer.dh_bits]
    return {
        "version": VERSION_NAMES[offer.version],
        "suites": [{"id": number, "name": suite(number).name, "iana": suite(number).iana} for number in offer.suites],
        "server_order": offer.own_order,
        "groups": [name_of(group, GROUPS) for group in offer.groups],
        "server_group_order": offer.own_group_order,
        "dh_bits": min(bits) if bits else None,
        "signature_algorithms": [name_of(number, SIGNATURES) for number in offer.signatures],
    }


# --- For a reader -----------------------------------------------------------------------------------------------------


def print_scan(scan: Scan) -> None:
    """In as many columns as the terminal has, or 80."""
    style = GOOD if scan.grade in (BEST, "A") else CAUTION if scan.grade in "BC" else BAD
    otherwise = f" ({scan.grade_without_trust} without the refused certificate)" if scan.grade == REFUSED else ""
    heading = [(f"{scan.host}:{scan.port}  ", "bold"), (f"grade {scan.grade}", style), (otherwise, "")]
    print_styled(heading, sys.stdout)
    _print_findings(scan)
    _print_guideline(scan)
    _print_offers(scan.survey)
    _print_facts("what else", _others(scan))
    _print_certificates(scan)
    if scan.troubles:
        _heading("not everything was found out")
    for trouble in scan.troubles:
        _print_wrapped("incomplete", f"the server {trouble}", CAUTION)
    print_styled([("", "")], sys.stdout)
    print_styled([(f"{scan.connections} connections in {scan.seconds:.1f} s", FAINT)], sys.stdout)


def _print_findings(scan: Scan) -> None:
    _heading("findings")
    if not scan.findings:
        print_styled([("  nothing to find fault with", GOOD)], sys.stdout)
    for finding in scan.findings:
        text = f"{finding.what}: {finding.why}" if finding.why else finding.what
        _print_wrapped(finding.severity, text, _STYLES[finding.severity])


def _print_guideline(scan: Scan) -> None:
    facts = []
    for each in scan.mozilla:
        beyond = [*each.versions, *each.suites, *each.groups]
        shown = ", ".join(beyond[:4]) + (f", and {len(beyond) - 4} more" if len(beyond) > 4 else "")
        facts.append((each.level, "yes" if each.is_met else f"no: it offers {shown}"))
    _print_facts("Mozilla's guideline", facts)


def _print_offers(survey: Survey) -> None:
    _heading("versions")
    if survey.ssl2_ciphers:
        _print_wrapped("SSL 2.0", ", ".join(survey.ssl2_ciphers), BAD)
    for version in VERSIONS:
        offer = survey.offers.get(version)
        name = VERSION_NAMES[version]
        if offer is None:
            _print_wrapped(name, "not offered", value_style=FAINT)
            continue
        order = {True: ", in the server's order", False: ", in the client's order", None: ""}[offer.own_order]
        _print_wrapped(name, f"{len(offer.suites)} suites{order}" if len(offer.suites) > 1 else "1 suite")
        _print_wrapped("", ", ".join(suite(number).name for number in offer.suites))
        if offer.groups:
            whose = {True: " (the server's order)", False: " (the client's order)", None: ""}[offer.own_group_order]
            _print_wrapped("", f"groups{whose}: {', '.join(name_of(it, GROUPS) for it in offer.groups)}")
        bits = [answer.dh_bits for answer in offer.answers if answer.dh_bits]
        if bits:
            _print_wrapped("", f"Diffie-Hellman: {min(bits)} bits")
        if offer.signatures:
            _print_wrapped("", f"signatures: {', '.join(name_of(it, SIGNATURES) for it in offer.signatures)}")


def _others(scan: Scan) -> list[tuple[str, str]]:
    survey, completed = scan.survey, scan.completed
    resumption = [
        ("by TLS 1.3 tickets", completed.resumes_1_3),
        ("by tickets", completed.resumes_tickets),
        ("by session IDs", completed.resumes_ids),
    ]
    resumed = [name for name, does in resumption if does]
    facts = [
        ("resumption", ", ".join(resumed) or "no"),
        ("ALPN", "not seen" if survey.alpn is None else ", ".join(survey.alpn) or "none"),
        ("stapled OCSP", "not seen" if survey.stapled is None else _YES[survey.stapled]),
    ]
    if survey.requests_certificate:
        names = [in_words(it) for it in survey.authorities or []]
        facts.append(("asks clients", "for a certificate" + (f" of {'; '.join(names[:5])}" if names else "")))
        if len(names) > 5:
            facts[-1] = (facts[-1][0], f"{facts[-1][1]}; and {len(names) - 5} more")
    if survey.below_1_3 is not None:
        facts += [
            ("compression", _YES[survey.compresses]),
            ("renegotiation", "secure" if survey.secure_renegotiation else "NOT secure"),
            ("master secret", "extended" if survey.extended_master_secret else "not extended"),
        ]
    if survey.encrypt_then_mac is not None:
        facts.append(("CBC suites", "encrypt, then authenticate" if survey.encrypt_then_mac else "authenticate first"))
    if survey.honours_fallback is not None:
        facts.append(("fallback", "refused" if survey.honours_fallback else "accepted"))
    if completed.web is not None:
        facts.append(("HTTP", f"status {completed.web.status}; HSTS: {completed.web.hsts or 'none'}"))
    return facts


def _print_certificates(scan: Scan) -> None:
    if not scan.completed.trust:
        if scan.completed.untried:
            _print_facts("certificate", [("unknown", f"the server {scan.completed.untried}")])
        return
    for report in scan.completed.trust:
        verified = {True: f"yes, by {report.root}", False: f"NO: {report.refused}", None: "not asked (--insecure)"}
        facts = [("verified", verified[report.verified])]
        for at, certificate in enumerate(report.chain):
            facts.append((f"certificate {at}", certificate.subject or "-"))
            facts.append(("", f"{certificate.key}, {certificate.signature}, {certificate.valid}"))
        if report.chain and report.chain[0].names:
            names = report.chain[0].names
            more = f", and {len(names) - 8} more" if len(names) > 8 else ""
            facts.append(("names", ", ".join(names[:8]) + more))
        kind = f", {report.chain[0].key_type}" if len(scan.completed.trust) > 1 and report.chain else ""
        _print_facts(f"certificate{kind}", facts)


def _heading(title: str) -> None:
    print_styled([("", "")], sys.stdout)
    print_styled([(title, "bold")], sys.stdout)


def _print_facts(title: str, facts: list[tuple[str, str]]) -> None:
    _heading(title)
    for name, value in facts:
        _print_wrapped(name, value)


def _print_wrapped(label: str, text: str, style: str = FAINT, value_style: str = "") -> None:
    text = clean(text)
    lines = textwrap.wrap(text, max(20, width(sys.stdout) - _INDENT - 2), break_on_hyphens=False) or [""]
    for number, line in enumerate(lines):
        start = f"  {'' if number else label:<{_INDENT}}"
        print_styled([(start, style), *([(line, value_style)] if value_style else verdict(line, text))], sys.stdout)
