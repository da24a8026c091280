"""What scripts/wheel leaves in dist/: wheels without symbols, and tables that are true of the files beside them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.kit.programs import program
from tests.repo.source import ROOT

DIST = ROOT / "tools" / "dist.py"
REPAIR = ROOT / "tools" / "repair_wheel.py"
WHEEL = "wiretight-1.0-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
SBOM = "wiretight-1.0.dist-info/sboms/wiretight.cdx.json"
LIBRARY = "wiretight/_core/_native.cpython-311-x86_64-linux-gnu.so"


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as wheel:
        wheel.writestr(SBOM, json.dumps({"components": [{"name": "openssl", "version": "9.8.7"}]}))
    (tmp_path / "wiretight-1.0.tar.gz").write_bytes(b"source")
    return tmp_path


def run(*arguments: str | Path) -> str:
    done = subprocess.run([sys.executable, DIST, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def rows(text: str) -> list[list[str]]:
    """The cells of the tables' rows."""
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]


def test_it_says_what_each_file_is_for(dist: Path) -> None:
    described = rows(run(dist))

    assert ["wiretight-1.0.tar.gz", "every platform, from source", "the system's", "0.0"] in described
    assert [WHEEL, "CPython 3.11, Linux x86_64 with glibc 2.17", "9.8.7", "0.0"] in described


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ("cp311-abi3-musllinux_1_2_aarch64", "CPython 3.11 and newer, Linux aarch64 with musl 1.2"),
        ("cp314-cp314t-macosx_11_0_arm64", "CPython 3.14, free-threaded, macOS 11.0 on arm64"),
    ],
)
def test_a_wheels_tags_are_spelled_out(dist: Path, tags: str, said: str) -> None:
    name = f"wiretight-1.0-{tags}.whl"
    shutil.copy(dist / WHEEL, dist / name)

    assert [name, said, "9.8.7", "0.0"] in rows(run(dist))


def test_the_digests_are_those_of_the_files(dist: Path) -> None:
    run(dist)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=dist, check=True)

    assert len((dist / "SHA256SUMS").read_text().splitlines()) == 2


def test_a_test_is_listed_as_long_as_the_file_is_the_one_that_was_tested(dist: Path) -> None:
    run(dist, "tested", dist / WHEEL, "Debian 12", "demo", "failed")
    run(dist, "tested", dist / WHEEL, "Debian 12", "demo", "works")
    assert [WHEEL, "Debian 12", "demo", "works"] in rows(run(dist))
    assert "failed" not in (dist / "README.md").read_text()

    (dist / WHEEL).unlink()
    with zipfile.ZipFile(dist / WHEEL, "w") as wheel:
        wheel.writestr("other", "bytes")
    assert "Debian 12" not in run(dist)


def compared(made: Path, folder: Path) -> str:
    ask = "import dist, pathlib, sys; print(*dist.compared(*map(pathlib.Path, sys.argv[1:])))"
    environment = {**os.environ, "PYTHONPATH": str(DIST.parent)}
    command = [sys.executable, "-c", ask, made, folder]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def test_what_was_built_again_is_compared_by_its_bytes(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    again = tmp_path_factory.mktemp("again")
    assert compared(again, dist) == "False FAILED: nothing was made"

    shutil.copy(dist / WHEEL, again)
    assert compared(again, dist) == "True the same bytes"

    (again / "wiretight-1.0.tar.gz").write_bytes(b"Source")
    assert compared(again, dist) == "False FAILED: other bytes in wiretight-1.0.tar.gz"

    (dist / WHEEL).unlink()
    assert compared(again, dist).startswith("False FAILED: ")


@pytest.mark.skipif(sys.platform != "linux", reason="strips an ELF file")
def test_symbols_leave_the_wheel_for_a_file_that_a_debugger_finds(tmp_path: Path) -> None:
    source = tmp_path / "library.c"
    source.write_text("static int hidden(int x) { return x * 3; }\nint (*shown)(int) = hidden;\n")
    library = tmp_path / Path(LIBRARY).name
    subprocess.run([program("cc", "gcc"), "-shared", "-fPIC", "-o", library, source], check=True)
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as wheel:
        wheel.write(library, LIBRARY)
        module = zipfile.ZipInfo("wiretight/__init__.py")
        module.external_attr = 0o100664 << 16  # as a machine with another umask writes it
        wheel.writestr(module, "text = 1\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "auditwheel").write_text('#!/bin/sh\n[ "$1 $2" = "repair --wheel-dir" ] && cp "$4" "$3"\n')
    (programs / "auditwheel").chmod(0o755)
    (tmp_path / "out").mkdir()
    subprocess.run(
        [sys.executable, REPAIR, tmp_path / WHEEL, tmp_path / "out", "symbols"],
        cwd=tmp_path, env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}, check=True,
    )  # fmt: skip

    with zipfile.ZipFile(tmp_path / "out" / WHEEL) as wheel:
        assert wheel.namelist() == [LIBRARY, "wiretight/__init__.py"]
        assert [oct(member.external_attr >> 16) for member in wheel.infolist()] == ["0o100755", "0o100644"]
        library.write_bytes(wheel.read(LIBRARY))
    symbols = tmp_path / "symbols" / f"{WHEEL.removesuffix('.whl')}.debug"
    sections = subprocess.run(
        [program("readelf", "binutils"), "--wide", "-S", "-p.gnu_debuglink", library],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert ".symtab" not in sections
    assert symbols.name in sections
    assert b"hidden" not in library.read_bytes()
    assert b"hidden" in symbols.read_bytes()
