#!/usr/bin/env python3
"""Make a built wheel one for others: `repair_wheel.py WHEEL FOLDER [SYMBOLS]` writes it into the folder. For Linux.

The symbols leave its library for a file in the folder SYMBOLS, where a debugger finds them; without one, they are
dropped. The environment's OBJCOPY names the one of another processor. Then auditwheel names the oldest system that the
wheel runs on, and fails if it needs what no such system has.
scripts/wheel and cibuildwheel ([tool.cibuildwheel.linux] in pyproject.toml) both call this.
"""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

LIBRARY = "wiretight/_core/_native"
OBJCOPY = os.environ.get("OBJCOPY", "objcopy")


def stripped(wheel: Path, folder: Path, symbols: Path | None) -> Path:
    """A copy in the folder. Its RECORD has the old digest of the library until auditwheel writes a new one."""
    copy = folder / wheel.name
    with zipfile.ZipFile(wheel) as given, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as written:
        for member in given.infolist():
            content = given.read(member)
            # What a group may do is of the machine: of its umask, and of how its Python unpacks OpenSSL.
            mode = 0o755 if member.external_attr >> 16 & 0o100 else 0o644
            member.external_attr = (stat.S_IFREG | mode) << 16
            if member.filename.startswith(LIBRARY):
                library = folder / Path(member.filename).name
                library.write_bytes(content)
                strip(library, symbols / f"{wheel.stem}.debug" if symbols else None)
                content = library.read_bytes()
            written.writestr(member, content)
    return copy


def strip(library: Path, symbols: Path | None) -> None:
    """Leave in the library what the loader needs, and the name of the file that has the rest."""
    link = []
    if symbols:
        symbols.parent.mkdir(parents=True, exist_ok=True)
        run(OBJCOPY, "--only-keep-debug", library, symbols)
        link = [f"--add-gnu-debuglink={symbols.name}"]
    folder = symbols.parent if symbols else library.parent  # the name is looked up there, and kept without a folder
    run(OBJCOPY, "--strip-unneeded", *link, library.resolve(), folder=folder)


def run(*command: str | Path, folder: Path | None = None) -> None:
    """A program that says itself what went wrong."""
    if subprocess.run(command, cwd=folder, check=False).returncode:
        raise SystemExit(f"repair_wheel.py: {command[0]} failed")


def main(wheel: Path, folder: Path, symbols: Path | None = None) -> None:
    """Write the wheel."""
    missing = [program for program in (OBJCOPY, "auditwheel") if shutil.which(program) is None]
    if missing:
        raise SystemExit(
            f"repair_wheel.py: needs {' and '.join(missing)}: apt install binutils, pip install auditwheel"
        )
    with tempfile.TemporaryDirectory() as temporary:
        copy = stripped(wheel, Path(temporary), symbols)
        run("auditwheel", "repair", "--wheel-dir", folder, copy)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__.partition("\n")[0])
    main(*map(Path, sys.argv[1:]))
