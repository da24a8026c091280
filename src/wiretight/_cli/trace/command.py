"""`trace`: what a client and a server say to each other, message by message."""

import argparse
import contextlib
import sys
import textwrap
import time
from dataclasses import asdict

import wiretight as ssl
from wiretight._cli.connect.dialler import Dialler, Refused, add_options
from wiretight._cli.connect.reasons import reasons
from wiretight._cli.errors import CommandError
from wiretight._cli.terminal import clean, print_json
from wiretight._cli.trace.tracer import Tracer

_AFTER_SECONDS = 1.0  # for what a server says after the handshake
_CLOSE_SECONDS = 0.1  # … and after our close_notify


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "trace",
        help="show what a client and a server say to each other in a handshake",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=textwrap.dedent("""\
            Connects to a TLS server and shows each message of the handshake and each alert,
            in both directions, with what it says and when, decrypted: what a packet
            capture would show, without one. Exits with status 1 if the handshake fails.
            `wiretight run --trace` does the same for a program."""),
        epilog=textwrap.dedent("""\
            examples:
              wiretight trace example.org
              wiretight trace localhost:8443 --cafile ca.pem --verbose
              wiretight trace mail.example.org --starttls smtp --records --json"""),
    )
    add_options(command)
    command.add_argument("--records", action="store_true", help="show the header of each record, too")
    command.add_argument("--verbose", action="store_true", help="write out lists of suites, groups and extensions")
    command.add_argument("--json", action="store_true", help="print the messages as JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command; 1 if the handshake failed."""
    tracer = Tracer(None if options.json else sys.stdout, records=options.records, verbose=options.verbose)
    dialler = Dialler(options)
    context = dialler.context(verify=not options.insecure)
    context.message_callback = tracer
    failure = _converse(dialler, context)
    if tracer.failure is not None:
        raise tracer.failure
    if options.json:
        document = {"host": dialler.host, "port": dialler.port, "error": failure}
        print_json({**document, "messages": [asdict(event) for event in tracer.events]})
    if failure is None:
        return 0
    sys.stdout.flush()
    print(f"wiretight: {clean(failure)}", file=sys.stderr)
    return 1


def _converse(dialler: Dialler, context: ssl.SSLContext) -> str | None:
    """Why there is no connection, or None after one."""
    try:
        with dialler.dial(context) as connection:
            _listen(connection, time.monotonic() + _AFTER_SECONDS)
            connection.settimeout(_CLOSE_SECONDS)
            with contextlib.suppress(OSError, ValueError):
                connection.unwrap()
    except Refused as refused:
        return f"{dialler.peer} was refused: {'; '.join(reasons(refused.error, dialler.name))}"
    except CommandError as error:
        return str(error)
    return None


def _listen(connection: ssl.SSLSocket, deadline: float) -> None:
    """Reads what comes, for the messages among it."""
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)  # which a server that sends without an end cannot exceed
        try:
            if not connection.recv(65536):
                return
        except OSError:  # TimeoutError among them
            return
