"""`doctor`: what would still use the standard `ssl` after install()."""

import argparse
import contextlib
import importlib
import os
import sys
import textwrap
from collections.abc import Iterator

from wiretight._cli.errors import CommandError, Terminated, UsageError, installed
from wiretight._cli.run import current_folder, first_on_path
from wiretight._cli.terminal import print_json, print_table

FOUND = 1


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "doctor",
        help="list what wiretight.install() cannot reach",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=textwrap.dedent("""\
            Imports modules, then calls wiretight.install(), and lists the references to the
            standard ssl that it could not reach. A program that calls install() before its
            other imports has none. The exit status is 1 if anything is listed."""),
        epilog=textwrap.dedent("""\
            examples:
              wiretight doctor aiohttp requests
              wiretight doctor --json my.program"""),
    )
    command.add_argument("modules", nargs="*", metavar="MODULE", help="a module to import first")
    command.add_argument("--json", action="store_true", help="print it as JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    first_on_path(current_folder())
    with _prints_elsewhere() if options.json else contextlib.nullcontext():
        for module in options.modules:
            _load(module)
    stale = installed().stale()
    if options.json:
        print_json([reference._asdict() for reference in stale])
    elif stale:
        print_table(("where", "still refers to", "kind of reference"), stale)
    else:
        print("Nothing: install() reaches every reference to ssl.")
    return FOUND if stale else 0


@contextlib.contextmanager
def _prints_elsewhere() -> Iterator[None]:
    """What the modules print while they are imported goes to stderr: stdout is for the result."""
    sys.stdout.flush()
    stdout, ours = sys.stdout, os.dup(1)
    try:
        os.dup2(2, 1)
        sys.stdout = sys.stderr  # which drops what it cannot write
        yield
        if sys.stdout is not None and not sys.stdout.closed:
            sys.stdout.flush()
    finally:
        os.dup2(ours, 1)
        os.close(ours)
        sys.stdout = stdout


def _load(module: str) -> None:
    if not all(part.isidentifier() for part in module.split(".")):
        raise UsageError(f"{module!r} is not the name of a module: write it as in an import, such as package.module")
    try:
        importlib.import_module(module)
    except (KeyboardInterrupt, Terminated):
        raise
    except BaseException as error:  # it may call sys.exit()
        raise CommandError(f"{module} cannot be imported: {type(error).__name__}: {error}") from error
