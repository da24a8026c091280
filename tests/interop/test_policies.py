"""sslyze, which scans servers, finds of one with a policy exactly what the policy names."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import wiretight
from tests.kit.certificates import ADDRESS, Certificates
from tests.kit.servers import Server
from tests.kit.threads import PATIENCE
from wiretight import Policy

SCANNER = Path(sys.prefix) / "apart" / "scanner"
VERSIONS = {
    "TLSv1": "tls_1_0_cipher_suites",
    "TLSv1_1": "tls_1_1_cipher_suites",
    "TLSv1_2": "tls_1_2_cipher_suites",
    "TLSv1_3": "tls_1_3_cipher_suites",
}
# What its OpenSSL can offer.
CURVES = {"X25519", "X448", "prime256v1", "secp384r1", "secp521r1"}


def of_this_openssl(name: str) -> bool:
    description = Policy.named(name).describe()
    needed = tuple(map(int, description["openssl"].split(".")))
    return "properties" not in description and wiretight.OPENSSL_VERSION_INFO[:2] >= needed


NAMES = [name for name in Policy.names() if of_this_openssl(name)]


@pytest.fixture(scope="module")
def scans(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What sslyze says of a server with each policy: all of them at once."""
    if not (SCANNER / "sslyze").is_dir():
        pytest.skip("sslyze is not installed: scripts/test without --bare does that, if there is one for this Python")
    report = tmp_path_factory.mktemp("sslyze") / "report.json"
    with contextlib.ExitStack() as servers:
        ports = {}
        for name in NAMES:
            context = certificates.server_context()
            context.load_cert_chain(*certificates.server_with_rsa)
            context.apply_policy(Policy.named(name))
            server = servers.enter_context(Server(context, lambda sock: sock.recv(1), errors_ok=True))
            ports[server.port] = name
        wanted = ["--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--elliptic_curves", "--mozilla_config=disable"]
        subprocess.run(
            [sys.executable, "-m", "sslyze", f"--json_out={report}", *wanted, *(f"{ADDRESS}:{port}" for port in ports)],
            env={**os.environ, "PYTHONPATH": str(SCANNER)},
            stdout=subprocess.DEVNULL,
            timeout=4 * PATIENCE,
            check=True,
        )
    found = json.loads(report.read_text())["server_scan_results"]
    return {ports[each["server_location"]["port"]]: each["scan_result"] for each in found}


def accepted(scan: Any, version: str) -> set[str]:
    suites = scan[VERSIONS[version]]["result"]["accepted_cipher_suites"]
    return {each["cipher_suite"]["openssl_name"] for each in suites}


@pytest.mark.parametrize("name", NAMES)
def test_a_scanner_finds_the_versions_ciphers_and_groups_of_a_policy(scans: dict[str, Any], name: str) -> None:
    scan, policy = scans[name], Policy.named(name).describe()
    ciphers = {"TLSv1_2": policy.get("ciphers", []), "TLSv1_3": policy["ciphersuites"]}
    for version in VERSIONS:
        assert accepted(scan, version) == set(ciphers.get(version, ())), version
    curves = scan["elliptic_curves"]["result"]["supported_curves"]
    found = {{"secp256r1": "prime256v1"}.get(curve["name"], curve["name"]) for curve in curves}
    assert found == CURVES & set(policy["groups"])


@pytest.mark.parametrize("level", ["intermediate", "modern"])
def test_the_guideline_is_the_one_that_the_scanner_has(scans: dict[str, Any], level: str) -> None:
    """sslyze brings Mozilla's guideline 5.7 as Mozilla published it."""
    text = (SCANNER / "sslyze" / "mozilla_tls_profile" / "5.7.json").read_text()
    theirs = json.loads(text)["configurations"][level]
    scan = scans[f"mozilla-{level}-5.7"]
    versions = {version.replace("_", ".") for version in VERSIONS if accepted(scan, version)}
    assert versions == set(theirs["tls_versions"])
    assert accepted(scan, "TLSv1_2") == set(theirs["ciphers"]["openssl"])
    assert accepted(scan, "TLSv1_3") == set(theirs["ciphersuites"])
    policy = Policy.named(f"mozilla-{level}-5.7").describe()
    assert CURVES & set(policy["groups"]) == set(theirs["tls_curves"])
    assert policy["server_preference"] is theirs["server_preferred_order"]
    assert policy.get("dh_group") == (theirs["dh_param_size"] and f"ffdhe{theirs['dh_param_size']}")
