"""Build a CPython without the GIL, for the tests: Debian and Ubuntu have its source and no package of it.

Usage: free_threaded_python.py [--found] [VERSION]     "3.13" or "3.14", which is the default

Prints the path of the interpreter. It is in the user's cache: a second run finds it there. It is built on the system's
OpenSSL without the slow optimisations, which takes some four minutes on two processors; deleting its folder is always
safe. Headers that are missing are named, and on Debian and Ubuntu, as root, installed.

The source is an official release with the SHA-256 below. It is looked for in WIRETIGHT_PYTHON_TARBALL (a file), and in
the source package of the archives that apt and debootstrap know, whose .orig.tar.xz is the official one.

--found: builds nothing, and prints those that are there. Status 77: no source was in reach.
"""

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from builders import (
    OUT_OF_REACH,
    OutOfReachError,
    build,
    cache,
    fail,
    from_archives,
    locked,
    processors,
    said,
    say,
    unpack,
)

# The releases, and their SHA-256: of Debian 13, and of Ubuntu 26.04.
RELEASES = {
    "3.13": ("3.13.5", "93e583f243454e6e9e4588ca2c2662206ad961659863277afcdb96801647d640"),
    "3.14": ("3.14.4", "d923c51303e38e249136fc1bdf3568d56ecb03214efdef48516176d3d7faaef8"),
}
DEFAULT = "3.14"
# ensurepip brings pip, and the tests of CPython, which tests/compat runs, are installed as well.
OPTIONS = ("--disable-gil", "--with-ensurepip=install")
# What is compiled in the Python that tests need, by header, and the package that has it.
HEADERS = {
    "openssl/ssl.h": "libssl-dev",
    "zlib.h": "zlib1g-dev",
    "ffi.h": "libffi-dev",
    "bzlib.h": "libbz2-dev",
    "lzma.h": "liblzma-dev",
    "sqlite3.h": "libsqlite3-dev",
    "uuid/uuid.h": "uuid-dev",
}
COMMANDS = {"make": "make", "pkg-config": "pkg-config", "xz": "xz-utils", "debootstrap": "debootstrap"}
# That it works: the modules that wiretight's tests and packages cannot do without, and no GIL.
PROOF = """
import bz2, ctypes, lzma, socket, sqlite3, sys, sysconfig, test.support, uuid, venv, zlib, ensurepip, ssl
raise SystemExit(not sysconfig.get_config_var("Py_GIL_DISABLED") or sys._is_gil_enabled())
"""


def place(version: str) -> Path:
    """Its folder in the cache."""
    return cache() / f"python-{RELEASES[version][0]}t-{platform.machine()}"


def found(version: str) -> Path | None:
    """The one in the cache, if it works here."""
    python = place(version) / "bin" / f"python{version}t"
    works = python.exists() and subprocess.run([python, "-c", PROOF], capture_output=True, check=False).returncode == 0
    return python if works else None


def built(version: str) -> Path:
    """The interpreter, built now unless it is there."""
    with locked(place(version).name):
        if not found(version):
            need_system()
            with tempfile.TemporaryDirectory(dir=cache(), prefix="building-") as folder:
                compile_in(Path(folder), tarball(version, Path(folder)), version)
        return found(version) or fail(
            f"{place(version)} was built, but not with all that tests need: run{PROOF}with it"
        )


def tarball(version: str, folder: Path) -> Path:
    """The official source, whose digest has been checked."""
    exact, sha256 = RELEASES[version]
    named = os.environ.get("WIRETIGHT_PYTHON_TARBALL")
    if not named:
        target = folder / "python.tar.xz"
        from_archives(f"python{version}", f"python{version}_{exact}.orig.tar.xz", sha256, target)
        return target
    if not Path(named).is_file():
        fail(f"WIRETIGHT_PYTHON_TARBALL names {named}, which does not exist")
    if hashlib.sha256(Path(named).read_bytes()).hexdigest() != sha256:
        fail(f"{named} is not Python {exact}: its SHA-256 is another")
    return Path(named)


def compile_in(folder: Path, source: Path, version: str) -> None:
    """Builds it, and puts it into its place in the cache."""
    exact, final = RELEASES[version][0], place(version)
    say(f"building free-threaded Python {exact}, which takes some minutes")
    os.nice(10)
    unpack(source, folder)
    commands = [
        ["./configure", f"--prefix={final}", *OPTIONS],
        ["make", "-j", str(processors())],
        ["make", "install", f"DESTDIR={folder / 'stage'}"],
    ]
    build(commands, folder / f"Python-{exact}", f"free-threaded Python {exact}")
    shutil.rmtree(final, ignore_errors=True)
    Path(f"{folder / 'stage'}{final}").replace(final)


def need_system() -> None:
    """A compiler, make and the headers, installed if this may be done."""
    packages = [package for header, package in HEADERS.items() if not includes(header)]
    packages += [package for command, package in COMMANDS.items() if not shutil.which(command)]
    packages += ["gcc", "libc6-dev"] if not shutil.which("cc") else []
    if not packages:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        fail(f"missing system packages; install them first: apt install {' '.join(packages)}")
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    say(f"installing {' '.join(packages)}")
    install = ["apt-get", "-q", "-oDPkg::Lock::Timeout=300", "install", "-y", "--no-install-recommends", *packages]
    for command in (["apt-get", "-q", "update"], install):
        done, output = said(command, Path("/"))
        if not done:
            fail(f"{' '.join(command)} failed: {output[-2000:]}")


def includes(header: str) -> bool:
    """Whether the compiler finds this header."""
    asked = ["cc", "-E", "-include", header, "-x", "c", "/dev/null"]
    return said(asked, Path("/"))[0]


def main() -> None:
    """Build, or find, and print the path."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("--found", action="store_true", help="print those that are there, and build nothing")
    arguments.add_argument("version", nargs="?", choices=RELEASES, help=f"the default is {DEFAULT}")
    given = arguments.parse_args()
    if given.found:
        for version in [given.version] if given.version else RELEASES:
            kept = found(version)
            if kept:
                print(kept)
        return
    version = given.version or DEFAULT
    try:
        print(built(version))
    except OutOfReachError as error:
        say(f"no source of Python {version} in reach: {error}")
        raise SystemExit(OUT_OF_REACH) from None


if __name__ == "__main__":
    main()
