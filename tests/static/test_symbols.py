"""Other OpenSSLs in the process see nothing of wiretight's own, and it sees nothing of theirs."""

from __future__ import annotations

import json
import re
import sys

import pytest

import wiretight
from tests.repo.source import ROOT
from tests.static.library import LIBRARY, output_of, symbols
from wiretight import _core

OPENSSL = re.compile("_?(SSL|EVP|X509|BIO|ERR|ASN1|OPENSSL|OSSL|CRYPTO|PEM|RAND|d2i|i2d)_", re.IGNORECASE)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the symbols of an ELF file")


def test_only_the_modules_of_the_core_are_exported() -> None:
    modules = ["_native", *(module.rpartition(".")[2] for module in _core.MODULES)]
    assert sorted(symbols("--defined-only")) == sorted(f"PyInit_{module}" for module in modules)


def test_no_symbol_of_openssl_is_imported() -> None:
    imported = symbols("--undefined-only")

    assert "PyErr_SetString" in imported
    assert [name for name in imported if OPENSSL.match(name)] == []


def test_no_library_of_openssl_is_loaded() -> None:
    needed = [line for line in output_of("readelf", "--dynamic", "--wide", LIBRARY) if "(NEEDED)" in line]

    assert any(re.search(r"\blibc\b", line) for line in needed)
    assert [line for line in needed if re.search("ssl|crypto", line)] == []


def test_it_is_a_release_that_is_pinned() -> None:
    releases = json.loads((ROOT / "tools" / "openssl-releases.json").read_text())["releases"]

    assert wiretight.OPENSSL_VERSION.split()[1] in releases
