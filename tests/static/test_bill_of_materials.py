"""The package says what is inside it, in the place where PEP 770 lets tools look."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import pytest

import wiretight
from tests.repo.source import ROOT


@pytest.fixture
def bill() -> dict[str, Any]:
    installed = Path(wiretight.__file__).parents[1]
    [file] = installed.glob("wiretight-*.dist-info/sboms/wiretight.cdx.json")
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def test_it_is_wiretight_that_it_describes(bill: dict[str, Any]) -> None:
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["name"] == "wiretight"
    assert bill["metadata"]["component"]["version"] == wiretight.__version__


def test_it_names_the_openssl_that_runs_and_its_source(bill: dict[str, Any]) -> None:
    [openssl] = bill["components"]
    pins = json.loads((ROOT / "tools" / "openssl-releases.json").read_text())["releases"]
    [source] = openssl["externalReferences"]

    assert openssl["version"] == wiretight.OPENSSL_VERSION.split()[1]
    assert openssl["cpe"].startswith(f"cpe:2.3:a:openssl:openssl:{openssl['version']}:")
    assert source["hashes"] == [{"alg": "SHA-256", "content": pins[openssl["version"]]["sha256"]}]
    assert source["url"].endswith(f"/openssl-{openssl['version']}.tar.gz")


def test_the_flags_of_the_api_agree_with_how_it_was_configured(bill: dict[str, Any]) -> None:
    [configured] = bill["components"][0]["properties"]
    options = set(configured["value"].split())

    assert "no-shared" in options
    assert wiretight.HAS_ECH is (wiretight.OPENSSL_VERSION_INFO >= (4,) and "no-ech" not in options)
    assert wiretight.HAS_CERT_COMPRESSION is not options.isdisjoint(
        {"zlib", "enable-zlib", "enable-brotli", "enable-zstd"}
    )


def test_everything_that_it_refers_to_is_in_it(bill: dict[str, Any]) -> None:
    known = {bill["metadata"]["component"]["bom-ref"], *(part["bom-ref"] for part in bill["components"])}

    assert {entry["ref"] for entry in bill["dependencies"]} == known
    assert {ref for entry in bill["dependencies"] for ref in entry.get("dependsOn", [])} <= known


def test_the_record_of_the_package_has_the_digest_of_every_file() -> None:
    """Which tools look at that rewrite a wheel, and those that verify an installation."""
    installed = importlib.metadata.files("wiretight")
    assert installed
    recorded = {str(file): file.hash.value for file in installed if file.hash}
    assert any("_native" in name for name in recorded)
    for file in installed:
        if file.hash:
            assert file.hash.mode == "sha256"
            digest = hashlib.sha256(file.read_binary()).digest()
            assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == file.hash.value, file
