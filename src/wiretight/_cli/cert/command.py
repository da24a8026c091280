"""`cert`: what a certificate is, whether it and its key fit, and who would refuse it."""

import argparse
import getpass
import os
import sys
import textwrap
from collections.abc import Callable

import wiretight as ssl
from wiretight._cli.arguments import seconds, whole_number
from wiretight._cli.cert import findings
from wiretight._cli.cert.contents import Contents, contents_of
from wiretight._cli.cert.monitor import CRITICAL, UNKNOWN, WORDS, Thresholds, print_status, status_of
from wiretight._cli.cert.report import Entry, Report, print_report
from wiretight._cli.cert.source import STDIN, read_source
from wiretight._cli.connect import starttls
from wiretight._cli.connect.chain import is_address, notes
from wiretight._cli.connect.dialler import Dialler, Refused
from wiretight._cli.errors import CommandError, UsageError
from wiretight._cli.terminal import clean, print_json
from wiretight._tls.peer import encode_hostname

_ENDINGS = (".pem", ".crt", ".cer", ".der", ".p12", ".pfx", ".p7b", ".key", ".csr", ".crl")
_WARN, _CRITICAL = 30, 7
_MOST_IN_CHAIN = 100
_MOST_KEYS = 10  # to compare with the certificates
_DAYS = whole_number(0, 100_000, "number of days")


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "cert",
        help="explain a certificate, of a file or a server, and who would refuse it",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=textwrap.dedent("""\
            Shows what a file holds (certificates, keys, requests, CRLs; PEM, DER, PKCS#12,
            PKCS#7), or which certificates a server sends; whether the key and the chain
            fit; and who would refuse them, and why: OpenSSL, Python, browsers. Exits with
            status 1 if this system would. With --warn or --critical it is a check for
            Nagios and its kind: one line, and status 0, 1, 2 or 3."""),
        epilog=textwrap.dedent("""\
            examples:
              wiretight cert fullchain.pem --key privkey.pem --name www.example.org
              wiretight cert example.org
              wiretight cert server.p12 --password
              wiretight cert mail.example.org --starttls smtp --warn 30 --critical 7
              wiretight cert server.pem --cafile ca.pem --json
              curl -s https://example.org/ca.crt | wiretight cert -"""),
    )
    command.add_argument("target", metavar="FILE|HOST[:PORT]", help="a file, - for stdin, or a server")
    command.add_argument("--key", metavar="FILE", help="the private key, to compare (default: that in FILE)")
    command.add_argument("--name", metavar="NAME", help="the server's name to verify (default: HOST)")
    command.add_argument("--cafile", metavar="FILE", help="trust the CA certificates in FILE, not the system's")
    command.add_argument("--insecure", action="store_true", help="do not verify")
    command.add_argument("--password", action="store_true", help="ask for the password of a PKCS#12 or key")
    command.add_argument("--password-file", metavar="FILE", help="the password is the first line of FILE")
    command.add_argument("--warn", type=_DAYS, metavar="DAYS", help=f"WARNING with fewer left (default {_WARN})")
    command.add_argument("--critical", type=_DAYS, metavar="DAYS", help=f"CRITICAL with fewer (default {_CRITICAL})")
    command.add_argument(
        "--starttls",
        choices=starttls.NAMES,
        metavar="PROTOCOL",
        help=f"begin in plain text and ask for TLS: {', '.join(starttls.NAMES)}",
    )
    command.add_argument("--timeout", type=seconds, default=10, metavar="S", help="seconds for each step (default 10)")
    command.add_argument("--json", action="store_true", help="print it as JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command; 1 if the certificate would be refused here, or does not fit its key."""
    if options.warn is None and options.critical is None:
        return _show(_examine(options), options)
    thresholds = Thresholds(
        _WARN if options.warn is None else options.warn, _CRITICAL if options.critical is None else options.critical
    )
    if thresholds.warn < thresholds.critical:
        raise UsageError(f"--warn {thresholds.warn} is below --critical {thresholds.critical}")
    try:
        report = _examine(options)
    except CommandError as failure:
        # A server that cannot be asked is down; a file that cannot be read says nothing.
        status = UNKNOWN if isinstance(failure, UsageError) or _is_file(options.target) else CRITICAL
        if options.json:
            print_json({"error": str(failure), "status": WORDS[status]})
        else:
            print_status(status, str(failure), None, thresholds)
        return status
    status, why = status_of(report, thresholds)
    if options.json:
        print_json({**report.as_dict(), "status": WORDS[status], "why": why})
    else:
        print_status(status, f"{report.target}: {why}", report.days_left, thresholds)
    return status


def _show(report: Report, options: argparse.Namespace) -> int:
    if options.json:
        print_json(report.as_dict())
    else:
        print_report(report)
    reasons = [f"would be refused: {report.refused}"] if report.refused else []
    reasons += [report.misfit] if report.misfit else []
    reasons += [f"is damaged: {report.contents.damaged[0]}"] if report.contents.damaged else []
    if not reasons:
        return 0
    sys.stdout.flush()
    print(f"wiretight: {clean(report.target)}: {clean('; '.join(reasons))}", file=sys.stderr)
    return 1


def _examine(options: argparse.Namespace) -> Report:
    _check(options)
    password = _password(options)
    if _is_file(options.target):
        name, host = "the standard input" if options.target == STDIN else options.target, None
        contents = contents_of(read_source(options.target, options.timeout), name, password)
    else:
        dialler = Dialler(_as_for_connect(options))
        name, host = dialler.peer, dialler.name
        contents = Contents("TLS", _sent_by(dialler))
    if options.key is not None:
        contents.keys = contents_of(read_source(options.key, options.timeout), options.key, password).keys
        if not contents.keys:
            raise CommandError(f"{options.key} holds no private key")
    compared = [key.compared(contents.certificates, password) for key in contents.keys[:_MOST_KEYS]]
    contents.keys = compared + contents.keys[_MOST_KEYS:]
    report = Report(name, contents, [Entry.of(certificate) for certificate in contents.certificates])
    report.name = host if options.name is None else options.name
    if report.entries:
        _judge(report, options)
    return report


def _judge(report: Report, options: argparse.Namespace) -> None:
    entries = report.entries
    fitting = next((key.fits for key in report.contents.keys if key.fits is not None), None)
    leaf = 0 if report.contents.form == "TLS" else findings.leaf_of([each.words for each in entries], fitting)
    report.role = _role(report, leaf)
    if report.role == findings.AUTHORITY:
        expired = [at for at, each in enumerate(entries) if each.words.expired]
        reason = "it has expired"
        report.findings = [findings.Finding("every client", at, reason) for at in expired]
        return
    if leaf:
        report.notes.append(f"the certificate of the {report.role} is number {leaf}, and has to be the first one")
    order = [leaf, *(at for at in range(len(entries)) if at != leaf)][:_MOST_IN_CHAIN]
    report.notes += notes([entries[at].words for at in order]) if not leaf else []
    if options.insecure:
        return
    chain = [entries[at].native for at in order]
    try:
        judgement = findings.judge(chain, report.role, _a_label(report.name), _trust(options))
    except ssl.SSLError as error:
        raise UsageError(f"{report.name!r} cannot be a server's name") from error
    report.verified = not judgement.refused
    report.refused = "; ".join(judgement.refused) or None
    report.root = Entry.of(judgement.root).words.subject if judgement.root is not None else None
    found = judgement.findings
    if report.role == findings.SERVER:
        own = entries[leaf]
        found = found + findings.of_browsers(own.native, own.words, own.uses, options.cafile is None)
    placed = (each.certificate if each.certificate is None else order[each.certificate] for each in found)
    report.findings = [findings.Finding(each.who, at, each.reason) for each, at in zip(found, placed, strict=True)]
    report.notes += _missing(entries[order[-1]]) if judgement.lacks_issuer else []


def _role(report: Report, leaf: int) -> str:
    """Certificates that sign others, without a name or a key here, are there to be trusted; and so are many roots."""
    uses, names = report.entries[leaf].uses, report.entries[leaf].words.names
    roots = sum(1 for each in report.entries if each.words.subject == each.words.issuer)
    is_shown_to_peers = report.name is not None or report.contents.keys
    if not is_shown_to_peers and ((uses.is_ca and not names) or roots > 1 or len(report.entries) > _MOST_IN_CHAIN):
        return findings.AUTHORITY
    is_for_clients_only = uses.serves("clientAuth") and not uses.serves("serverAuth")
    return findings.CLIENT if is_for_clients_only and report.name is None else findings.SERVER


def _missing(last: Entry) -> list[str]:
    """Where the certificate can be had that the chain lacks: browsers fetch it there, and nobody else."""
    try:
        addresses = last.native.get_info().get("caIssuers", ())
    except (ValueError, ssl.SSLError):  # something of it cannot be decoded
        return []
    return [f"a certificate is missing: that of {last.words.issuer!r}, which is at {each}" for each in addresses][:1]


def _a_label(name: str | None) -> str | None:
    if name is None or is_address(name):
        return name
    try:
        label = encode_hostname(name)
    except UnicodeError:
        label = ""
    if not label or not label.isascii() or "\0" in label or label.startswith("."):
        raise UsageError(f"{name!r} cannot be a server's name")
    return label


# --- Where it comes from ----------------------------------------------------------------------------------------------


def _is_file(target: str) -> bool:
    """What exists is a file; otherwise, what looks like a path to one."""
    if target == STDIN or os.path.lexists(target):
        return True
    return "://" not in target and ("/" in target or target.lower().endswith(_ENDINGS))


def _as_for_connect(options: argparse.Namespace) -> argparse.Namespace:
    return argparse.Namespace(
        address=options.target, starttls=options.starttls, timeout=options.timeout, servername=options.name,
        cafile=None, tls=None, insecure_tls=None, cert=None, key=None, alpn=None,
    )  # fmt: skip


def _sent_by(dialler: Dialler) -> list[ssl.Certificate]:
    """Accepts any certificate, and a weak one, too: it is judged later."""
    context = dialler.context(verify=False)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    try:
        with dialler.dial(context) as connection:
            return [ssl.Certificate.from_der(der) for der in connection.get_unverified_chain()]
    except Refused as refused:
        return list(refused.error.peer_chain)


# --- Options ----------------------------------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> None:
    if options.password and options.password_file:
        raise UsageError("--password and --password-file exclude each other")
    if options.target == STDIN and options.key == STDIN:
        raise UsageError("the certificate and --key cannot both be the standard input")
    if _is_file(options.target) and options.starttls:
        raise UsageError("--starttls is for a server, and not for a file")


def _trust(options: argparse.Namespace) -> ssl.TrustStore | None:
    if options.cafile is None:
        return None
    data = read_source(options.cafile, options.timeout)
    contents = contents_of(data, options.cafile, None)
    if not contents.certificates:
        raise CommandError(f"{options.cafile} holds no CA certificate")
    return ssl.TrustStore(contents.certificates, data if contents.crls else ())


def _password(options: argparse.Namespace) -> "Callable[[], bytes] | None":
    """What asks for it, once, when it is needed; None if there is none."""
    if not (options.password or options.password_file):
        return None
    known: list[bytes] = []

    def ask() -> bytes:
        if not known:
            known.append(_from_file(options) if options.password_file else _from_terminal())
        return known[0]

    return ask


def _from_file(options: argparse.Namespace) -> bytes:
    lines = read_source(options.password_file, options.timeout).splitlines()
    if not lines or len(lines[0]) > 1024:
        raise CommandError(f"{options.password_file} has no password of up to 1024 bytes in its first line")
    return lines[0]


def _from_terminal() -> bytes:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))  # getpass would read stdin instead
    except OSError as error:
        raise UsageError("--password asks at a terminal, and there is none: use --password-file") from error
    try:
        return getpass.getpass("password: ").encode()
    except EOFError as error:
        raise CommandError("no password was given") from error
