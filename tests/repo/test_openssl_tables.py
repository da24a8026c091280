"""The generator of the tables, with headers of an OpenSSL that this test creates."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.source import ROOT

GENERATOR = ROOT / "tools" / "openssl_tables.py"

HEADERS = {
    "opensslv.h": "",
    "err.h": "# define ERR_LIB_SSL             20\n#define ERR_LIB_PEM 9\n# define ERR_LIB_USER 128\n",
    "sslerr.h": "# define SSL_R_BAD_WRITE_RETRY     127\n# define SSL_R_SAME_NUMBER 127\n# define SSL_R_UNUSED 0\n",
    "pemerr.h": "#define PEM_R_NO_START_LINE 108\n#define NOBODY_R_KNOWS 1\n",
    "ssl.h": "# define SSL_OP_BIT(n)  ((uint64_t)1 << (uint64_t)n)\n# define SSL_OP_NO_TICKET SSL_OP_BIT(14)\n",
    "prov_ssl.h": "# define TLS1_3_VERSION 0x0304\n# define TLS1_3_VERSION_OTHER 1\n",
    "x509_vfy.h": "# define X509_V_ERR_CERT_REJECTED 28\n",
    "x509v3.h": "",
}


@pytest.fixture
def include(tmp_path: Path) -> Path:
    folder = tmp_path / "include" / "openssl"
    folder.mkdir(parents=True)
    for name, text in HEADERS.items():
        (folder / name).write_text(text)
    return folder.parent


def generate(include: Path, output: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(GENERATOR), str(include), str(output), str(output.with_suffix(".d"))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_mnemonics_are_sorted_numbers_and_the_first_name_of_a_number_counts(include: Path, tmp_path: Path) -> None:
    generate(include, tmp_path / "tables.h").check_returncode()
    table = (tmp_path / "tables.h").read_text()
    assert '{9, 108, "NO_START_LINE"},\n    {20, 127, "BAD_WRITE_RETRY"},\n}' in table
    assert '[20] = "SSL"' in table
    assert "SAME_NUMBER" not in table
    assert "UNUSED" not in table
    assert "KNOWS" not in table
    assert "USER" not in table


def test_constants_are_left_to_the_compiler_and_function_like_macros_are_skipped(include: Path, tmp_path: Path) -> None:
    generate(include, tmp_path / "tables.h").check_returncode()
    table = (tmp_path / "tables.h").read_text()
    assert '#ifdef SSL_OP_NO_TICKET\n    {"SSL_OP_NO_TICKET", (long long)SSL_OP_NO_TICKET},\n#endif' in table
    assert '"X509_V_ERR_CERT_REJECTED"' in table
    assert '"TLS1_3_VERSION"' in table
    assert "SSL_OP_BIT" not in table
    assert "VERSION_OTHER" not in table


def test_the_build_is_told_every_header_that_was_read(include: Path, tmp_path: Path) -> None:
    generate(include, tmp_path / "tables.h").check_returncode()
    target, _, headers = (tmp_path / "tables.d").read_text().partition(": ")
    assert target == str(tmp_path / "tables.h")
    assert {Path(header).name for header in headers.split()} == set(HEADERS)


def test_the_same_headers_give_the_same_file(include: Path, tmp_path: Path) -> None:
    for name in ("one.h", "two.h"):
        generate(include, tmp_path / name).check_returncode()
    assert (tmp_path / "one.h").read_bytes() == (tmp_path / "two.h").read_bytes()


@pytest.mark.parametrize(("missing", "said"), [("ssl.h", "ssl.h does not exist"), ("sslerr.h", "no error codes found")])
def test_a_folder_without_the_headers_is_named(include: Path, tmp_path: Path, missing: str, said: str) -> None:
    (include / "openssl" / missing).unlink()
    failed = generate(include, tmp_path / "tables.h")
    assert failed.returncode == 1
    assert said in failed.stderr
    assert str(include) in failed.stderr
    assert not (tmp_path / "tables.h").exists()
