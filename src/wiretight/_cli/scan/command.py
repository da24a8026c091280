"""`scan`: what a server offers, what is wrong with that and why, and a grade."""

import argparse
import sys
import textwrap
import time

from wiretight._cli.arguments import seconds, whole_number
from wiretight._cli.connect import starttls
from wiretight._cli.connect.address import HTTPS, split_address
from wiretight._cli.connect.dialler import add_server_options
from wiretight._cli.errors import CommandError
from wiretight._cli.scan.findings import GRADES, findings
from wiretight._cli.scan.handshakes import Handshakes, check
from wiretight._cli.scan.mozilla import comparisons
from wiretight._cli.scan.prober import OutOfTime, Prober
from wiretight._cli.scan.report import Scan, document, print_scan
from wiretight._cli.scan.survey import Surveyor
from wiretight._cli.terminal import clean, print_json

_PARALLEL = 4


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "scan",
        help="show everything that a server offers, what is wrong with it, and a grade",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=textwrap.dedent("""\
            Asks a TLS server for everything that it offers: versions from SSL 2.0 on,
            cipher suites, groups, signature algorithms, resumption, ALPN, certificates and
            more; says what is wrong with that, how much and why; and compares it with the
            three levels of Mozilla's guideline. Most questions are ClientHellos that ask
            for what no OpenSSL has any more, and that go no further. Scan your own servers:
            it makes some hundred connections, a few at a time."""),
        epilog=textwrap.dedent("""\
            the grade is that of the worst finding:
              A+  no finding
              A   advice    could be better: no HSTS, no post-quantum group, …
              B   weak      CBC mode, no forward secrecy
              C   old       TLS 1.0 and 1.1, 3DES, 1024 bits
              F   broken    SSL, RC4, export, no encryption, compression, SHA-1, …
              T   refused   a client refuses the certificate, whatever else there is

            examples:
              wiretight scan example.org
              wiretight scan localhost:8443 --cafile ca.pem
              wiretight scan mail.example.org --starttls smtp --json
              wiretight scan example.org --at-least A || echo 'look at this server'"""),
    )
    add_server_options(command)
    command.add_argument("--at-least", choices=GRADES[:-1], metavar="GRADE", help="exit with status 1 below this grade")
    command.add_argument(
        "--parallel",
        type=whole_number(1, 32),
        default=_PARALLEL,
        metavar="N",
        help=f"connections at a time (default {_PARALLEL})",
    )
    command.add_argument("--timeout", type=seconds, default=30, metavar="S", help="for the whole scan (default 30)")
    command.add_argument("--json", action="store_true", help="print the report as JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command; 1 if the time was over before everything was asked, or the grade is below --at-least."""
    usual = starttls.default_port(options.starttls) if options.starttls else HTTPS
    host, port = split_address(options.address, usual)
    check(options)
    scan = _scan(host, port, options)
    if options.json:
        print_json(document(scan))
    else:
        print_scan(scan)
    failure = _failure(scan, options)
    if failure is None:
        return 0
    sys.stdout.flush()
    print(f"wiretight: {clean(failure)}", file=sys.stderr)
    return 1


def _scan(host: str, port: int, options: argparse.Namespace) -> Scan:
    begun = time.monotonic()
    name = options.servername or host
    prober = Prober(host, port, name, options.starttls, options.parallel, options.timeout)
    surveyor = Surveyor(prober)
    handshakes = Handshakes(prober, surveyor.survey, options)
    is_partial = False
    try:
        surveyor.run()
        handshakes.run()
    except OutOfTime:
        is_partial = True
        if not surveyor.survey.offers:
            raise CommandError(f"{prober.peer} did not answer within {options.timeout:g} s") from None
    found = findings(surveyor.survey, handshakes.found)
    return Scan(
        host,
        port,
        found,
        comparisons(surveyor.survey),
        surveyor.survey,
        handshakes.found,
        prober.connections,
        time.monotonic() - begun,
        is_partial,
        prober.troubles,
    )


def _failure(scan: Scan, options: argparse.Namespace) -> str | None:
    peer = f"{scan.host}:{scan.port}"
    if scan.is_partial:
        return f"{peer} was not asked everything: it took too long to answer (see --timeout)"
    if options.at_least and GRADES.index(scan.grade) > GRADES.index(options.at_least):
        return f"{peer} has the grade {scan.grade}, which is below {options.at_least}"
    return None
