"""Scanners: what each says of a server, in the same terms. A fact that a scanner does not look for is None."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cli.command import wiretight
from tests.kit.certificates import HOST
from wiretight._cli.scan.suites import suite

VERSIONS = ("SSL 2.0", "SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3")

_MINUTES = 600


@dataclass
class Facts:
    """`suites` are IANA's names (or OpenSSL's), by version; `groups` and `signatures` are of any version."""

    suites: dict[str, set[str]] = field(default_factory=dict)
    groups: set[str] | None = None
    signatures: set[str] | None = None
    alpn: set[str] | None = None
    compression: bool | None = None
    secure_renegotiation: bool | None = None
    fallback_scsv: bool | None = None
    extended_master_secret: bool | None = None
    tickets: bool | None = None
    session_ids: bool | None = None
    hsts: bool | None = None
    trusted: bool | None = None


def ours(port: int, ca_file: Path) -> Facts:
    result = wiretight("scan", f"{HOST}:{port}", "--cafile", ca_file, "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["troubles"] == []
    every = found["versions"]
    return Facts(
        suites={each["version"]: {suite["iana"] for suite in each["suites"]} for each in every},
        groups={group for each in every for group in each["groups"]},
        signatures={name for each in every for name in each["signature_algorithms"]},
        alpn=None if found["alpn"] is None else set(found["alpn"]),
        compression=bool(found["compression"]),
        secure_renegotiation=found["secure_renegotiation"],
        fallback_scsv=found["fallback_scsv"],
        extended_master_secret=found["extended_master_secret"],
        tickets=found["resumption"]["tickets"],
        session_ids=found["resumption"]["session_ids"],
        hsts=None if found["http_status"] is None else found["hsts"] is not None,
        trusted=all(each["verified"] for each in found["certificates"]),
    )


# --- sslyze -----------------------------------------------------------------------------------------------------------

_SSLYZE = (
    "--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3", "--elliptic_curves", "--compression",
    "--fallback", "--reneg", "--resum", "--ems", "--http_headers",
)  # fmt: skip
_CURVES = {"prime256v1": "secp256r1", "X25519": "x25519", "X448": "x448"}


def find_sslyze() -> str | None:
    return os.environ.get("WIRETIGHT_SSLYZE") or shutil.which("sslyze")


def sslyze(program: str, port: int, _ca_file: Path, folder: Path) -> Facts:
    report = folder / "sslyze.json"
    options = (*_SSLYZE, "--mozilla_config", "disable", "--json_out", report)
    _run(program, *options, f"{HOST}:{port}")
    results = json.loads(report.read_text())["server_scan_results"][0]["scan_result"]

    def result(name: str) -> Any:
        assert results[name]["status"] == "COMPLETED", results[name]
        return results[name]["result"]

    suites = {}
    for version in VERSIONS:
        name = version.lower().replace(" ", "_").replace(".", "_")
        accepted = result(f"{name}_cipher_suites")["accepted_cipher_suites"]
        if accepted:
            suites[version] = {each["cipher_suite"]["name"] for each in accepted}
    has_older = bool(suites.keys() - {"TLS 1.3"})
    resumed = result("session_resumption")
    headers = results["http_headers"]["result"]
    curves = result("elliptic_curves")["supported_curves"] or []
    return Facts(
        suites=suites,
        groups={_CURVES.get(each["name"], each["name"]) for each in curves},
        compression=result("tls_compression")["supports_compression"],
        # What TLS 1.3 has by its design counts as supported there, and is None here.
        secure_renegotiation=result("session_renegotiation")["supports_secure_renegotiation"] if has_older else None,
        fallback_scsv=result("tls_fallback_scsv")["supports_fallback_scsv"] if len(suites) > 1 else None,
        extended_master_secret=None
        if "TLS 1.3" in suites
        else result("tls_extended_master_secret")["supports_ems_extension"],
        tickets=resumed["tls_ticket_resumption_result"] == "FULLY_SUPPORTED" if has_older else None,
        # Its no is no proof: a session that was seen to resume is one.
        session_ids=True if resumed["session_id_resumption_result"] == "FULLY_SUPPORTED" else None,
        hsts=None
        if not headers or headers["http_error_trace"]
        else headers["strict_transport_security_header"] is not None,
    )


# --- testssl.sh -------------------------------------------------------------------------------------------------------

_TESTSSL = ("-p", "-P", "-f", "-S", "-R", "-C", "-Z", "-h")
_NAMES = {"ssl2": "SSL 2.0", "ssl3": "SSL 3.0", "tls1": "TLS 1.0", "tls1_1": "TLS 1.1", "tls1_2": "TLS 1.2",
          "tls1_3": "TLS 1.3"}  # fmt: skip
_HASHES = {"SHA256": "secp256r1_sha256", "SHA384": "secp384r1_sha384", "SHA512": "secp521r1_sha512"}


def find_testssl() -> str | None:
    return os.environ.get("WIRETIGHT_TESTSSL") or shutil.which("testssl.sh") or shutil.which("testssl")


def testssl(program: str, port: int, ca_file: Path, folder: Path) -> Facts:
    """As far as its flat JSON says it."""
    report = folder / "testssl.json"
    options = ("--quiet", "--warnings", "off", "--nodns", "none", "--ip", "127.0.0.1", "--add-ca", ca_file)
    _run(program, *options, "--jsonfile", report, *_TESTSSL, f"{HOST}:{port}", environment={"TERM": "dumb"})
    return understood(report.read_text())


def understood(report: str) -> Facts:
    # The document is not always whole, its entries are.
    entries = [json.loads(entry) for entry in re.findall(r"\{[^{}]*\}", report)]
    said: dict[str, str] = {each["id"]: each["finding"] for each in entries}
    found: dict[str, set[str]] = {}
    for name in said:
        if each := re.fullmatch(r"cipher-(\w+)_x([0-9a-f]+)", name):
            found.setdefault(_NAMES[each[1]], set()).add(suite(int(each[2], 16)).iana)
    groups = said.get("FS_ECDHE_curves", "").split()
    signed = [name for key in ("FS_TLS12_sig_algs", "FS_TLS13_sig_algs") for name in said.get(key, "").split()]
    return Facts(
        suites=found,
        groups={_CURVES.get(name, name) for name in groups},
        signatures={_scheme(name) for name in signed},
        alpn=set(f"{said.get('ALPN_HTTP2', '')} {said['ALPN']}".split()) - {"not", "offered"}
        if "ALPN" in said
        else None,
        compression=_yes(said, "CRIME_TLS", "^VULN", "^not vuln"),
        secure_renegotiation=_yes(said, "secure_renego", "^supported", "^(VULN|not supp)"),
        fallback_scsv=_yes(said, "fallback_SCSV", "^supported", "^not supp"),
        extended_master_secret=_yes(said, "TLS_misses_extension_23", "detected", "^No "),
        tickets=_yes(said, "sessionresumption_ticket", "^supported", "^not supp"),
        # Its yes may be of another version, or another kind of resumption.
        session_ids=False if said.get("sessionresumption_ID", "").startswith("not") else None,
        hsts=_yes(said, "HSTS", "day", "^not offered") if "HTTP_status_code" in said else None,
        trusted=_yes(said, "cert_chain_of_trust", "^passed", "^failed"),
    )


def _scheme(name: str) -> str:
    """IANA's name for testssl.sh's."""
    kind, _, digest = name.partition("+")
    if kind == "ECDSA":
        return f"ecdsa_{_HASHES.get(digest, digest.lower())}"
    prefix = "rsa_pkcs1" if kind == "RSA" else kind.lower().replace("-", "_")
    return f"{prefix}_{digest.lower()}"


def _yes(said: Mapping[str, str], name: str, yes: str, no: str) -> bool | None:
    text = said.get(name, "")
    if re.search(no, text, re.IGNORECASE):
        return False
    return True if re.search(yes, text, re.IGNORECASE) else None


def _run(program: str, *arguments: object, environment: Mapping[str, str] | None = None) -> None:
    command = [program, *map(str, arguments)]
    subprocess.run(
        command,
        capture_output=True,
        timeout=_MINUTES,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
