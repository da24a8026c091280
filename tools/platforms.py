"""Try wiretight on platforms that this machine is not: other processors, other Pythons, other systems.

Usage: platforms.py [--dist] [--folder FOLDER] [--json] [--keep] [PLATFORM...] [-- ARGUMENTS OF PYTEST]

Linux on another processor is a Debian in a folder, under an emulator (foreign.py). For macOS, the C files are compiled
(zig.py). On PyPy and for Windows, the build must refuse, and say why. It takes what is committed here, as
scripts/machines does, except for macOS and Windows. Status 1: something failed; 77: nothing did, but something could
not be tried.

--dist: for other processors, makes a wheel of the sdist in dist/, and installs and uses it; dist/ notes that.
"""

import argparse
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import dist
import foreign
import musl
import zig
from builders import OUT_OF_REACH, cache, claimed, run, say
from machines import DIST, ROOT, SYSTEMS, WIDTH, Machine, logged, succeeds
from steps import Step, status

PYPY_VERSION = """pypy3 -c 'import sys; print("PyPy %d.%d.%d" % sys.pypy_version_info[:3], sys.version.split()[0])'"""
WINDOWS = """\
[binaries]
c = 'cc'

[host_machine]
system = 'windows'
cpu_family = 'x86_64'
cpu = 'x86_64'
endian = 'little'
"""


# --- other Pythons and systems ----------------------------------------------------------------------------------------
def free_threaded(folder: Path, arguments: str) -> Iterator[Step]:
    """CPython without the GIL, built from source."""
    builder = [sys.executable, ROOT / "tools/free_threaded_python.py"]
    built = subprocess.run(builder, stdout=subprocess.PIPE, check=False)
    if built.returncode:
        is_tried = built.returncode != OUT_OF_REACH
        yield Step("build", "FAILED" if is_tried else "no source of Python in reach", False if is_tried else None)
        return
    python = built.stdout.decode().strip()
    test = [str(ROOT / "scripts/test"), "--python", python]
    status = logged([*test, "--set-up", "tests/core"], folder / "build.log")
    asked = "import ssl, sys; print(sys.version.split()[0], ssl.OPENSSL_VERSION.split()[1])"
    version, openssl = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=True).stdout.split()
    versions = f"Python {version}t, OpenSSL {openssl}"
    yield Step("build", "FAILED" if status else "works", status == 0, versions)
    if status:
        return
    environment = ROOT / f".venv/{version}t/bin/python"
    demo = [str(environment), "-m", "wiretight", "demo"]
    tests = arguments or "tests/core"
    for what, command in (("demo", demo), (tests, [*test, "-q", *shlex.split(tests)])):
        log = folder / f"{what.partition(' ')[0].replace('/', '-')}.log"
        status = logged(command, log)
        ok, outcome = succeeds(status, log.read_text(errors="replace"))
        yield Step(what, outcome, ok, versions)


def pypy(folder: Path, _: str) -> Iterator[Step]:
    """Debian's, which must hear that wiretight needs CPython."""
    machine = Machine(SYSTEMS["debian-13"], folder)
    if not machine.is_installed and not machine.install(None, include="python3,pypy3,pypy3-venv"):
        yield Step("debootstrap", "Debian's archive does not answer", None)
        return
    machine.clone()
    machine.connect()
    machine.run(0, PYPY_VERSION, "pypy")
    machine.run(0, "pypy3 -m venv ~/pypy && ~/pypy/bin/python -m pip install .", "install")
    yield refused(machine.logs / "install.log", "wiretight needs CPython")._replace(
        versions=(machine.logs / "pypy.log").read_text().strip()
    )


def windows(folder: Path, _: str) -> Iterator[Step]:
    """What meson.build says there: a cross file that claims to be it."""
    (folder / "cross.ini").write_text(WINDOWS)
    command = [*zig.MESON, "setup", f"--cross-file={folder / 'cross.ini'}", str(folder / "build"), str(ROOT)]
    shutil.rmtree(folder / "build", ignore_errors=True)
    logged(command, folder / "install.log")
    yield refused(folder / "install.log", "wiretight does not run on Windows")


def refused(log: Path, sentence: str) -> Step:
    """Whether a build said so."""
    said = re.search(rf"Problem encountered: ({sentence}.*)", log.read_text(errors="replace"))
    return Step("build", f"refused: {said[1]}" if said else "FAILED: not refused in a sentence", said is not None)


Tried = dict[str, Callable[[Path, str], Iterator[Step]]]
PLATFORMS: Tried = {
    **{name: partial(foreign.tried, name) for name in foreign.PROCESSORS},
    "musl": musl.tried,
    "3.14t": free_threaded,
    "pypy": pypy,
    **{name: partial(zig.tried, name) for name in zig.TARGETS},
    "windows": windows,
}
# What those need of this machine's system, beside what scripts/lib/setup.sh sees to.
NEEDED = {**{name: partial(foreign.missing, name) for name in foreign.PROCESSORS}, "musl": musl.missing}


# --- the table --------------------------------------------------------------------------------------------------------
def steps_of(tried: Callable[[Path, str], Iterator[Step]], folder: Path, given: str, *, keep: bool) -> Iterator[Step]:
    """Its steps. If it cannot be prepared, that is one of them, and the others are tried all the same."""
    try:
        with claimed(folder):
            try:
                yield from tried(folder, given)
            finally:
                if not keep:
                    shutil.rmtree(folder / "root", ignore_errors=True)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        say(f"{folder.name}: {error}")  # in the table it is cut
        yield Step("set-up", f"FAILED: {error}", False)
    except SystemExit:  # fail() has said why
        yield Step("set-up", "FAILED", False)


def show(platform: str, what: str, outcome: str, seconds: str) -> None:
    """Cells in columns, and no wider than 80."""
    print(f"{platform:12} {what:22} {outcome:35} {seconds:>7}"[:WIDTH].rstrip(), flush=True)


def described(platform: str, step: Step, seconds: int) -> dict[str, object]:
    """A line of JSON for scripts/reliability."""
    return {
        "target": "platforms",
        "date": datetime.now(timezone.utc).date().isoformat(),
        "platform": platform,
        "with": step.versions,
        "what": step.what,
        "outcome": step.outcome,
        "seconds": seconds,
    }


def asked() -> tuple[argparse.Namespace, Tried, str]:
    """The options, what is to be tried, and the arguments of pytest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("platforms", nargs="*", metavar="PLATFORM", help=f"all of them, or of {', '.join(PLATFORMS)}")
    parser.add_argument("--dist", action="store_true", help="make a wheel of the sdist in dist/, and use it")
    parser.add_argument("--folder", type=Path, default=cache() / "platforms", help="of the systems, builds and logs")
    parser.add_argument("--json", action="store_true", help="lines of JSON instead of a table, for scripts/reliability")
    parser.add_argument("--keep", action="store_true", help="leave the systems in the folder, for the next run")
    parser.add_argument("--missing", action="store_true", help="only print the packages to install first")
    arguments, given = sys.argv[1:], ""
    if "--" in arguments:
        at = arguments.index("--")
        arguments, given = arguments[:at], shlex.join(arguments[at + 1 :])
    options = parser.parse_args(arguments)
    if options.dist and given:
        parser.error("--dist runs no tests that arguments after -- could choose")
    wheels: Tried = {name: partial(foreign.tried, name, from_dist=True) for name in foreign.PROCESSORS}
    known = wheels if options.dist else PLATFORMS
    unknown = [name for name in options.platforms if name not in known]
    if unknown:
        parser.error(f"no such platform: {', '.join(unknown)}; there are {', '.join(known)}")
    if options.dist and not list(DIST.glob("*.tar.gz")):
        parser.error("no sdist is in dist/: scripts/wheel makes it")
    return options, {name: known[name] for name in options.platforms or known}, given


def main() -> None:
    """Print a row as soon as it is known."""
    options, chosen, given = asked()
    if options.missing:
        print(*dict.fromkeys(package for name in chosen for package in NEEDED.get(name, list)()))
        return
    outcomes: list[bool | None] = []
    versions = {}
    if not options.json:
        show("platform", "what", "outcome", "seconds")
    for name, tried in chosen.items():
        began = time.monotonic()
        for step in steps_of(tried, options.folder.resolve() / name, given, keep=options.keep):
            seconds = round(time.monotonic() - began)
            began = time.monotonic()
            outcomes.append(step.ok)
            versions[name] = step.versions
            if options.json:
                print(json.dumps(described(name, step, seconds)), flush=True)
            else:
                show(name, step.what, step.outcome, str(seconds))
    tables = dist.write(DIST) if options.dist else ""
    if not options.json:
        print(tables or "".join(f"{name}: {has}\n" for name, has in versions.items() if has), end="")
    say(f"the logs are in {options.folder}")
    raise SystemExit(status(outcomes))


if __name__ == "__main__":
    run(main)
