"""`run`: starts a program as Python would, with wiretight as its `ssl`."""

import argparse
import builtins
import importlib.machinery
import importlib.util
import io
import os
import sys
import textwrap
from collections.abc import Sequence
from pkgutil import get_importer
from types import CodeType, ModuleType, TracebackType

from wiretight._cli.errors import CommandError, installed
from wiretight._cli.trace.tracer import trace_program

USAGE = "wiretight run [--trace] [-m MODULE | -c CODE | PROGRAM] [ARGUMENT ...]"


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser, for its help only: the arguments after `run` belong to the program."""
    commands.add_parser(
        "run",
        usage=USAGE,
        help="run a program with wiretight as its ssl",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=textwrap.dedent("""\
            Runs a Python program as `python` would: a file, a folder or zip file with a
            __main__.py, a module with -m, or code with -c. Every import of ssl in it gets
            wiretight. Child processes that it starts do not. With --trace, the messages of
            its TLS connections go to stderr, as `wiretight trace` shows them."""),
        epilog=textwrap.dedent("""\
            examples:
              wiretight run server.py --port 8443
              wiretight run -m pip download six
              wiretight run --trace client.py"""),
    )


def run(arguments: Sequence[str]) -> None:
    """Runs the program of these arguments; its exceptions propagate, without our frames in their tracebacks."""
    traces = arguments[:1] == ["--trace"]
    option, target, rest = _parsed(arguments[1:] if traces else arguments)
    installed()
    if traces:
        trace_program()
    main = ModuleType("__main__")
    vars(main).update(__builtins__=builtins, __annotations__={})
    try:
        code = {"-c": _code, "-m": _module, "": _path}[option](main, target, rest)
        sys.modules["__main__"] = main
        exec(code, vars(main))  # noqa: S102  # the program that the user named
    except (CommandError, SystemExit):
        raise
    except BaseException as error:
        _hide_our_frames(error)
        raise


def _parsed(arguments: Sequence[str]) -> tuple[str, str, list[str]]:
    if not arguments:
        raise CommandError(f"run what? usage: {USAGE}")
    first, *rest = arguments
    if first in ("-c", "-m"):
        if not rest:
            raise CommandError(f"{first} needs an argument; usage: {USAGE}")
        return first, rest[0], rest[1:]
    if first.startswith("-"):
        raise CommandError(f"{first} is no option of run, give options of the interpreter to python itself: {USAGE}")
    return "", first, rest


def _code(_main: ModuleType, source: str, arguments: list[str]) -> CodeType:
    first_on_path(current_folder())
    sys.argv = ["-c", *arguments]
    return compile(source, "<string>", "exec")


def _module(main: ModuleType, name: str, arguments: list[str]) -> CodeType:
    first_on_path(current_folder())
    sys.argv = ["-m", *arguments]  # while the packages above it are imported
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except (ImportError, ValueError) as error:
        if not isinstance(error, ModuleNotFoundError) and not name.startswith("."):
            raise
        raise CommandError(f"there is no module {name}: {error}") from error
    if spec is None:
        raise CommandError(f"there is no module {name}, or it is a package without a __main__.py")
    code = _from_spec(main, spec)
    sys.argv[0] = spec.origin or name
    return code


def _path(main: ModuleType, path: str, arguments: list[str]) -> CodeType:
    sys.argv = [path, *arguments]
    path = os.path.join(current_folder(), path)  # noqa: PTH118  # as it is: behind a link, ".." is another folder
    if get_importer(path) is not None:  # a folder or a zip file
        first_on_path(path)
        spec = importlib.machinery.PathFinder.find_spec("__main__", [path])
        if spec is None:
            raise CommandError(f"{path} has no __main__.py")
        return _from_spec(main, spec)
    try:
        with io.open_code(path) as file:
            source = file.read()
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    first_on_path(os.path.dirname(os.path.realpath(path)))  # noqa: PTH120
    main.__file__, main.__cached__ = path, None  # type: ignore[attr-defined]
    main.__loader__ = importlib.machinery.SourceFileLoader("__main__", path)
    return compile(source, path, "exec")


def _from_spec(main: ModuleType, spec: importlib.machinery.ModuleSpec) -> CodeType:
    get_code = getattr(spec.loader, "get_code", None)  # an extension module has none
    code: CodeType | None = get_code(spec.name) if get_code is not None else None
    if code is None:
        raise CommandError(f"{spec.name} is no Python code")
    main.__spec__, main.__loader__, main.__package__ = spec, spec.loader, spec.parent
    if spec.has_location and spec.origin is not None:
        main.__file__, main.__cached__ = spec.origin, spec.cached  # type: ignore[attr-defined]
    return code


def current_folder() -> str:
    """Its path; the empty one, in which nothing is found, where it has been removed."""
    try:
        return os.getcwd()  # noqa: PTH109
    except FileNotFoundError:
        return ""


def first_on_path(folder: str) -> None:
    """Has modules of `folder` found first, unless Python was told to find none there."""
    # Python put the current folder there for `-m wiretight`, or that of the command, unless it was told not to.
    if not getattr(sys.flags, "safe_path", False) and not sys.flags.isolated:
        sys.path[0] = folder


def _hide_our_frames(error: BaseException) -> None:
    """Shows only the program's own frames to its excepthook, which the interpreter is about to call."""
    own = error.__traceback__
    while own is not None and own.tb_frame.f_code.co_filename == __file__:
        own = own.tb_next
    hook = sys.excepthook

    def hook_of_the_program(kind: type[BaseException], raised: BaseException, traceback: TracebackType | None) -> None:
        shown = own if raised is error else traceback
        hook(kind, raised.with_traceback(shown), shown)

    sys.excepthook = hook_of_the_program
