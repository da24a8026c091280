"""`connect`: what a server negotiates, its certificates, and why they were rejected."""

import argparse
import base64
import binascii
import contextlib
import re
import sys
import textwrap
from dataclasses import asdict

from wiretight._cli.connect.dialler import Dialler, add_options
from wiretight._cli.connect.examination import examine
from wiretight._cli.connect.report import Report, print_pem, print_report
from wiretight._cli.errors import UsageError
from wiretight._cli.terminal import clean, print_json


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "connect",
        help="show what a server negotiates, its certificates, and why they are refused",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=textwrap.dedent("""\
            Connects to a TLS server and shows the protocol, the cipher, the group, ALPN,
            whether a session can be reused (by reusing one), and the certificates that the
            server sent. If they are refused it says why, and exits with status 1."""),
        epilog=textwrap.dedent("""\
            examples:
              wiretight connect example.org
              wiretight connect localhost:8443 --cafile ca.pem
              wiretight connect 192.0.2.1 --servername example.org
              wiretight connect mail.example.org --starttls smtp
              wiretight connect example.org --pem >chain.pem
              wiretight connect '[::1]:8443' --insecure --json"""),
    )
    add_options(command)
    command.add_argument("--pin", metavar="SHA256", help="refuse the server unless its key has this digest")
    command.add_argument("--pem", action="store_true", help="print the certificates in PEM, and nothing else")
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command; 1 if the certificate was rejected."""
    pin = None if options.pin is None else _digest(options.pin)
    dialler = Dialler(options)
    report = examine(dialler, dialler.context(not options.insecure), options.pem)
    if pin is not None and report.chain and report.chain[0].spki_sha256 != pin.hex():
        _add_reason(report, f"its key is not the pinned one, but has the digest {report.chain[0].spki_sha256}")
    if options.json:
        print_json(asdict(report))
    elif options.pem:
        print_pem(report)
    else:
        print_report(report)
    if report.refused:
        sys.stdout.flush()
        print(f"wiretight: {clean(dialler.peer)} was refused: {clean(report.refused)}", file=sys.stderr)
        return 1
    return 0


def _add_reason(report: Report, reason: str) -> None:
    report.verified = False
    report.refused = f"{report.refused}; {reason}" if report.refused else reason


def _digest(text: str) -> bytes:
    """The SHA-256 digest of a key, in hexadecimal digits, or in Base64 as curl's --pinnedpubkey has it."""
    digest = b""
    with contextlib.suppress(ValueError, binascii.Error):
        if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
            digest = bytes.fromhex(text)
        else:
            digest = base64.b64decode(text.removeprefix("sha256//"), validate=True)
    if len(digest) != 32:
        raise UsageError(f"--pin {text!r} is no SHA-256 digest: give 64 hexadecimal digits, or sha256//… in Base64")
    return digest
