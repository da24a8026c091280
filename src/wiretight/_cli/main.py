"""main: arguments in, exit status out; the only place that turns a failure into a line on stderr."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import wiretight as ssl
from wiretight._cli import doctor, info, streams
from wiretight._cli import run as program
from wiretight._cli.bench import command as bench
from wiretight._cli.ca import command as ca
from wiretight._cli.cert import command as cert
from wiretight._cli.connect import command as connect
from wiretight._cli.demo import command as demo
from wiretight._cli.errors import CommandError, UsageError
from wiretight._cli.scan import command as scan
from wiretight._cli.serve import command as serve
from wiretight._cli.signals import INTERRUPTED, ended_by_exceptions
from wiretight._cli.terminal import clean, print_json
from wiretight._cli.trace import command as trace

WRONG_USAGE = 2
PIPE_CLOSED = 141  # what a shell reports for a program ended by SIGPIPE


class Parser(argparse.ArgumentParser):
    """Wrong usage is one line, as any other failure."""

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`."""
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def parser() -> argparse.ArgumentParser:
    """The parser of every command, with examples in its help."""
    top = Parser(
        prog="wiretight" if Path(sys.argv[0]).name == "wiretight" else "python -m wiretight",
        description="TLS sockets for Python: try them out, look at a server, serve a folder.",
        epilog="`wiretight COMMAND --help` explains a command, with examples.",
    )
    top.add_argument("--version", action="version", version=f"wiretight {info.version()}, {ssl.OPENSSL_VERSION}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for command in (demo, connect, cert, ca, trace, scan, serve, bench, info, program, doctor):
        command.add_arguments(commands)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns 0 for success, 1 for a failure (reported in one line on stderr, and with --json also as a document with an
    "error"), 2 for wrong usage, 130 after Ctrl-C; a command may have others.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["run"] and arguments[1:] not in (["-h"], ["--help"]):
        return _run_program(arguments[1:])
    with streams.prepared():
        return _run_on_streams(arguments)


def _run_on_streams(arguments: Sequence[str]) -> int:
    try:
        with ended_by_exceptions():
            try:
                return _run(arguments)
            finally:  # --help and --version end by SystemExit
                sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except streams.OutputError as lost:
        streams.discard_output()
        if isinstance(lost.error, BrokenPipeError):
            return PIPE_CLOSED
        print(f"wiretight: the output cannot be written: {lost.error.strerror}", file=sys.stderr)
        return 1


def _run(arguments: Sequence[str]) -> int:
    options = argparse.Namespace()
    try:
        parser().parse_args(arguments, options)
        status: int = options.run(options)
        return status
    except (CommandError, OSError) as failure:
        what = str(failure) if isinstance(failure, CommandError) else _of_the_system(failure)
        if getattr(options, "json", False) or "--json" in arguments:
            print_json({"error": what})
            sys.stdout.flush()
        print(f"wiretight: {clean(what)}", file=sys.stderr)
        return WRONG_USAGE if isinstance(failure, UsageError) else 1


def _of_the_system(error: OSError) -> str:
    """The sentence for an error that no command expects: they have their own for those of files and connections."""
    named = "" if error.filename is None else f" ({error.filename})"
    return f"cannot go on: {error.strerror or error}{named}"


def _run_program(arguments: Sequence[str]) -> int:
    # Without changes to its streams, signals and exceptions.
    try:
        program.run(arguments)
    except CommandError as failure:
        with streams.prepared():
            print(f"wiretight: {clean(str(failure))}", file=sys.stderr)
        return WRONG_USAGE
    return 0
