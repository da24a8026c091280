"""Trust stores and CRLs of contexts that are frozen, copied and pickled."""

from __future__ import annotations

import copy
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import Pair
from tests.kit.subject import tls
from wiretight import TrustStore, VerifyCode
from wiretight._core.trust.locations import load_again

FROZEN = r"this context is frozen: change a copy\(\) of it"


@pytest.fixture
def client(version: Any) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = version
    return context


@pytest.fixture
def server(certificates: Certificates) -> Any:
    return certificates.server_context()


def answer(client: Any, server: Any) -> VerifyCode | None:
    """Why the client refuses the server's certificate, or None."""
    try:
        Pair(client, server, server_hostname=HOST).handshake()
    except tls.SSLCertVerificationError as error:
        return VerifyCode(error.verify_code)
    return None


def again(context: Any) -> Any:
    return pickle.loads(pickle.dumps(context))


UNKNOWN = VerifyCode.UNABLE_TO_GET_ISSUER_CERT_LOCALLY


# --- Frozen ----------------------------------------------------------------------------------------------------------
def test_a_frozen_context_trusts_what_is_added_to_the_store_that_it_was_given(
    certificates: Certificates, client: Any, server: Any
) -> None:
    client.trust_store = store = TrustStore()
    client.freeze()
    assert answer(client, server) == UNKNOWN
    store.add_certificates(certificates.ca_file.read_text())
    assert answer(client, server) is None
    store.add_crls(certificates.crl(certificates.server).der)
    assert answer(client, server) == VerifyCode.CERT_REVOKED
    assert client.frozen
    assert client.trust_store is store


@pytest.mark.parametrize("way", ["freeze", "copy"])
def test_a_store_that_it_had_made_is_given_to_it_by_setting_it(
    certificates: Certificates, client: Any, server: Any, way: str
) -> None:
    """As a loop does that gives the store of one context to all of them."""
    client.trust_store = store = client.trust_store
    context = getattr(client, way)()
    assert context.trust_store is store
    assert answer(context, server) is not None
    store.add_certificates(certificates.ca_file.read_text())
    assert answer(context, server) is None


def test_its_own_store_can_be_read_and_nothing_added_to_it(
    certificates: Certificates, client: Any, server: Any
) -> None:
    client.load_verify_locations(certificates.other_ca_file)
    store = client.freeze().trust_store
    assert store is client.trust_store
    assert len(store.certificates) == 1
    for add, data in (
        (store.add_certificates, certificates.ca_file.read_text()),
        (store.add_crls, certificates.crl().der),
    ):
        with pytest.raises(RuntimeError, match=r"of a frozen context: change that of a copy\(\)"):
            add(data)
    assert client.freeze() is client
    assert answer(client, server) == UNKNOWN
    other = client.copy()
    other.trust_store.add_certificates(certificates.ca_file.read_text())
    assert answer(other, server) is None
    assert answer(client, server) == UNKNOWN


def test_who_asked_for_the_store_before_adds_to_it_in_vain(
    certificates: Certificates, client: Any, server: Any
) -> None:
    store = client.trust_store
    store.add_certificates(certificates.other_ca_file.read_text())
    client.freeze()
    assert len(client.get_ca_certs()) == 1
    store.add_certificates(certificates.ca_file.read_text())
    assert len(client.get_ca_certs()) == 1
    assert answer(client, server) == UNKNOWN


def test_the_same_store_may_be_set_and_no_other(certificates: Certificates, client: Any) -> None:
    client.trust_store = store = TrustStore()
    client.freeze()
    client.trust_store = store
    store.add_certificates(certificates.ca_file.read_text())
    client.trust_store = store
    with pytest.raises(RuntimeError, match=FROZEN):
        client.trust_store = TrustStore(certificates.ca_file.read_text())
    assert client.trust_store is store


def test_no_list_is_read_for_a_frozen_context(client: Any, tmp_path: Path) -> None:
    client.freeze()
    with pytest.raises(RuntimeError, match=FROZEN):
        client.load_crls(tmp_path / "missing.crl")
    with pytest.raises(TypeError, match="path and data cannot be both omitted"):
        client.load_crls()
    with pytest.raises(TypeError, match="path should be a valid filesystem path"):
        client.load_crls(1)


def test_defaults_that_a_frozen_context_has_may_be_loaded_again(client: Any) -> None:
    client.load_default_certs()
    client.freeze()
    client.load_default_certs()
    store = client.trust_store
    client.load_default_certs()
    assert client.trust_store is store


def test_a_frozen_context_does_not_leave_the_store_that_it_was_given(client: Any) -> None:
    client.trust_store = store = TrustStore.system()
    client.freeze()
    with pytest.raises(RuntimeError, match=FROZEN):
        client.load_default_certs()
    assert client.trust_store is store


# --- Copied ----------------------------------------------------------------------------------------------------------
WAYS: dict[str, Callable[[Any], Any]] = {
    "copy()": lambda context: context.copy(),
    "copy.deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_copy_shares_the_store_that_was_set(certificates: Certificates, client: Any, server: Any, way: str) -> None:
    client.trust_store = store = TrustStore(certificates.ca_file.read_text())
    copied = WAYS[way](client)
    assert copied.trust_store is store
    store.add_crls(certificates.crl(certificates.server).der)
    assert [answer(each, server) for each in (client, copied)] == [VerifyCode.CERT_REVOKED] * 2


@pytest.mark.parametrize("asked", [False, True], ids=["", "asked-for-before"])
@pytest.mark.parametrize("way", WAYS)
def test_a_copy_has_a_store_of_its_own_if_none_was_set(
    certificates: Certificates, client: Any, server: Any, way: str, asked: bool
) -> None:
    client.load_verify_locations(certificates.other_ca_file)
    if asked:
        client.trust_store.add_certificates(certificates.other_ca_file.read_text())
    copied = WAYS[way](client)
    for changed, left in ((client, copied), (copied, client)):
        before = answer(left, server)
        changed.trust_store.add_certificates(certificates.ca_file.read_text())
        assert answer(changed, server) is None
        assert answer(left, server) == before


def test_a_copy_has_what_was_added_since_the_last_connection(
    certificates: Certificates, client: Any, server: Any
) -> None:
    assert answer(client, server) == UNKNOWN
    client.trust_store.add_certificates(certificates.ca_file.read_text())
    assert answer(client.copy(), server) is None


# --- Pickled ---------------------------------------------------------------------------------------------------------
def rehashed(certificates: Certificates, folder: Path) -> Path:
    (folder / "ca.pem").write_text(certificates.ca_file.read_text())
    (folder / "ca.crl").write_text(certificates.crl(certificates.server).pem)
    subprocess.run(["openssl", "rehash", folder], check=True, stdout=subprocess.DEVNULL)
    return folder


def test_what_was_added_travels_also_if_a_directory_had_it_before(
    certificates: Certificates, client: Any, server: Any, tmp_path: Path
) -> None:
    folder = rehashed(certificates, tmp_path)
    client.trust_store = TrustStore.from_directory(folder)
    assert answer(client, server) is None  # OpenSSL keeps what it has found there
    client.trust_store.add_certificates(certificates.ca_file.read_text())
    for path in folder.iterdir():
        path.unlink()
    assert answer(again(client), server) is None


def in_one_file(certificates: Certificates, folder: Path) -> Path:
    path = folder / "trust.pem"
    path.write_text(certificates.ca_file.read_text() + certificates.crl(certificates.server).pem)
    return path


def with_list_from_file(client: Any, certificates: Certificates, folder: Path) -> None:
    (folder / "ca.crl").write_bytes(certificates.crl(certificates.server).der)
    client.load_verify_locations(certificates.ca_file)
    client.load_crls(folder / "ca.crl")


def with_list_from_memory(client: Any, certificates: Certificates, _: Path) -> None:
    client.load_crls(data=certificates.crl(certificates.server).pem)
    client.load_verify_locations(cadata=certificates.ca_file.read_text())


def with_store_from_memory(client: Any, certificates: Certificates, _: Path) -> None:
    client.trust_store = TrustStore(certificates.ca_file.read_text(), certificates.crl(certificates.server).der)


def with_store_from_file(client: Any, certificates: Certificates, folder: Path) -> None:
    client.trust_store = TrustStore.from_file(in_one_file(certificates, folder))


def with_store_from_directory(client: Any, certificates: Certificates, folder: Path) -> None:
    client.trust_store = TrustStore.from_directory(rehashed(certificates, folder))
    client.verify_flags |= tls.VERIFY_CRL_CHECK_LEAF


def with_file_and_flag(client: Any, certificates: Certificates, folder: Path) -> None:
    client.load_verify_locations(in_one_file(certificates, folder))
    client.verify_flags |= tls.VERIFY_CRL_CHECK_LEAF


def with_store_that_grew(client: Any, certificates: Certificates, _: Path) -> None:
    client.trust_store = store = TrustStore()
    client.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_hostname=HOST)
    store.add_certificates(certificates.ca_file.read_text())
    store.add_crls(certificates.crl(certificates.server).der)


REVOKING = [
    with_list_from_file,
    with_list_from_memory,
    with_store_from_memory,
    with_store_from_file,
    with_store_from_directory,
    with_file_and_flag,
    with_store_that_grew,
]


@pytest.mark.parametrize("frozen", [False, True], ids=["", "frozen"])
@pytest.mark.parametrize("load", REVOKING)
def test_what_is_revoked_is_revoked_in_another_process(
    certificates: Certificates, client: Any, server: Any, tmp_path: Path, load: Any, frozen: bool
) -> None:
    load(client, certificates, tmp_path)
    if frozen:
        client.freeze()
    for _ in range(2):
        client = again(client)
        assert answer(client, server) == VerifyCode.CERT_REVOKED
        assert client.frozen == frozen


def test_lists_of_a_file_that_were_not_used_are_not_used_there(
    certificates: Certificates, client: Any, server: Any, tmp_path: Path
) -> None:
    client.load_verify_locations(in_one_file(certificates, tmp_path))
    assert answer(again(client), server) is None


def test_a_list_in_a_file_is_read_again_there(
    certificates: Certificates, client: Any, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.crl"
    path.write_bytes(former := certificates.crl().der)
    monkeypatch.chdir(tmp_path)
    client.load_verify_locations(certificates.ca_file)
    client.load_crls(path.name)
    written = pickle.dumps(client)
    assert former not in written
    monkeypatch.chdir(certificates.folder)
    path.write_bytes(certificates.crl(certificates.server).der)
    assert answer(pickle.loads(written), server) == VerifyCode.CERT_REVOKED
    assert answer(client, server) is None
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"ca\.crl"):
        pickle.loads(written)


def test_the_default_places_are_those_of_the_other_process(
    certificates: Certificates, client: Any, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.other_ca_file))
    client.set_default_verify_paths()
    written = pickle.dumps(client)
    assert answer(pickle.loads(written), server) == UNKNOWN
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    assert answer(pickle.loads(written), server) is None
    assert answer(client, server) == UNKNOWN


def test_directories_between_colons_are_found_from_elsewhere(
    certificates: Certificates, client: Any, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("empty", "full"):
        (tmp_path / name).mkdir()
    rehashed(certificates, tmp_path / "full")
    monkeypatch.chdir(tmp_path)
    client.load_verify_locations(capath=":empty:full")
    written = pickle.dumps(client)
    monkeypatch.chdir(tmp_path / "empty")
    assert answer(pickle.loads(written), server) is None


def test_an_absolute_directory_is_found_from_one_that_is_gone(
    certificates: Certificates, client: Any, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    client.trust_store = TrustStore.from_directory(rehashed(certificates, tmp_path / "full"))
    assert answer(again(client), server) is None


def test_what_is_no_origin_of_trust_is_an_error(client: Any) -> None:
    """As in a pickle of another version."""
    for loads in ([()], [None], [("file",)], [("network", "example.org", None)], [("memory", b"", None)]):
        with pytest.raises((TypeError, ValueError)):
            load_again(client, loads, False)
    assert client.cert_store_stats()["x509"] == 0
