"""The settings of openssl.cnf in a new context: the same ones stay or are reset as in the standard library's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import Certificates
from tests.kit.standard import compares_with_ssl

PROGRAM = """
import importlib, json, sys, warnings
from tests.kit.pair import Pair

warnings.simplefilter("ignore")
ca_file, chain, key, *modules = sys.argv[1:]
NAMES = (
    "options", "verify_flags", "verify_mode", "check_hostname", "hostname_checks_common_name", "minimum_version",
    "maximum_version", "num_tickets", "post_handshake_auth", "security_level",
)
for module in map(importlib.import_module, modules):
    found = {}
    for protocol in (module.PROTOCOL_TLS_CLIENT, module.PROTOCOL_TLS_SERVER, module.PROTOCOL_TLS):
        context = module.SSLContext(protocol)
        found[int(protocol)] = {name: int(getattr(context, name)) for name in NAMES} | {
            "ciphers": [cipher["name"] for cipher in context.get_ciphers()], "trust": context.cert_store_stats()}
    client, server = module.SSLContext(module.PROTOCOL_TLS_CLIENT), module.SSLContext(module.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain, key)
    for _ in range(2):      # the second time loading into a context in use
        client.load_verify_locations(ca_file)
        pair = Pair(client, server)
        pair.handshake()
        found["agreed"] = pair.client.version(), pair.client.cipher()
        found["trust"] = client.cert_store_stats()
        found["tickets"] = bool(pair.transfer(b"x", pair.server)) and pair.client.session.has_ticket
    print(json.dumps(found))
"""


def shown(settings: str, certificates: Certificates, folder: Path, *modules: str) -> list[Any]:
    """What the contexts of each module have under an openssl.cnf with these settings."""
    conf = folder / "openssl.cnf"
    conf.write_text(f"openssl_conf = all\n[all]\nssl_conf = parts\n[parts]\nsystem_default = tls\n[tls]\n{settings}\n")
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, certificates.ca_file, *certificates.server, *modules],
        env={**os.environ, "OPENSSL_CONF": str(conf)}, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return [json.loads(line) for line in process.stdout.splitlines()]


@compares_with_ssl
@pytest.mark.parametrize(
    "settings",
    [
        "VerifyMode = Require",
        "VerifyMode = Peer",
        "VerifyMode = Request,Once",
        "Options = -SessionTicket",
        "Options = -ServerPreference,PrioritizeChaCha,NoRenegotiation",
        "MinProtocol = TLSv1.3",
        "MaxProtocol = TLSv1.2",
        "CipherString = ECDHE+CHACHA20\nMaxProtocol = TLSv1.2",
        "CipherString = DEFAULT:@SECLEVEL=1",
        "Ciphersuites = TLS_CHACHA20_POLY1305_SHA256",
        "NumTickets = 5",
        "SignatureAlgorithms = ECDSA+SHA256",
        "VerifyCAFile = {other_ca}",
        "Protocol = -TLSv1.3",
        "RecordPadding = 64",
    ],
)
def test_a_new_context_applies_the_same_settings_as_the_standard_librarys(
    certificates: Certificates, tmp_path: Path, settings: str
) -> None:
    settings = settings.format(other_ca=certificates.other_ca_file)
    ours, theirs = shown(settings, certificates, tmp_path, "wiretight", "ssl")
    assert ours == theirs


def test_other_settings_take_effect(certificates: Certificates, tmp_path: Path) -> None:
    """So that the test above compares something."""
    (plain,) = shown("", certificates, tmp_path, "wiretight")
    (set_,) = shown("Options = -SessionTicket\nMaxProtocol = TLSv1.2", certificates, tmp_path, "wiretight")
    assert plain["agreed"][0] == "TLSv1.3"
    assert set_["agreed"][0] == "TLSv1.2"
    assert set_["16"]["options"] != plain["16"]["options"]
    assert (plain["tickets"], set_["tickets"]) == (True, False)
