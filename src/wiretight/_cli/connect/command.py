"""`connect`: what a server negotiates, its certificates, and why they were rejected."""

import argparse
import base64
import binascii
import contextlib
import re
import socket
import sys
import textwrap
import time
from dataclasses import asdict

import wiretight as ssl
from wiretight._cli.connect.chain import decoded, is_address, notes
from wiretight._cli.connect.dialler import Dialler, Refused, add_options
from wiretight._cli.connect.reasons import reasons
from wiretight._cli.connect.report import Report, print_pem, print_report
from wiretight._cli.errors import CommandError, UsageError
from wiretight._cli.negotiated import UNKNOWN
from wiretight._cli.terminal import clean, print_json

_TICKET_SECONDS = 1.0  # how long a server is given to send a TLS 1.3 session ticket
_LOOK_SECONDS = 0.05  # how long to read before looking whether there is one: a server may send without an end


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
    report = _examine(dialler, Report(dialler.host, dialler.port), options)
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


def _examine(dialler: Dialler, report: Report, options: argparse.Namespace) -> Report:
    verify = not options.insecure
    context = dialler.context(verify)
    report.server_name = None if is_address(dialler.name) else dialler.name
    try:
        connection = dialler.dial(context)
    except Refused as refused:
        report.verified = False
        _describe(report, list(refused.error.peer_chain), options)
        report.refused = "; ".join(reasons(refused.error, dialler.name))
        _fill(report, refused.agreed, dialler.protocol)
        return report
    with connection:
        _fill(report, connection.connection_info(), connection.version())
        report.verified = True if verify else None
        _describe(report, _sent_by(connection), options)
        verified = connection.get_verified_chain() if verify else []
        report.root = decoded(ssl.Certificate.from_der(verified[-1])).subject if verified else None
        report.client_certificate_demanded = _demands_certificate(connection)
        session = connection.session
        _close(connection)
    report.session_reused = _is_reused(dialler, context, session)
    return report


def _add_reason(report: Report, reason: str) -> None:
    report.verified = False
    report.refused = f"{report.refused}; {reason}" if report.refused else reason


def _describe(report: Report, chain: list[ssl.Certificate], options: argparse.Namespace) -> None:
    report.chain = [decoded(certificate, options.pem) for certificate in chain]
    report.notes = notes(report.chain)


def _sent_by(connection: ssl.SSLSocket) -> list[ssl.Certificate]:
    """The chain as the peer sent it, its own certificate first; needs no verification."""
    return [ssl.Certificate.from_der(der) for der in connection.get_unverified_chain()]


def _fill(report: Report, agreed: ssl.ConnectionInfo, protocol: str | None) -> None:
    report.protocol, report.cipher, report.bits = protocol or UNKNOWN, agreed.cipher or UNKNOWN, agreed.cipher_bits
    report.group, report.alpn = agreed.group or UNKNOWN, agreed.alpn_protocol


def _demands_certificate(connection: ssl.SSLSocket) -> bool:
    """Wait for what a TLS 1.3 server sends after the handshake: session tickets, or the alert in question."""
    deadline = time.monotonic() + _TICKET_SECONDS
    while not (connection.session is not None and connection.session.has_ticket):
        left = deadline - time.monotonic()
        if connection.version() != "TLSv1.3" or left <= 0:
            break
        connection.settimeout(min(left, _LOOK_SECONDS))
        try:
            connection.recv(1)
            break
        except TimeoutError:
            continue
        except ssl.SSLError as error:
            return error.alert == ssl.ALERT_DESCRIPTION_CERTIFICATE_REQUIRED
        except OSError:
            break
    return False


def _close(connection: ssl.SSLSocket) -> None:
    # OpenSSL does not resume a session whose connection ended without close_notify. The server's is not waited for.
    connection.settimeout(_LOOK_SECONDS)
    with contextlib.suppress(OSError, ValueError):
        connection.shutdown(socket.SHUT_WR)


def _is_reused(dialler: Dialler, context: ssl.SSLContext, session: ssl.SSLSession | None) -> bool:
    if session is None or not (session.has_ticket or session.id):
        return False
    try:
        with dialler.dial(context, session) as again:
            return bool(again.session_reused)
    except (CommandError, Refused, OSError):
        return False


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
