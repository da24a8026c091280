"""PEM files with several kinds of blocks, as for HAProxy and stunnel: each loader finds its own."""

from __future__ import annotations

import errno
import itertools
import ssl as standard
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import Certificates
from tests.kit.subject import tls

LOADS = {
    "load_cert_chain": lambda context, path: context.load_cert_chain(path),
    "load_cert_chain with a key file": lambda context, path: context.load_cert_chain(path, path),
    "load_dh_params": lambda context, path: context.load_dh_params(path),
    "cafile": lambda context, path: context.load_verify_locations(path),
    "cadata": lambda context, path: context.load_verify_locations(cadata=path.read_text()),
}


def openssl(*arguments: str) -> str:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def blocks(certificates: Certificates) -> dict[str, str]:
    """By the first word of what each is."""
    chain = certificates.server.chain.read_text()
    key = certificates.server.key.read_text()
    assert "BEGIN EC PRIVATE KEY" in key
    return {
        "certificate": chain,
        "EC": openssl("ecparam", "-name", "prime256v1"),  # EC PARAMETERS, as `ecparam -genkey` writes before a key
        "key": key,
        "DH": openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", "group:ffdhe2048"),
    }


def outcome(module: Any, load: Any, path: Path) -> Any:
    context = module.SSLContext(module.PROTOCOL_TLS_SERVER)
    try:
        load(context, path)
    except OSError as error:
        return type(error).__name__, getattr(error, "library", None), getattr(error, "reason", None)
    return context.cert_store_stats()


ORDERS = list(itertools.permutations(["certificate", "EC", "key", "DH"]))


OTHERS = {"nothing": "", "text": "words\n", "another block": "-----BEGIN NOTHING-----\nAAAA\n-----END NOTHING-----\n"}


@pytest.mark.parametrize("between", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("name", LOADS)
def test_each_loader_finds_its_blocks_in_every_order(
    blocks: dict[str, str], tmp_path: Path, name: str, between: str
) -> None:
    path = tmp_path / "all.pem"
    for order in ORDERS:
        path.write_text(between + between.join(blocks[kind] for kind in order))
        ours = outcome(tls, LOADS[name], path)
        assert isinstance(ours, dict), (order, ours)
        assert ours == outcome(standard, LOADS[name], path), order


@pytest.mark.parametrize("name", LOADS)
@pytest.mark.parametrize("missing", ["certificate", "key", "DH"])
def test_a_missing_block_raises_the_standard_librarys_error(
    blocks: dict[str, str], tmp_path: Path, name: str, missing: str
) -> None:
    path = tmp_path / "some.pem"
    path.write_text("".join(block for kind, block in blocks.items() if kind != missing))
    assert outcome(tls, LOADS[name], path) == outcome(standard, LOADS[name], path)


BROKEN = {
    "an empty certificate": "-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n",
    "empty parameters": "-----BEGIN DH PARAMETERS-----\n\n-----END DH PARAMETERS-----\n",
    "no base64": "-----BEGIN NOTHING-----\n!!!!\n-----END NOTHING-----\n",
    "no base64 of parameters": "-----BEGIN DH PARAMETERS-----\n!!!!\n-----END DH PARAMETERS-----\n",
    "no parameters": "-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n",
    "no end": "-----BEGIN NOTHING-----\nAAAA\n",
    "another end": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END NOTHING-----\n",
}


@pytest.mark.parametrize("name", ["load_dh_params", "cadata"])
@pytest.mark.parametrize("order", ["before", "after", "alone"])
@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_block_is_met_as_by_the_standard_library(
    blocks: dict[str, str], tmp_path: Path, name: str, order: str, broken: str
) -> None:
    good = blocks["DH" if name == "load_dh_params" else "certificate"]
    path = tmp_path / "broken.pem"
    path.write_text({"before": broken + good, "after": good + broken, "alone": broken}[order])
    ours, theirs = outcome(tls, LOADS[name], path), outcome(standard, LOADS[name], path)
    if name == "load_dh_params" and isinstance(theirs, tuple) and theirs[2] is None:
        theirs = ("SSLError", "PEM", "NO_START_LINE")
    if name == "cadata" and order == "after" and "\n\n-----END" in broken:  # not told from a want of memory
        theirs = ("SSLError", "PEM", "NO_START_LINE")
    assert ours == theirs


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_block_in_a_chain_has_a_reason(blocks: dict[str, str], tmp_path: Path, broken: str) -> None:
    path = tmp_path / "broken.pem"
    path.write_text(blocks["key"] + blocks["certificate"] + broken)
    found = outcome(tls, LOADS["load_cert_chain"], path)
    if isinstance(found, dict):
        assert outcome(standard, LOADS["load_cert_chain"], path) == found
    else:
        assert all(found), found


@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("kind", ["DH", "DHX"])
def test_parameters_of_both_kinds_and_line_endings_are_read(tmp_path: Path, kind: str, ending: str) -> None:
    group = ["-pkeyopt", "group:ffdhe2048"] if kind == "DH" else ["-pkeyopt", "dh_rfc5114:2"]
    path = tmp_path / "dh.pem"
    made = openssl("ecparam", "-name", "prime256v1") + openssl("genpkey", "-genparam", "-algorithm", kind, *group)
    path.write_bytes(made.replace("\n", ending).encode())
    for module in (tls, standard):
        assert isinstance(outcome(module, LOADS["load_dh_params"], path), dict), module


def test_the_certificate_of_a_file_is_decoded_at_any_position(
    blocks: dict[str, str], certificates: Certificates, tmp_path: Path
) -> None:
    path = tmp_path / "all.pem"
    for order in ORDERS:
        path.write_text("".join(blocks[kind] for kind in order))
        assert tls._ssl._test_decode_cert(path) == tls._ssl._test_decode_cert(certificates.server.chain)


@pytest.mark.parametrize("name", [name for name in LOADS if name != "cadata"])
def test_a_file_is_read_no_further_than_one_can_be_long(tmp_path: Path, name: str) -> None:
    path = tmp_path / "endless.pem"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)  # no block of it is on the disk
    with pytest.raises(OSError, match="up to 64 MiB") as refusal:
        LOADS[name](tls.SSLContext(tls.PROTOCOL_TLS_SERVER), path)
    assert refusal.value.errno == errno.EFBIG


def test_neither_is_a_key_file(certificates: Certificates, tmp_path: Path) -> None:
    (tmp_path / "endless.key").symlink_to("/dev/zero")
    with pytest.raises(OSError, match="up to 64 MiB"):
        tls.SSLContext(tls.PROTOCOL_TLS_SERVER).load_cert_chain(certificates.server.chain, tmp_path / "endless.key")


def test_an_endless_default_file_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/zero")
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    context = tls.create_default_context()
    assert context.cert_store_stats()["x509"] == 0
    assert context.verify_mode == tls.CERT_REQUIRED
