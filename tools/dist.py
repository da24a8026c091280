"""The folder dist/: what is in it, and what was tested where.

Usage: dist.py FOLDER                                 writes README.md with both, and SHA256SUMS; prints README.md
       dist.py FOLDER tested FILE WHERE WHAT OUTCOME  notes a test, in tested.jsonl

A note counts as long as its file has the same bytes.
"""

import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from builders import run

NOTES = "tested.jsonl"
SUMS = "SHA256SUMS"
README = "README.md"
COLUMNS = ("file", "for", "OpenSSL", "MiB")
TESTED = ("file", "where", "what", "outcome")


class Note(NamedTuple):
    """A test of a file, as a line of tested.jsonl."""

    file: str
    sha256: str
    where: str
    what: str
    outcome: str


def digest(path: Path) -> str:
    """As sha256sum prints it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def packages(folder: Path) -> list[Path]:
    """The sdist and the wheels, the oldest Python first."""
    return sorted((*folder.glob("*.tar.gz"), *folder.glob("*.whl")), key=by_number)


def by_number(path: Path) -> list[tuple[int, str]]:
    """So that 3.9 comes before 3.10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.findall(r"\d+|\D+", path.name)]


# --- what a file is for -----------------------------------------------------------------------------------------------
def made_for(name: str) -> str:
    """By its name, whose last three parts are Python, ABI and platforms: PEP 425, 600 and 656."""
    if not name.endswith(".whl"):
        return "every platform, from source"
    python, abi, platforms = name.removesuffix(".whl").split("-")[-3:]
    version = re.sub(r"^cp(\d)(\d+)$", r"CPython \1.\2", python)
    version += {"abi3": " and newer", python + "t": ", free-threaded"}.get(abi, "")
    return f"{version}, {' or '.join(dict.fromkeys(system_of(each) for each in platforms.split('.')))}"


def system_of(platform: str) -> str:
    """The platform, and the oldest C library or system of it."""
    if found := re.fullmatch(r"(many|musl)linux_(\d+)_(\d+)_(.+)", platform):
        library, major, minor, machine = found.groups()
        return f"Linux {machine} with {'glibc' if library == 'many' else 'musl'} {major}.{minor}"
    if found := re.fullmatch(r"manylinux(2010|2014)_(.+)", platform):
        return f"Linux {found[2]} with glibc {({'2010': '2.12', '2014': '2.17'})[found[1]]}"
    if found := re.fullmatch(r"macosx_(\d+)_(\d+)_(.+)", platform):
        return f"macOS {found[1]}.{found[2]} on {found[3]}"
    return platform


def engine_of(path: Path) -> str:
    """The version of the OpenSSL inside, by the bill of materials."""
    if path.suffix != ".whl":
        return "the system's"
    with zipfile.ZipFile(path) as wheel:
        for name in wheel.namelist():
            if name.endswith(".dist-info/sboms/wiretight.cdx.json"):
                return str(json.loads(wheel.read(name))["components"][0]["version"])
    return "the system's"


# --- the notes --------------------------------------------------------------------------------------------------------
def note(path: Path, where: str, what: str, outcome: str) -> None:
    """Adds one."""
    line = json.dumps(Note(path.name, digest(path), where, what, outcome)._asdict())
    with (path.parent / NOTES).open("a") as notes:
        notes.write(line + "\n")


def notes(folder: Path) -> Iterator[Note]:
    """Those that are about the files of now; of several for the same thing, the last."""
    digests = {path.name: digest(path) for path in packages(folder)}
    kept: dict[tuple[str, str, str], Note] = {}
    if (folder / NOTES).exists():
        for line in (folder / NOTES).read_text().splitlines():
            known = Note(**json.loads(line))
            if digests.get(known.file) == known.sha256:
                kept[known.file, known.where, known.what] = known
    yield from kept.values()


def compared(made: Path, folder: Path) -> tuple[bool, str]:
    """Whether all that was made is in the folder, and the same."""
    if not packages(made):
        return False, "FAILED: nothing was made"
    for package in packages(made):
        kept = folder / package.name
        if not kept.exists():
            return False, f"FAILED: dist/ has no {package.name}"
        if digest(kept) != digest(package):
            return False, f"FAILED: other bytes in {package.name}"
    return True, "the same bytes"


# --- the tables -------------------------------------------------------------------------------------------------------
def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """In Markdown, with columns that also line up as plain text."""
    cells = [list(columns), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def described(folder: Path) -> str:
    """What README.md says."""
    files = packages(folder)
    contents = table(
        COLUMNS,
        ([path.name, made_for(path.name), engine_of(path), f"{path.stat().st_size / 2**20:.1f}"] for path in files),
    )
    tests = table(TESTED, ([known.file, known.where, known.what, known.outcome] for known in notes(folder)))
    beside = f"{SUMS} has the digests."
    if any(folder.glob("symbols/*.debug")):
        beside += " Symbols for debuggers are in symbols/, a file for each wheel."
    return f"# What is in this folder\n\n{contents}\n\n{beside}\n\n# What was tested where\n\n{tests}\n"


def write(folder: Path) -> str:
    """Write both files; what README.md says."""
    (folder / SUMS).write_text("".join(f"{digest(path)}  {path.name}\n" for path in packages(folder)))
    text = described(folder)
    (folder / README).write_text(text)
    return text


def main(folder: Path, *arguments: str) -> None:
    """Note a test, or write the files."""
    if arguments:
        _, file, *rest = arguments
        note(folder / Path(file).name, *rest)
        return
    print(write(folder), end="")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 7):
        raise SystemExit(__doc__)
    run(lambda: main(Path(sys.argv[1]), *sys.argv[2:]))
