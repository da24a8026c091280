"""Build OpenSSL as static libraries in a private folder, for a wiretight that brings its own (meson -Dopenssl=static).

Usage: build_openssl.py [VERSION]     such as "3.5" or "3.5.7"; openssl-releases.json has the default and what there is

Prints the folder, which has include/, lib/ (with pkgconfig/), openssl.json, LICENSE.txt and COPYRIGHT. It is in the
user's cache, named by version and by everything that the libraries depend on: a second run finds it there.

The source is an official release tarball with the SHA-256 of openssl-releases.json. It is looked for in
WIRETIGHT_OPENSSL_TARBALL (a file), in the cache, at OpenSSL's release address, and in Debian's source package, whose
.orig.tar.gz is the official one, of the archives that apt knows. Status 77: none was in reach.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import tarfile
import tempfile
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

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

PINS = Path(__file__).with_name("openssl-releases.json")
ADDRESS = "https://github.com/openssl/openssl/releases/download/openssl-{version}/openssl-{version}.tar.gz"

# Private, static, position independent, and nothing but the libraries. Modules would be looked for in a folder that a
# wheel does not bring; without them the legacy provider is built in. No clean-up at exit: threads may still be at work.
OPTIONS = (
    *("no-shared", "no-apps", "no-tests", "no-docs", "no-engine", "no-module", "no-atexit", "no-pinshared"),
    *("-fPIC", "-fvisibility=hidden"),
)
# What OpenSSL does not find out by itself, and what meson.build has under "hardening".
OPTIONS_OF_SYSTEM = {
    "Linux": (
        *("enable-ktls", "-fstack-protector-strong", "-fstack-clash-protection"),
        *("-U_FORTIFY_SOURCE", "-D_FORTIFY_SOURCE=3"),
    ),
    "Darwin": ("-fstack-protector-strong",),
}
OPTIONS_OF_MACHINE = {
    "x86_64": ("enable-ec_nistp_64_gcc_128", "-fcf-protection=full"),
    # Named, because Perl would ask the kernel, and that is of another processor where this one is emulated.
    "aarch64": ("linux-aarch64", "enable-ec_nistp_64_gcc_128", "-mbranch-protection=standard"),
    "arm64": ("enable-ec_nistp_64_gcc_128",),
}
# The paths that are compiled in. Whoever could write there could configure OpenSSL, so only root may. The system's own
# openssl.cnf is not read: it may name modules and settings that only the system's OpenSSL has. Where CA certificates
# are is found out at run time.
COMPILED_IN = ("--prefix=/usr/lib/wiretight", "--libdir=lib", "--openssldir=/etc/wiretight")

# Of Perl's standard library, what OpenSSL's Configure and Makefile load; the smallest Perl of a system lacks them.
PERL_MODULES = ("File::Compare", "File::Copy", "FindBin", "IPC::Cmd", "Time::Piece")


class Release(NamedTuple):
    """One line of openssl-releases.json."""

    version: str
    sha256: str


def release_of(version: str | None) -> Release:
    """The newest pinned release whose version begins with this one."""
    pins = json.loads(PINS.read_text())
    wanted = (version or pins["default"]).split(".")
    found = [known for known in pins["releases"] if known.split(".")[: len(wanted)] == wanted]
    if not found:
        fail(f"OpenSSL {'.'.join(wanted)} is not in {PINS.name}: {', '.join(pins['releases'])} are")
    newest = max(found, key=lambda known: [int(part) for part in known.split(".")])
    return Release(newest, **pins["releases"][newest])


# --- the source -------------------------------------------------------------------------------------------------------
def tarball_of(release: Release) -> Path:
    """The release tarball, in the cache or where the user has it; its digest has been checked."""
    named = os.environ.get("WIRETIGHT_OPENSSL_TARBALL")
    if named:
        if not Path(named).is_file():
            fail(f"WIRETIGHT_OPENSSL_TARBALL names {named}, which does not exist")
        check_digest(Path(named), release)
        return Path(named)
    kept = cache() / f"openssl-{release.version}.tar.gz"
    if kept.is_file():
        check_digest(kept, release)
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    reasons = []
    for fetch in (fetch_release, fetch_packaged):
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            try:
                fetched = fetch(release, Path(folder))
            except OutOfReachError as error:
                reasons.append(str(error))
                continue
            check_digest(fetched, release)
            fetched.replace(kept)
            return kept
    raise OutOfReachError("; ".join(reasons))


def check_digest(tarball: Path, release: Release) -> None:
    """Ends the program unless this is the pinned tarball."""
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    if digest != release.sha256:
        fail(f"{tarball} is not OpenSSL {release.version}: its SHA-256 is {digest}, {PINS.name} has {release.sha256}")


def fetch_release(release: Release, folder: Path) -> Path:
    """From OpenSSL's release address."""
    target = folder / "release.tar.gz"
    try:
        with urllib.request.urlopen(ADDRESS.format(version=release.version), timeout=30) as answer:  # noqa: S310
            target.write_bytes(answer.read())
    except (OSError, HTTPException) as error:  # the other one: it ends in the middle, or is no HTTP
        raise OutOfReachError(f"OpenSSL's release address does not answer ({error})") from error
    return target


def fetch_packaged(release: Release, folder: Path) -> Path:
    """From Debian's source package."""
    target = folder / "release.tar.gz"
    from_archives("openssl", f"openssl_{release.version}.orig.tar.gz", release.sha256, target)
    return target


# --- the build --------------------------------------------------------------------------------------------------------
def recipe(release: Release) -> dict[str, object]:
    """Everything that the libraries depend on."""
    compiler = os.environ.get("CC", "cc")
    given = ("CC", "AR", "RANLIB", "CFLAGS", "CPPFLAGS", "MACOSX_DEPLOYMENT_TARGET")
    return {
        "version": release.version,
        "sha256": release.sha256,
        "address": ADDRESS.format(version=release.version),
        "options": [
            *OPTIONS,
            *OPTIONS_OF_SYSTEM.get(platform.system(), ()),
            *OPTIONS_OF_MACHINE.get(platform.machine(), ()),
            *COMPILED_IN,
        ],
        "compiler": said([*compiler.split(), "--version"], Path("/"))[1].partition("\n")[0],
        "machine": f"{platform.system()} {platform.machine()} {os.environ.get('ARCHFLAGS', '')}".strip(),
        "environment": {name: os.environ[name] for name in given if name in os.environ},
    }


def built(release: Release) -> Path:
    """The folder with the libraries, built now unless they are there."""
    made_of = recipe(release)
    digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:12]
    finished = cache() / f"openssl-{release.version}-{digest}"
    with locked(finished.name):
        if not finished.is_dir():
            check_programs(release)
            tarball = tarball_of(release)
            with tempfile.TemporaryDirectory(dir=finished.parent, prefix="building-") as folder:
                compile_in(Path(folder), tarball, release, made_of).replace(finished)
    return finished


def check_programs(release: Release) -> None:
    """Ends the program unless there is what builds OpenSSL, which would say so late and at length."""
    missing = [program for program in ("perl", "make") if shutil.which(program) is None]
    if "perl" not in missing:
        modules = (f"-M{module}" for module in PERL_MODULES)
        if not said(["perl", *modules, "-e", "1"], Path("/"))[0]:
            missing.insert(0, "Perl's standard modules")
    if missing:
        fail(
            f"building OpenSSL {release.version} needs {' and '.join(missing)}: apt install perl make, or what these "
            "are called here (Fedora: perl-core make)"
        )


def compile_in(folder: Path, tarball: Path, release: Release, made_of: dict[str, object]) -> Path:
    """The folder in which the libraries and headers were installed."""
    say(f"building OpenSSL {release.version}, which takes a few minutes")
    unpack(tarball, folder)
    stage = folder / "stage"
    with tarfile.open(tarball) as archive:  # the date that OpenSSL writes into itself: every build gives the same bytes
        os.environ["SOURCE_DATE_EPOCH"] = str(int(max(member.mtime for member in archive)))
    commands = [
        ["./Configure", *(str(option) for option in made_of["options"])],  # type: ignore[attr-defined]
        ["make", "-j", str(processors()), "build_libs"],
        ["make", "install_dev", f"DESTDIR={stage}"],
    ]
    build(commands, folder / f"openssl-{release.version}", f"OpenSSL {release.version}")
    installed = stage / "usr/lib/wiretight"
    for file in (installed / "lib/pkgconfig").iterdir():  # they name the compiled-in prefix, where nothing is
        file.write_text(re.sub("(?m)^prefix=.*", "prefix=${pcfiledir}/../..", file.read_text()))
    shutil.rmtree(installed / "lib/cmake", ignore_errors=True)
    source = folder / f"openssl-{release.version}"
    (installed / "COPYRIGHT").write_text(copyright_of((source / "README.md").read_text()))
    shutil.copy(source / "LICENSE.txt", installed)
    (installed / "openssl.json").write_text(json.dumps(made_of, indent=2) + "\n")
    return installed


def copyright_of(readme: str) -> str:
    """The lines of OpenSSL's README that say whose it is: its licence asks that they go along."""
    lines = re.findall(r"^(?:Copyright \(c\) .*|All rights reserved\.)$", readme, re.MULTILINE)
    if not lines:
        fail("OpenSSL's README.md no longer says whose copyright it is; copyright_of() looks for it")
    return "\n".join((*lines, ""))


def main() -> None:
    """Build, and print the folder."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    arguments.add_argument("version", nargs="?", help="as 3.5 or 3.5.7; the default is the one that wheels have")
    release = release_of(arguments.parse_args().version)
    try:
        print(built(release))
    except OutOfReachError as error:
        name = f"openssl-{release.version}.tar.gz"
        say(f"no source of OpenSSL {release.version} in reach ({error}): name {name} in WIRETIGHT_OPENSSL_TARBALL")
        raise SystemExit(OUT_OF_REACH) from None


if __name__ == "__main__":
    main()
