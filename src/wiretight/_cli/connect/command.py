"""`connect`: what a server negotiates, its certificates, and why they were rejected."""

import argparse
import contextlib
import re
import select
import socket
import sys
import textwrap
import time
from dataclasses import asdict, dataclass, field

import wiretight as ssl
from wiretight._cli.connect import starttls
from wiretight._cli.connect.chain import Certificate, decoded, is_address, reasons, sent_by
from wiretight._cli.demo.files import readable
from wiretight._cli.errors import CommandError, connection_failure
from wiretight._cli.negotiated import UNKNOWN
from wiretight._cli.serve.fileserver import limit_version
from wiretight._cli.terminal import clean, print_facts, print_json

_TICKET_SECONDS = 1.0  # how long a server is given to send a TLS 1.3 session ticket
_WEB = "h2,http/1.1"
_REUSE = {True: "yes: a second connection resumed it", False: "no", None: "not tried"}
_HANDSHAKE = 22  # RFC 8446, section 5.1


@dataclass
class Report:
    """The findings about a server. `verified` is None with --insecure; if it is False, `refused` has the reasons, and
    `session_reused` is None: nobody tried.
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
    chain: list[Certificate] = field(default_factory=list)


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
              python -m wiretight connect example.org:443
              python -m wiretight connect localhost:8443 --cafile ca.pem
              python -m wiretight connect 192.0.2.1:443 --servername example.org
              python -m wiretight connect mail.example.org:587 --starttls smtp
              python -m wiretight connect '[::1]:8443' --insecure --json"""),
    )
    command.add_argument("address", metavar="HOST:PORT", help="the server; an IPv6 address in brackets: [::1]:443")
    command.add_argument("--cafile", metavar="FILE", help="trust the CA certificates in FILE (PEM), not the system's")
    command.add_argument("--servername", metavar="NAME", help="name to ask for and to verify (default: HOST)")
    command.add_argument("--alpn", metavar="LIST", help=f"protocols to offer, '' for none (default: {_WEB})")
    command.add_argument("--tls", choices=["1.2", "1.3"], help="offer only this version")
    command.add_argument("--insecure", action="store_true", help="do not verify the server's certificate")
    command.add_argument("--starttls", choices=starttls.NAMES, help="begin in plain text and ask for TLS, as mail does")
    command.add_argument("--timeout", type=_seconds, default=10, metavar="S", help="seconds for each step (default 10)")
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command; 1 if the certificate was rejected."""
    host, port = split_address(options.address)
    if options.cafile is not None:
        readable(options.cafile)
    dialler = _Dialler(host, port, options)
    report = _examine(dialler, Report(host, port), verify=not options.insecure)
    if options.json:
        print_json(asdict(report))
    else:
        _print(report)
    if report.refused:
        sys.stdout.flush()
        print(f"wiretight: {clean(f'{host}:{port}')} was refused: {clean(report.refused)}", file=sys.stderr)
        return 1
    return 0


def split_address(text: str) -> tuple[str, int]:
    """("host", port) of "host:port" or "[address]:port"."""
    found = re.fullmatch(r"(?:\[([^\[\]]+)\]|([^:\[\]/\s]+)):(\d{1,5})", text)
    if not found or not 0 < int(found[3]) < 65536:
        raise CommandError(f"{text!r} is not HOST:PORT: write example.org:443, or [::1]:443 for an IPv6 address")
    return found[1] or found[2], int(found[3])


class _Refused(Exception):
    """The server's certificate was rejected, and what had been agreed on before."""

    def __init__(self, error: ssl.SSLCertVerificationError, agreed: ssl.ConnectionInfo) -> None:
        super().__init__(str(error))
        self.error, self.agreed = error, agreed


class _Dialler:
    """Connects to one server, as the options specify. `protocol` is what the last handshake has come to speak."""

    def __init__(self, host: str, port: int, options: argparse.Namespace) -> None:
        self.protocol: str | None = None
        self.name: str = options.servername or host
        self.peer = f"{host}:{port}"
        self._address = (host, port)
        self._options = options

    def context(self, verify: bool) -> ssl.SSLContext:
        """A client's context; without `verify` it accepts any certificate."""
        options = self._options
        try:
            context = ssl.create_default_context(cafile=options.cafile)
        except ssl.SSLError:
            raise CommandError(f"{options.cafile} holds no CA certificate in PEM form") from None
        limit_version(context, options.tls)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        offered = options.alpn if options.alpn is not None else "" if options.starttls else _WEB
        try:
            context.set_alpn_protocols([name for name in offered.split(",") if name])
        except (ssl.SSLError, UnicodeError):
            raise CommandError(f"--alpn {offered!r}: each name has 1 to 255 ASCII characters") from None
        context.message_callback = self._listen
        return context

    def _listen(self, _: object, direction: str, version: int, content_type: int, *__: object) -> None:
        # version() is None until the handshake is done, and a rejected certificate ends it before.
        if direction == "read" and content_type == _HANDSHAKE:
            self.protocol = ssl.TLSVersion(version).name.replace("_", ".")

    def dial(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        """A connection after its handshake. Raises `CommandError`, or `_Refused` for a rejected certificate."""
        raw = self._connect()
        try:
            if self._options.starttls:
                starttls.start(raw, self._options.starttls, self.peer, self._options.timeout)
            connection = context.wrap_socket(
                raw, server_hostname=self.name, session=session, do_handshake_on_connect=False
            )
            try:
                connection.do_handshake()
            except BaseException as error:
                agreed = connection.connection_info()
                connection.close()
                if isinstance(error, ssl.SSLCertVerificationError):
                    raise _Refused(error, agreed) from error
                raise
            return connection
        except OSError as error:
            raise connection_failure(error, self.peer, self._options.timeout) from error
        except ValueError as error:
            raise CommandError(f"{self.name!r} cannot be a server's name: {error}") from error
        finally:
            raw.close()  # which does nothing once it is wrapped

    def _connect(self) -> socket.socket:
        try:
            return socket.create_connection(self._address, timeout=self._options.timeout)
        except (OSError, UnicodeError) as error:  # UnicodeError: not a possible DNS name
            raise connection_failure(error, self.peer, self._options.timeout) from error


def _examine(dialler: _Dialler, report: Report, verify: bool) -> Report:
    context = dialler.context(verify)
    report.server_name = None if is_address(dialler.name) else dialler.name
    try:
        connection = dialler.dial(context)
    except _Refused as refused:
        report.verified = False
        report.chain = [decoded(certificate) for certificate in refused.error.peer_chain]
        report.refused = "; ".join(reasons(refused.error, dialler.name, report.chain))
        _fill(report, refused.agreed, dialler.protocol)
        return report
    with connection:
        _fill(report, connection.connection_info(), connection.version())
        report.verified = True if verify else None
        report.chain = sent_by(connection)
        report.client_certificate_demanded = _demands_certificate(connection)
        session = connection.session
        _close(connection)
    report.session_reused = _is_reused(dialler, context, session)
    return report


def _fill(report: Report, agreed: ssl.ConnectionInfo, protocol: str | None) -> None:
    report.protocol, report.cipher, report.bits = protocol or UNKNOWN, agreed.cipher or UNKNOWN, agreed.cipher_bits
    report.group, report.alpn = agreed.group or UNKNOWN, agreed.alpn_protocol


def _demands_certificate(connection: ssl.SSLSocket) -> bool:
    """Wait for what a TLS 1.3 server sends after the handshake: session tickets, or the alert in question."""
    connection.settimeout(0)
    deadline = time.monotonic() + _TICKET_SECONDS
    while not (connection.session is not None and connection.session.has_ticket):
        if connection.version() != "TLSv1.3" or not _readable(connection, deadline - time.monotonic()):
            break
        try:
            connection.recv(1)
            break
        except ssl.SSLWantReadError:
            continue
        except ssl.SSLError as error:
            return error.alert == ssl.ALERT_DESCRIPTION_CERTIFICATE_REQUIRED
        except OSError:
            break
    return False


def _readable(connection: socket.socket, seconds: float) -> bool:
    return bool(seconds > 0 and select.select([connection], [], [], seconds)[0])


def _close(connection: ssl.SSLSocket) -> None:
    # OpenSSL does not resume a session whose connection ended without close_notify. Does not wait for the server's.
    connection.settimeout(0)
    with contextlib.suppress(OSError, ValueError):
        connection.unwrap()


def _is_reused(dialler: _Dialler, context: ssl.SSLContext, session: ssl.SSLSession | None) -> bool:
    if session is None or not (session.has_ticket or session.id):
        return False
    try:
        with dialler.dial(context, session) as again:
            return bool(again.session_reused)
    except (CommandError, _Refused, OSError):
        return False


def _print(report: Report) -> None:
    verified = {True: "yes", False: f"NO: {report.refused}", None: "not asked (--insecure)"}[report.verified]
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
    print_facts(f"{report.host}:{report.port}", facts)
    for number, certificate in enumerate(report.chain):
        print()
        print_facts(
            f"certificate {number}" + (", the server's own" if number == 0 else ""),
            [
                ("subject", certificate.subject or UNKNOWN),
                ("issuer", certificate.issuer or UNKNOWN),
                ("valid", certificate.valid),
                ("names", "\n".join(certificate.names) or UNKNOWN),
                ("SHA-256", certificate.sha256),
            ],
        )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds up to 3600")
    return seconds
