"""Report: what `connect` found, and how it is printed."""

from dataclasses import dataclass, field

from wiretight._cli.connect.chain import Certificate
from wiretight._cli.negotiated import UNKNOWN
from wiretight._cli.terminal import clean, print_facts

_REUSE = {True: "yes: a second connection resumed it", False: "no", None: "not tried"}


@dataclass
class Report:
    """The findings about a server. `verified` is None with --insecure; if it is False, `refused` has the reasons, and
    `session_reused` is None: nobody tried. `root` is what the certificates were verified with. `notes` are about their
    order and number.
    """

    host: str
    port: int
    protocol: str = UNKNOWN
    cipher: str = UNKNOWN
    bits: int | None = None
    group: str = UNKNOWN
    alpn: str | None = None
    server_name: str | None = None
    session_reused: bool | None = None
    client_certificate_demanded: bool = False
    verified: bool | None = None
    refused: str | None = None
    root: str | None = None
    notes: list[str] = field(default_factory=list)
    chain: list[Certificate] = field(default_factory=list)


def print_report(report: Report) -> None:
    """For a reader."""
    verified = {True: "yes", False: f"NO: {clean(report.refused or '')}", None: "not asked (--insecure)"}[
        report.verified
    ]
    facts = [
        ("verified", verified),
        ("protocol", report.protocol),
        ("cipher", report.cipher + (f", {report.bits} bits" if report.bits else "")),
        ("group", report.group),
        ("ALPN", report.alpn or "none agreed"),
        ("SNI sent", report.server_name or "none: an address has none"),
        ("session reuse", _REUSE[report.session_reused]),
    ]
    if report.client_certificate_demanded:
        facts.append(("demands", "a client certificate"))
    if report.root:
        facts.append(("root", clean(report.root)))
    if report.notes:
        facts.append(("note", "\n".join(map(clean, report.notes))))
    print_facts(f"{report.host}:{report.port}", facts)
    for number, certificate in enumerate(report.chain):
        print()
        print_facts(
            f"certificate {number}" + (", the server's own" if number == 0 else ""),
            [
                ("subject", clean(certificate.subject) or UNKNOWN),
                ("issuer", clean(certificate.issuer) or UNKNOWN),
                ("valid", certificate.valid),
                ("names", "\n".join(map(clean, certificate.names)) or UNKNOWN),
                ("key", certificate.key),
                ("signature", certificate.signature),
                ("SHA-256", certificate.sha256),
                ("key pin", certificate.pin),
            ],
        )


def print_pem(report: Report) -> None:
    """The certificates alone, each with a comment, in a form that --cafile and other programs read."""
    for certificate in report.chain:
        print(f"# {clean(certificate.subject) or UNKNOWN}, by {clean(certificate.issuer) or UNKNOWN}")
        print(certificate.pem, end="")
