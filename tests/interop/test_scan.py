"""`wiretight scan` beside testssl.sh and sslyze: of the same servers, each says the same.

WIRETIGHT_TESTSSL and WIRETIGHT_SSLYZE are their paths, where they are not in PATH; `pip install sslyze` needs an
environment of its own. testssl.sh takes two minutes for a server.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.interop import scanners
from tests.interop.scanned import SERVERS
from tests.kit.certificates import Certificates

# What they do not look for.
UNKNOWN_TO = {
    "sslyze": {
        "TLS_RSA_WITH_AES_128_CCM_8", "TLS_DH_anon_WITH_CAMELLIA_128_CBC_SHA256",
        "TLS_DH_anon_WITH_CAMELLIA_256_CBC_SHA256",
    },
    "testssl.sh": set(),
}  # fmt: skip
SCANNERS: dict[str, tuple[Callable[[], str | None], Callable[..., scanners.Facts]]] = {
    "sslyze": (scanners.find_sslyze, scanners.sslyze),
    "testssl.sh": (scanners.find_testssl, scanners.testssl),
}


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("scanner", SCANNERS)
def test_a_scan_says_what_others_say(scanner: str, server: str, certificates: Certificates, tmp_path: Path) -> None:
    find, scan = SCANNERS[scanner]
    program = find()
    if program is None:
        pytest.skip(f"needs {scanner}: put it into PATH, or its path into WIRETIGHT_{scanner.upper()[:7].rstrip('.')}")
    with SERVERS[server](certificates, tmp_path) as port:
        own = scanners.ours(port, certificates.ca_file)
        theirs = scan(program, port, certificates.ca_file, tmp_path)

    assert own.suites.keys() == theirs.suites.keys()
    for version, suites in theirs.suites.items():
        assert suites <= own.suites[version]
        assert own.suites[version] - suites <= UNKNOWN_TO[scanner]
    for name, value in differing(own, theirs).items():
        assert value is None, f"{name}: {value}"


def differing(own: scanners.Facts, theirs: scanners.Facts) -> dict[str, Any]:
    """Both values of what both have looked for, where they are not the same."""
    found: dict[str, Any] = {}
    for field in fields(own):
        one, other = getattr(own, field.name), getattr(theirs, field.name)
        if field.name == "suites" or one is None or other is None:
            continue
        some = field.name in ("groups", "alpn")  # of which they look for some
        same = other <= one if some else one == other
        found[field.name] = None if same else (one, other)
    return found
