"""What the builders of OpenSSL and of Python share: the user's cache, source packages, a build, and programs to run."""

import fcntl
import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

OUT_OF_REACH = 77  # what a build or test system takes for "skipped"
PIPE_CLOSED = 141  # what a shell reports for a program ended by SIGPIPE


class OutOfReachError(Exception):
    """Where a tarball could have been, and why it was not had from there."""


# --- the cache --------------------------------------------------------------------------------------------------------
def cache() -> Path:
    """The folder of everything that is kept."""
    usual = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or usual, "wiretight")


@contextmanager
def locked(name: str) -> Iterator[None]:
    """While one process builds what has this name, the others wait."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """While one process works in the folder, which is made, there is no other: it raises BlockingIOError."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(f"another run is at work in {folder}") from None
        yield


# --- Debian's and Ubuntu's source packages ----------------------------------------------------------------------------
def from_archives(package: str, file: str, sha256: str, target: Path) -> None:
    """A file of a source package, by the digest that it must have: from whichever archive in reach has it."""
    helper = "/usr/lib/apt/apt-helper"  # so with apt's own settings, of proxies for example
    if not Path(helper).exists():
        raise OutOfReachError("this is neither Debian nor Ubuntu (no apt)")
    configured = [address for label, address in archives() if label in ("Debian", "Ubuntu", "")]
    for archive in (*configured, *archives_of_debootstrap()):
        shelf = package[:4] if package.startswith("lib") else package[0]
        address = f"{archive.rstrip('/')}/pool/main/{shelf}/{package}/{quote(file)}"
        options = ["-oAcquire::Retries=2", "-oAPT::Sandbox::User="]
        if said([helper, *options, "download-file", address, str(target), f"SHA256:{sha256}"], target.parent)[0]:
            return
        target.unlink(missing_ok=True)
    raise OutOfReachError(f"no archive of Debian or Ubuntu that this machine knows has {file}")


def archives() -> Iterator[tuple[str, str]]:
    """Whose it is, and its address, of each among this machine's apt sources; without package lists, "" for whose."""
    listed = said(["apt-get", "indextargets", "--format", "$(LABEL)|$(REPO_URI)", "Created-By: Packages"], Path("/"))[1]
    for label, _, address in sorted({line.partition("|") for line in listed.splitlines()}):
        yield label.replace("$(LABEL)", ""), address


def archives_of_debootstrap() -> Iterator[str]:
    """Those of Ubuntu that debootstrap knows: this is its script of all releases since."""
    with suppress(FileNotFoundError):
        script = Path("/usr/share/debootstrap/scripts/gutsy").read_text()
        yield from dict.fromkeys(re.findall(r"^\s*default_mirror (\S+)$", script, re.MULTILINE))


# --- a build ----------------------------------------------------------------------------------------------------------
def unpack(tarball: Path, folder: Path) -> None:
    """Extract a tarball whose digest is the pinned one."""
    with tarfile.open(tarball) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extraction_filter = tarfile.data_filter
        archive.extractall(folder)  # noqa: S202 (its digest is the pinned one)


def build(commands: Iterable[list[str]], folder: Path, what: str) -> None:
    """Run the commands; the first that fails ends the program with the end of its output."""
    for command in commands:
        done, output = said(command, folder, patience=30)
        if not done:
            say("\n".join(output.splitlines()[-40:]))
            fail(f"{command[0]} failed for {what}")


# --- programs and people ----------------------------------------------------------------------------------------------
def said(command: list[str], folder: Path, patience: float | None = None) -> tuple[bool, str]:
    """Whether the command succeeded, and what it printed; with patience, a sign of life after each so many seconds."""
    environment = {**os.environ, "LC_ALL": "C"}
    began = time.monotonic()
    try:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
    except OSError as error:
        return False, f"{command[0]}: {error}"
    with process:
        while True:
            try:
                output = process.communicate(timeout=patience)[0]
                return process.returncode == 0, output
            except subprocess.TimeoutExpired:
                say(f"{Path(command[0]).name} has worked for {time.monotonic() - began:.0f} s")


def processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run(main: Callable[[], None]) -> None:
    """The whole of a program, which ends quietly where nobody reads its stdout any more, as by SIGPIPE."""
    try:
        try:
            main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the interpreter flushes it once more
        raise SystemExit(PIPE_CLOSED) from None


def say(text: str) -> None:
    """For people: what the caller's caller asked for alone goes to stdout."""
    print(f"{Path(sys.argv[0]).name}: {text}", file=sys.stderr, flush=True)


def fail(text: str) -> NoReturn:
    """End the program."""
    say(text)
    raise SystemExit(1)
