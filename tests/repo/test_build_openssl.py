"""The builder of OpenSSL, with a release that this test creates."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.repo.source import ROOT

BUILDER = "build_openssl.py"
RELEASES = "openssl-releases.json"

# It notes the options that it was configured with, and that it was built.
CONFIGURE = """#!/bin/sh
printf '%s\\n' "$@" >options
cat >Makefile <<'END'
build_libs:
	echo built >>"$(BUILDS)"
install_dev:
	mkdir -p $(DESTDIR)/usr/lib/wiretight/include $(DESTDIR)/usr/lib/wiretight/lib/pkgconfig
	cp options $(DESTDIR)/usr/lib/wiretight/lib/libssl.a
	echo prefix=/usr/lib/wiretight >$(DESTDIR)/usr/lib/wiretight/lib/pkgconfig/libssl.pc
END
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tarball(tmp_path: Path) -> Path:
    source = tmp_path / "openssl-9.8.7"
    source.mkdir()
    (source / "Configure").write_text(CONFIGURE)
    (source / "Configure").chmod(0o755)
    (source / "README.md").write_text(
        "# OpenSSL\n\nCopyright (c) 1998-2099 The OpenSSL Project Authors\n\nAll rights reserved.\n"
    )
    (source / "LICENSE.txt").write_text("Its licence\n")
    packed = tmp_path / "openssl.tar.gz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(source, source.name)
    return packed


@pytest.fixture
def run(tmp_path: Path, tarball: Path) -> Run:
    """Runs a copy of the builder that knows 9.8.6 and 9.8.7; no network, no apt."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in (BUILDER, "builders.py"):
        (tools / name).write_text((ROOT / "tools" / name).read_text())
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    made_up = {"9.8.6": {"sha256": "0"}, "9.8.7": {"sha256": digest}}
    (tools / RELEASES).write_text(json.dumps({"default": "9.8", "releases": made_up}))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "make", "perl", "cc", "mkdir", "cp", "cat"):
        found = next(folder for folder in os.get_exec_path() if Path(folder, name).exists())
        (programs / name).symlink_to(Path(found, name))

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(tools / BUILDER), *arguments],
            env={
                "PATH": str(programs),
                "HOME": str(tmp_path),
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
                "BUILDS": str(tmp_path / "builds"),
                "https_proxy": "http://127.0.0.1:1",
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_the_newest_release_of_the_default_line_is_built_once(run: Run, tarball: Path, tmp_path: Path) -> None:
    first = run(WIRETIGHT_OPENSSL_TARBALL=str(tarball))
    assert first.returncode == 0, first.stderr
    folder = Path(first.stdout.strip())
    assert json.loads((folder / "openssl.json").read_text())["version"] == "9.8.7"
    options = (folder / "lib" / "libssl.a").read_text().split()
    assert {"no-shared", "no-apps", "no-tests", "no-engine", "-fPIC"} <= set(options)
    assert (folder / "lib" / "pkgconfig" / "libssl.pc").read_text() == "prefix=${pcfiledir}/../..\n"
    assert (
        folder / "COPYRIGHT"
    ).read_text() == "Copyright (c) 1998-2099 The OpenSSL Project Authors\nAll rights reserved.\n"
    assert (folder / "LICENSE.txt").read_text() == "Its licence\n"

    second = run("9.8.7")
    assert second.stdout == first.stdout
    assert (tmp_path / "builds").read_text() == "built\n"


def test_other_compiler_flags_give_another_build(run: Run, tarball: Path) -> None:
    plain = run(WIRETIGHT_OPENSSL_TARBALL=str(tarball))
    debug = run(WIRETIGHT_OPENSSL_TARBALL=str(tarball), CFLAGS="-g")

    assert plain.returncode == debug.returncode == 0
    assert plain.stdout != debug.stdout


def test_compiled_in_paths_cannot_be_created_by_another_user(run: Run, tarball: Path) -> None:
    folder = Path(run(WIRETIGHT_OPENSSL_TARBALL=str(tarball)).stdout.strip())
    options = (folder / "lib" / "libssl.a").read_text().split()

    paths = [option.partition("=")[2] for option in options if option.startswith(("--prefix=", "--openssldir="))]
    assert len(paths) == 2
    assert all(path.startswith(("/usr/", "/etc/")) for path in paths)


def test_a_different_tarball_is_rejected(run: Run, tarball: Path) -> None:
    with tarball.open("ab") as file:
        file.write(b"more")
    refused = run(WIRETIGHT_OPENSSL_TARBALL=str(tarball))

    assert refused.returncode == 1
    assert "is not OpenSSL 9.8.7: its SHA-256 is" in refused.stderr
    assert refused.stdout == ""


@pytest.mark.parametrize("missing", ["perl", "make"])
def test_a_missing_program_is_named_before_anything_is_built(
    run: Run, tarball: Path, tmp_path: Path, missing: str
) -> None:
    (tmp_path / "bin" / missing).unlink()
    refused = run(WIRETIGHT_OPENSSL_TARBALL=str(tarball))

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"build_openssl.py: building OpenSSL 9.8.7 needs {missing}: apt install perl make")
    assert refused.stderr.count("\n") == 1


def test_a_perl_without_its_standard_modules_is_not_enough(run: Run, tarball: Path, tmp_path: Path) -> None:
    """As the smallest Perl of a system is."""
    perl = tmp_path / "bin" / "perl"
    perl.unlink()
    perl.write_text("#!/bin/sh\nexit 2\n")
    perl.chmod(0o755)
    refused = run(WIRETIGHT_OPENSSL_TARBALL=str(tarball))

    assert refused.returncode == 1
    assert " needs Perl's standard modules: apt install perl make" in refused.stderr


def test_an_address_that_answers_with_something_else_than_http_is_out_of_reach(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def answer() -> None:
            with proxy.accept()[0] as asked:
                asked.recv(1000)
                asked.sendall(b"something else\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        result = run(https_proxy=f"http://127.0.0.1:{proxy.getsockname()[1]}")
        thread.join()

    assert "no source of OpenSSL 9.8.7 in reach (OpenSSL's release address does not answer" in result.stderr
    assert result.returncode == 77


def test_an_unreachable_source_is_reported_in_one_line_with_its_own_status(run: Run) -> None:
    skipped = run()

    assert skipped.returncode == 77
    assert skipped.stderr.startswith("build_openssl.py: no source of OpenSSL 9.8.7 in reach (")
    assert "WIRETIGHT_OPENSSL_TARBALL" in skipped.stderr
    assert skipped.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("version", "said"),
    [("9.9", "OpenSSL 9.9 is not in openssl-releases.json: 9.8.6, 9.8.7 are"), ("9.8.70", "9.8.70 is not in")],
)
def test_an_unknown_version_is_rejected(run: Run, version: str, said: str) -> None:
    refused = run(version)

    assert refused.returncode == 1
    assert said in refused.stderr


def test_a_tarball_that_does_not_exist_is_named(run: Run) -> None:
    refused = run(WIRETIGHT_OPENSSL_TARBALL="/no/such/file")

    assert refused.returncode == 1
    assert "/no/such/file" in refused.stderr


def test_the_pinned_releases_are_complete() -> None:
    pins = json.loads((ROOT / "tools" / RELEASES).read_text())

    assert any(version.startswith(pins["default"] + ".") for version in pins["releases"])
    for release in pins["releases"].values():
        assert len(release["sha256"]) == 64
