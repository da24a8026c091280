"""Report: what `cert` found, and how it is printed."""

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import wiretight as ssl
from wiretight._cli.cert.contents import Contents
from wiretight._cli.cert.extensions import Uses, uses_of
from wiretight._cli.cert.findings import Finding
from wiretight._cli.connect.chain import Certificate, decoded
from wiretight._cli.negotiated import UNKNOWN
from wiretight._cli.terminal import clean, print_facts, print_table, shortened, width

_MOST = 10  # certificates that are shown one by one
_WIDEST = 100  # columns, beyond which lines become hard to read


@dataclass(frozen=True)
class Entry:
    """A certificate, and what `connect` does not tell of it."""

    native: ssl.Certificate
    words: Certificate
    uses: Uses

    @classmethod
    def of(cls, native: ssl.Certificate) -> "Entry":
        """The entry of a certificate."""
        return cls(native, decoded(native), uses_of(native))

    @property
    def serial(self) -> str:
        """In hexadecimal digits, as openssl writes it."""
        number = self.native.serial_number
        return f"{'-' if number < 0 else ''}{abs(number):X}"

    @property
    def sha1(self) -> str:
        """Its fingerprint, which some programs still ask for."""
        try:
            return self.native.fingerprint("sha1").hex()
        except ValueError:  # where OpenSSL may not use it
            return UNKNOWN

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        words = {name: value for name, value in asdict(self.words).items() if name != "pem"}
        return {**words, "serial": self.serial, "sha1": self.sha1, "pin": self.words.pin, **asdict(self.uses)}


@dataclass
class Report:
    """The findings about a file or a server. `verified` is None where nothing was: there is no certificate of a server
    or client, or nobody asked. If it is False, `refused` has the reasons. `days_left` is until the first of the
    certificates and CRLs expires.
    """

    target: str
    contents: Contents
    entries: list[Entry]
    name: str | None = None
    role: str | None = None
    verified: bool | None = None
    refused: str | None = None
    root: str | None = None
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def days_left(self) -> int | None:
        """Whole days; negative or 0 once something has expired."""
        left = [each.words.days_left for each in self.entries] + [each.days_left for each in self.contents.crls]
        return min((days for days in left if days is not None), default=None)

    @property
    def expired(self) -> bool:
        """Whether anything has."""
        return any(each.words.expired for each in self.entries) or any(each.expired for each in self.contents.crls)

    @property
    def misfit(self) -> str | None:
        """Why the key and the certificate do not fit, or None."""
        if not self.entries or not self.contents.keys or any(key.fits is not None for key in self.contents.keys):
            return None
        notes = [key.note for key in self.contents.keys if key.note]
        return None if notes else "the private key is not that of any certificate here"

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        keys = [{k: v for k, v in asdict(key).items() if k != "content"} for key in self.contents.keys]
        return {
            "target": self.target,
            "form": self.contents.form,
            "name": self.name,
            "role": self.role,
            "verified": self.verified,
            "refused": self.refused,
            "root": self.root,
            "days_left": self.days_left,
            "notes": self.notes,
            "findings": [asdict(finding) for finding in self.findings],
            "certificates": [entry.as_dict() for entry in self.entries],
            "keys": keys,
            "requests": [asdict(request) for request in self.contents.requests],
            "crls": [asdict(crl) for crl in self.contents.crls],
            "damaged": self.contents.damaged,
        }


def print_report(report: Report) -> None:
    """For a reader."""
    contents = report.contents
    facts = [("holds", f"{contents.form}: {contents.words}")]
    if report.role:
        facts.append(("for", _purpose(report)))
    if report.role and report.verified is not None:
        facts.append(("verified", _wrapped("yes" if report.verified else f"NO: {report.refused}")))
    if report.root:
        facts.append(("root", clean(report.root)))
    facts += [("private key", _wrapped(_key(report, number))) for number in range(len(contents.keys))]
    notes = [*report.notes, *(f"also holds {each}" for each in contents.others)]
    facts += [("note", _wrapped(note)) for note in notes]
    facts += [("DAMAGED", _wrapped(damage)) for damage in contents.damaged]
    print_facts(report.target, facts)
    _print_findings(report.findings)
    if len(report.entries) > _MOST:
        _print_many(report.entries)
    else:
        for number, entry in enumerate(report.entries):
            _print_certificate(number, entry)
    _print_others(contents)


def _purpose(report: Report) -> str:
    return {"server": "a server", "client": "a client", "CA": "a CA, to be trusted"}[report.role or ""] + (
        f" by the name {clean(report.name)}" if report.name and report.role == "server" else ""
    )


def _key(report: Report, number: int) -> str:
    key = report.contents.keys[number]
    if key.fits is not None:
        return f"ok: {key.words}, of certificate {key.fits}"
    if key.note:
        return f"{key.words}: {key.note}"
    return f"MISMATCH: {key.words}, of none of the certificates" if report.entries else key.words


def _print_findings(findings: Sequence[Finding]) -> None:
    if not findings:
        return
    print()
    by_whom: dict[str, list[str]] = {}
    for finding in findings:
        where = f" (certificate {finding.certificate})" if finding.certificate else ""
        by_whom.setdefault(finding.who, []).append(clean(finding.reason) + where)
    room = width(sys.stdout, _WIDEST) - 6
    lines = []
    for who, reasons in by_whom.items():
        wrapped = [textwrap.fill(reason, room, subsequent_indent="  ") for reason in dict.fromkeys(reasons)]
        lines.append(("", f"by {who}:\n" + "\n".join(f"  {line}" for text in wrapped for line in text.split("\n"))))
    print_facts("would be refused", lines)


def _print_certificate(number: int, entry: Entry) -> None:
    words, uses = entry.words, entry.uses
    extended = uses.extended_key_usage
    facts = [
        ("subject", clean(words.subject) or UNKNOWN),
        ("issuer", clean(words.issuer) or UNKNOWN),
        ("valid", words.valid),
        ("names", _some(words.names)),
        ("key", words.key),
        ("key usage", "any" if uses.key_usage is None else ", ".join(uses.key_usage) or "none"),
        ("is for", "anything" if extended is None else ", ".join(extended) or "nothing"),
        ("is a CA", _authority(uses)),
        ("signature", words.signature),
        ("serial", entry.serial),
        ("SHA-256", words.sha256),
        ("SHA-1", entry.sha1),
        ("key pin", words.pin),
    ]
    print()
    print_facts(f"certificate {number}", [(name, _wrapped(value) if " " in value else value) for name, value in facts])


def _authority(uses: Uses) -> str:
    if not uses.is_ca:
        return "no"
    return "yes" if uses.path_length is None else f"yes, with at most {uses.path_length} CAs below it"


def _some(names: Sequence[str]) -> str:
    shown = "\n".join(map(clean, names[:20]))
    return (shown + f"\nand {len(names) - 20} more" if len(names) > 20 else shown) or UNKNOWN


def _print_many(entries: Sequence[Entry]) -> None:
    print()
    room = width(sys.stdout, _WIDEST) - 30
    rows = []
    for number, entry in enumerate(entries):
        name = clean(entry.words.subject) or UNKNOWN
        left = UNKNOWN if entry.words.days_left is None else f"{entry.words.days_left:,}"
        rows.append([str(number), shortened(name, room), entry.words.not_after[:10], left])
    print_table(["", "subject", "until", "days left"], rows, frozenset({"", "days left"}))


def _print_others(contents: Contents) -> None:
    for request in contents.requests:
        print()
        bits = f", {request.key_bits} bits" if request.key_bits else ""
        facts = [("subject", clean(request.subject) or UNKNOWN), ("names", _some(request.names))]
        facts += [("key", f"{request.key_type}{bits}"), ("signature", request.signature)]
        print_facts("certificate signing request", facts)
    for crl in contents.crls:
        print()
        until = crl.next_update or "no end"
        state = "" if crl.days_left is None else ", expired" if crl.expired else f", {crl.days_left} days left"
        facts = [("issuer", clean(crl.issuer) or UNKNOWN), ("valid", f"{crl.this_update} to {until}{state}")]
        facts += [("revoked", f"{crl.revoked:,} certificates"), ("signature", crl.signature)]
        print_facts("certificate revocation list", facts)


def _wrapped(text: str) -> str:
    """Lines that fit behind the names; what a certificate says has been cleaned, or is now."""
    lines = [
        textwrap.fill(clean(line), width(sys.stdout, _WIDEST) - 17, break_long_words=False) for line in text.split("\n")
    ]
    return "\n".join(lines)
