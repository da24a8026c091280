"""Try wiretight where nothing is but Python: on a bare Debian 12, Debian 13 and Ubuntu 24.04.

Usage: machines.py [--dist | --rebuild] [--folder FOLDER] [--json] [--keep] [SYSTEM...] [-- ARGUMENTS OF PYTEST]

Each system is unpacked by debootstrap into a folder, with a clone of what is committed here. There, an ordinary user
runs scripts/demo and scripts/test, which must name what is missing, and then root does, which must succeed.

--dist: no clone, but the wheels of dist/. The one that suits is installed, and must work; dist/ notes that.
--rebuild: root runs scripts/wheel in the clone, OpenSSL included, and must get the bytes that are in dist/. That takes
the compiler and the Python that dist/ was made with, to the patch release, which is compiled into every module. Without
a SYSTEM, it is the release of this machine: scripts/wheel --python /usr/bin/python3.

All of it is run with mounts and processes of its own (unshare): however it ends, nothing stays mounted and nothing goes
on.
"""

import argparse
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

import dist
from builders import archives, cache, claimed, run, say
from steps import status

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
PROGRAM = ROOT / "tools" / "fetch_installed.py"
WIDTH = 80
UBUNTU_KEYRING = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")
USER = 1000


class System(NamedTuple):
    """What debootstrap makes."""

    name: str
    distribution: str
    release: str
    script: str  # of debootstrap, which need not know the release
    components: str
    architecture: str = ""  # as its distribution calls it; empty: this machine's


SYSTEMS = {
    "debian-12": System("Debian 12", "Debian", "bookworm", "sid", "main"),
    "debian-13": System("Debian 13", "Debian", "trixie", "sid", "main"),
    "ubuntu-24.04": System("Ubuntu 24.04", "Ubuntu", "noble", "gutsy", "main,universe"),
}

# Run with mounts of its own: the first argument is the system's folder, the second the user, the rest the command.
ENTER = """
root=$1 user=$2
shift 2
mount -t proc proc "$root/proc"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
mkdir -p "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
exec chroot --userspec="$user:$user" "$root" "$@"
"""
ALONE = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
# What this machine's way to the package index needs; the certificates of PIP_CERT are copied.
PASSED_ON = ("http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT")
CERTIFICATES = "/etc/ssl/index.pem"
VERSIONS = (
    """python3 -c 'import ssl, sys; print("Python", sys.version.split()[0] + ",", *ssl.OPENSSL_VERSION.split()[:2])'"""
)


# What a user of the index does, in a folder with the wheels and the program.
INSTALLED = {
    "install": "python3 -m venv env && "
    "env/bin/pip install {index} --only-binary wiretight --find-links . 'wiretight[demo]=={version}' requests",
    "demo": "env/bin/python -m wiretight {demo}",
    "requests": f"env/bin/python {PROGRAM.name}",
}


class Row(NamedTuple):
    """One command on one system."""

    system: str
    who: str
    command: str
    outcome: str
    seconds: int
    ok: bool | None  # None: it could not be tried
    versions: str = ""  # of Python and OpenSSL there


class Machine:
    """A system in a folder."""

    def __init__(self, system: System, folder: Path) -> None:
        self.system = system
        self.root = folder / "root"
        self.logs = folder
        self.versions = ""
        self.environment: dict[str, str] = {}  # of every command there

    def install(self, keyring: Path | None, include: str = "python3", *options: str) -> bool:
        """Unpacks it; False: its archive does not answer, or not with what is signed."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir(parents=True)
        mirror = next((address for whose, address in archives() if whose == self.system.distribution), "")
        script = f"/usr/share/debootstrap/scripts/{self.system.script}"
        trust = [f"--keyring={keyring}"] if keyring else []
        options = (
            *options,
            *([f"--arch={self.system.architecture}"] if self.system.architecture else []),
            "--variant=minbase",
            "--force-check-gpg",
            f"--include={include}",
            f"--components={self.system.components}",
            *trust,
        )
        command = [*ALONE, "debootstrap", *options, self.system.release, str(self.root), mirror, script]
        return logged(command, self.logs / "debootstrap.log") == 0

    @property
    def is_installed(self) -> bool:
        """Whether an earlier run has left it here whole."""
        return (self.root / "etc/debian_version").exists() and not (self.root / "debootstrap").exists()

    def clone(self) -> None:
        """One for root and one for a user."""
        for owner, home in ((0, "root"), (USER, "home/user")):
            place = self.root / home / "wiretight"
            shutil.rmtree(place, ignore_errors=True)
            place.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, place], check=True)
            subprocess.run(["chown", "-R", f"{owner}:{owner}", place.parent], check=True)

    def connect(self) -> None:
        """This machine's way to the network; and what is there."""
        (self.root / "root/wiretight").mkdir(exist_ok=True)
        shutil.copy("/etc/resolv.conf", self.root / "etc/resolv.conf")
        if os.environ.get("PIP_CERT"):
            (self.root / CERTIFICATES[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(os.environ["PIP_CERT"], self.root / CERTIFICATES[1:])
        self.run(0, VERSIONS, "versions")
        self.versions = (self.logs / "versions.log").read_text().strip()

    def run(self, user: int, command: str, log: str) -> int:
        """The status of the command, in the user's folder wiretight: a clone, or the wheels."""
        home = "/root" if user == 0 else "/home/user"
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        if os.environ.get("PIP_CERT"):
            environment["PIP_CERT"] = CERTIFICATES
        environment |= {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home}
        environment |= {"LANG": "C.UTF-8", **self.environment}
        inside = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
        inside += ["sh", "-c", f"cd {home}/wiretight && {command}"]
        entered = [*ALONE, "sh", "-ec", ENTER, "sh", str(self.root), str(user), *inside]
        return logged(entered, self.logs / f"{log}.log")

    def rows(self, arguments: str) -> Iterator[Row]:
        """The commands of the README, by a user who may not install anything, and by root."""
        commands = {"scripts/demo": "", "scripts/test": arguments}
        for who, user, judge in (("user", USER, names_what_is_missing), ("root", 0, succeeds)):
            for command, given in commands.items():
                log = f"{who}-{command.rpartition('/')[2]}"
                began = time.monotonic()
                status = self.run(user, f"{command} {given}", log)
                ok, outcome = judge(status, (self.logs / f"{log}.log").read_text(errors="replace"))
                seconds = round(time.monotonic() - began)
                yield Row(self.system.name, who, command, outcome, seconds, ok, self.versions)

    def rebuilt(self) -> Iterator[Row]:
        """The wheel for its Python, from nothing; the sdist is tested too."""
        began = time.monotonic()
        status = self.run(0, "scripts/wheel --python python3 tests/static", "rebuild")
        ok, outcome = succeeds(status, (self.logs / "rebuild.log").read_text(errors="replace"))
        if ok:
            made = self.root / "root/wiretight/dist"
            ok, outcome = dist.compared(made, DIST)
            for package in dist.packages(made) if ok else ():
                where = f"{self.system.name}, bare: {self.versions}"
                dist.note(DIST / package.name, where, "built from nothing", outcome)
        seconds = round(time.monotonic() - began)
        yield Row(self.system.name, "root", "scripts/wheel", outcome, seconds, ok, self.versions)

    def rows_of_dist(self, demo: str = "demo", index: str = "") -> Iterator[Row]:
        """A wheel of dist/, installed and used by root; without one that suits, the first of them fails."""
        for file in (*DIST.glob("*.whl"), PROGRAM):
            shutil.copy(file, self.root / "root/wiretight")
        wheel, version = None, next(DIST.glob("*.whl")).name.split("-")[1]
        for name, template in INSTALLED.items():
            command = template.format(demo=demo, index=index, version=version)
            began = time.monotonic()
            status = self.run(0, command, f"dist-{name}")
            output = (self.logs / f"dist-{name}.log").read_text(errors="replace")
            ok, outcome = succeeds(status, output)
            if name == "install" and ok:
                found = re.search(r"^Processing .*?(wiretight-[^/\s]+\.whl)(?: \(from .*)?$", output, re.MULTILINE)
                ok, outcome = (True, outcome) if found else (False, "FAILED: it is not a wheel of dist/")
                wheel = DIST / found[1] if found else None
            elif wheel:
                dist.note(wheel, f"{self.system.name}, bare: {self.versions}", command, outcome)
            yield Row(self.system.name, "root", name, outcome, round(time.monotonic() - began), ok, self.versions)
            if not ok:
                return


def logged(command: list[str], log: Path, environment: dict[str, str] | None = None) -> int:
    """The status of a command whose output goes into a file."""
    with log.open("wb") as file:
        return subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False
        ).returncode


# --- what came of it --------------------------------------------------------------------------------------------------
def names_what_is_missing(status: int, output: str) -> tuple[bool, str]:
    """One sentence with the packages to install, and nothing done."""
    said = output.strip().splitlines()
    named = re.search(r"missing system packages; install them first: apt install ([^(]+?) \(", output)
    if status == 0 or len(said) != 1 or not named:
        return False, f"FAILED (status {status}): {said[-1] if said else 'nothing printed'}"
    return True, f"names {len(named[1].split())} missing packages"


def succeeds(status: int, output: str) -> tuple[bool, str]:
    """What the last line counts, if it is pytest's."""
    last = (output.strip().splitlines() or ["nothing printed"])[-1]
    counted = ", ".join(re.findall(r"\d+ (?:passed|failed|skipped|deselected|errors?)\b", last))
    if status:
        return False, f"FAILED (status {status}): {counted or last}"
    return True, counted or "works"


def show(rows: list[str]) -> None:
    """Cells in columns, and no wider than 80."""
    line = "{:13} {:5} {:13} {:38} {:>7}".format(*rows)
    print(line[:WIDTH].rstrip(), flush=True)


def described(row: Row) -> dict[str, object]:
    """A line of JSON for scripts/reliability."""
    return {
        "target": "machines",
        "date": datetime.now(timezone.utc).date().isoformat(),
        "system": row.system,
        "with": row.versions,
        "as": row.who,
        "command": row.command,
        "outcome": row.outcome,
        "seconds": row.seconds,
    }


# --- the systems ------------------------------------------------------------------------------------------------------
def keyring_of(system: System, folder: Path) -> Path | None:
    """Whose signatures its archive must have: None where debootstrap finds it, and for Ubuntu from Debian's package."""
    if system.distribution != "Ubuntu" or UBUNTU_KEYRING.exists():
        return None
    helper = Machine(SYSTEMS["debian-13"], folder / "keyring")
    helper.logs.mkdir(parents=True, exist_ok=True)
    helper.install(None, include="ubuntu-archive-keyring")
    return helper.root / UBUNTU_KEYRING.relative_to("/")


def here() -> str:
    """The name in SYSTEMS of the system that this machine has; empty: none of them."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return ""
    name = f"{release['ID']}-{release.get('VERSION_ID', '')}"
    return name if name in SYSTEMS else ""


def tried(name: str, options: argparse.Namespace, arguments: str) -> Iterator[Row]:
    """The rows of one system, as they are known."""
    folder = options.folder
    system = SYSTEMS[name]
    machine = Machine(system, folder / name)
    try:
        with claimed(machine.logs):
            try:
                yield from rows_of(machine, folder, options, arguments)
            finally:
                if not options.keep:
                    for root in (machine.root, folder / "keyring"):
                        shutil.rmtree(root, ignore_errors=True)
    except (OSError, subprocess.CalledProcessError) as error:
        say(f"{name}: {error}")  # in the table it is cut
        yield Row(system.name, "root", "set-up", f"FAILED: {error}", 0, False)


def rows_of(machine: Machine, folder: Path, options: argparse.Namespace, arguments: str) -> Iterator[Row]:
    """The same, when nobody else works in its folder."""
    began = time.monotonic()
    include = "python3,python3-venv" if options.dist else "python3"
    if not machine.install(keyring_of(machine.system, folder), include):
        outcome = f"{machine.system.distribution}'s archive does not answer"
        yield Row(machine.system.name, "root", "debootstrap", outcome, round(time.monotonic() - began), None)
        return
    if not options.dist:
        machine.clone()
    machine.connect()
    if options.dist:
        yield from machine.rows_of_dist()
    elif options.rebuild:
        yield from machine.rebuilt()
    else:
        yield from machine.rows(arguments)


def asked() -> tuple[argparse.Namespace, str]:
    """The options, the systems among them, and the arguments of pytest."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("systems", nargs="*", metavar="SYSTEM", help=f"all of them, or of {', '.join(SYSTEMS)}")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--dist", action="store_true", help="install a wheel of dist/, and use it")
    instead.add_argument("--rebuild", action="store_true", help="build a wheel of dist/ again, from nothing")
    parser.add_argument("--folder", type=Path, default=cache() / "machines", help="of the systems and their logs")
    parser.add_argument("--json", action="store_true", help="lines of JSON instead of a table, for scripts/reliability")
    parser.add_argument("--keep", action="store_true", help="leave the systems in the folder")
    arguments, given = sys.argv[1:], ""
    if "--" in arguments:
        at = arguments.index("--")
        arguments, given = arguments[:at], shlex.join(arguments[at + 1 :])
    options = parser.parse_args(arguments)
    if given and (options.dist or options.rebuild):
        parser.error(
            "arguments of pytest, after --, choose from the tests of a clone: neither --dist nor --rebuild runs them"
        )
    unknown = [name for name in options.systems if name not in SYSTEMS]
    if unknown:
        parser.error(f"no such system: {', '.join(unknown)}; there are {', '.join(SYSTEMS)}")
    if (options.dist or options.rebuild) and not list(DIST.glob("*.whl")):
        parser.error("no wheel is in dist/: scripts/wheel makes them")
    if options.rebuild and not (options.systems or here()):
        parser.error(f"this machine's system is none of {', '.join(SYSTEMS)}: name the one that dist/ was made on")
    options.systems = options.systems or ([here()] if options.rebuild else list(SYSTEMS))
    return options, given


def main() -> None:
    """Print a row as soon as it is known."""
    options, given = asked()
    outcomes: list[bool | None] = []
    versions = {}
    if not options.json:
        show(["system", "as", "command", "outcome", "seconds"])
    for name in options.systems:
        for row in tried(name, options, given):
            outcomes.append(row.ok)
            versions[row.system] = row.versions
            if options.json:
                print(json.dumps(described(row)), flush=True)
            else:
                show([row.system, row.who, row.command, row.outcome, str(row.seconds)])
    tables = dist.write(DIST) if options.dist or options.rebuild else ""
    if not options.json:
        print(*(f"{system}: {has}" for system, has in versions.items() if has), sep="\n")
        print(tables, end="")
    say(f"the logs are in {options.folder}")
    raise SystemExit(status(outcomes))


if __name__ == "__main__":
    run(main)
