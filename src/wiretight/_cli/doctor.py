"""`doctor`: what would still use the standard `ssl` after install()."""

import argparse
import importlib
import os

from wiretight._cli.errors import CommandError, Terminated, installed
from wiretight._cli.run import first_on_path
from wiretight._cli.terminal import print_json, print_table

FOUND = 1


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "doctor",
        help="list what wiretight.install() cannot reach",
        description="Imports modules, then calls wiretight.install(), and lists the references to the standard ssl"
        " that it could not reach. A program that calls install() before its other imports has none.",
        epilog="examples: wiretight doctor aiohttp requests; wiretight doctor --json my.program."
        " The exit status is 1 if anything is listed.",
    )
    command.add_argument("modules", nargs="*", metavar="MODULE", help="a module to import first")
    command.add_argument("--json", action="store_true", help="print it as JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    first_on_path(os.getcwd())  # noqa: PTH109
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


def _load(module: str) -> None:
    try:
        importlib.import_module(module)
    except (KeyboardInterrupt, Terminated):
        raise
    except BaseException as error:  # it may call sys.exit()
        raise CommandError(f"{module} cannot be imported: {type(error).__name__}: {error}") from error
