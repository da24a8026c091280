"""TrustStore, and CRLs: whom a context trusts, and how contexts share that."""

from __future__ import annotations

import gc
import hashlib
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

import wiretight
from tests.kit.authority import DAY, NOW, Crl, Issued, crl, issue
from tests.kit.certificates import HOST
from tests.kit.longcrl import long_crl
from tests.kit.memory import resident
from tests.kit.pair import Pair
from tests.kit.sockets import MODES, Mode, tls_sockets
from tests.kit.threads import Task
from wiretight import Certificate, SSLCertVerificationError, SSLError, TrustStore, VerifyCode


class World:
    """A root, an intermediate and a server's certificate; another root; a server that shows leaf and intermediate."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = issue("root", ca=True)
        self.intermediate = self.root.issue("intermediate", ca=True)
        self.leaf = self.intermediate.issue("leaf", names=[HOST])
        self.other = issue("other", ca=True)
        self.server = self.serving(self.leaf)

    def serving(self, leaf: Issued) -> Any:
        context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*leaf.write(self.folder, "leaf"))
        return context

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def client(version: Any) -> Any:
    context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = version
    return context


def shaken(client: Any, server: Any, **options: Any) -> Pair:
    pair = Pair(client, server, **options)
    pair.handshake()
    assert pair.transfer(b"data", pair.server) == b"data"
    return pair


def refused(client: Any, server: Any) -> int:
    """The code of the error."""
    with pytest.raises(SSLCertVerificationError) as caught:
        Pair(client, server).handshake()
    return int(caught.value.verify_code)


UNKNOWN_ISSUER = VerifyCode.UNABLE_TO_GET_ISSUER_CERT_LOCALLY
REVOKED = VerifyCode.CERT_REVOKED
NO_CRL = VerifyCode.UNABLE_TO_GET_CRL


# --- What it is made of ----------------------------------------------------------------------------------------------
FORMS: dict[str, Callable[[Issued], Any]] = {
    "PEM": lambda ca: ca.pem,
    "PEM, bytes": lambda ca: ca.pem.encode(),
    "PEM, with more around": lambda ca: f"Größe: 1\n{ca.pem}\n-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
    "DER": lambda ca: ca.der,
    "DER, a view": lambda ca: memoryview(bytearray(ca.der)),
    "a Certificate": lambda ca: Certificate.from_der(ca.der),
    "an object of cryptography": lambda ca: ca.certificate,
    "a list": lambda ca: [ca.pem],
    "a generator": lambda ca: (each for each in (ca.der, ca.pem)),
    "a set of Certificates": lambda ca: {Certificate.from_der(ca.der)},
    "a tuple of everything": lambda ca: (ca.certificate, ca.der, ca.pem, Certificate.from_pem(ca.pem)),
}


@pytest.mark.parametrize("form", FORMS)
def test_certificates_come_in_any_form(world: World, client: Any, form: str) -> None:
    client.trust_store = TrustStore(FORMS[form](world.root))
    assert [each.der() for each in client.trust_store.certificates] == [world.root.der]
    shaken(client, world.server)
    store = TrustStore()
    assert store.add_certificates(FORMS[form](world.root)) == 1
    assert store.fingerprint == client.trust_store.fingerprint


CRL_FORMS: dict[str, Callable[[Crl], Any]] = {
    "PEM": lambda it: it.pem,
    "PEM, bytes": lambda it: it.pem.encode(),
    "DER": lambda it: it.der,
    "an object of cryptography": lambda it: it.signed,
    "a list": lambda it: [it.der, it.pem],
}


@pytest.mark.parametrize("form", CRL_FORMS)
def test_crls_come_in_any_form_and_are_used(world: World, client: Any, form: str) -> None:
    good = world.intermediate.revoke()
    client.trust_store = TrustStore(world.root.pem, crls=CRL_FORMS[form](good))
    assert client.cert_store_stats()["crl"] == 1
    shaken(client, world.server)
    client.trust_store = TrustStore(world.root.pem, CRL_FORMS[form](world.intermediate.revoke(world.leaf)))
    assert refused(client, world.server) == REVOKED


def test_several_certificates_are_read_from_one_piece(world: World) -> None:
    for data in (world.root.pem + world.other.pem, world.root.der + world.other.der):
        assert len(TrustStore(data).certificates) == 2
        assert TrustStore().add_certificates(data) == 2


def test_what_is_there_already_is_not_new(world: World) -> None:
    store = TrustStore([world.root.pem, world.root.der])
    assert len(store.certificates) == 1
    assert store.add_certificates([world.root.pem, world.other.pem]) == 1
    assert store.add_certificates([]) == 0
    revoked = world.intermediate.revoke()
    assert [store.add_crls(revoked.pem) for _ in range(2)] == [1, 0]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.name)
def test_sockets_are_verified_by_it(world: World, client: Any, mode: Mode) -> None:
    client.trust_store = TrustStore(world.root.pem, world.intermediate.revoke().pem)
    with tls_sockets(client, world.server, mode=mode):
        pass
    client.trust_store.add_crls(crl(world.intermediate, [world.leaf.certificate.serial_number], last_update=NOW).pem)
    with pytest.raises(SSLCertVerificationError, match="certificate revoked"), tls_sockets(client, world.server):
        pass


def test_an_empty_store_trusts_nobody(world: World, client: Any) -> None:
    client.trust_store = TrustStore()
    assert refused(client, world.server) == UNKNOWN_ISSUER


def test_a_file_is_read_with_its_crls(world: World, client: Any) -> None:
    path = world.write("trusted.pem", world.root.pem + world.intermediate.revoke(world.leaf).pem)
    client.trust_store = TrustStore.from_file(path)
    assert refused(client, world.server) == REVOKED
    client.trust_store = TrustStore.from_file(os.fsencode(world.write("root.pem", world.root.pem)))
    shaken(client, world.server)


def test_a_directory_is_searched(world: World, client: Any, tmp_path: Path) -> None:
    client.trust_store = TrustStore.from_directory(tmp_path)
    assert refused(client, world.server) == UNKNOWN_ISSUER
    (tmp_path / "root.pem").write_text(world.root.pem)
    subprocess.run(["openssl", "rehash", tmp_path], check=True)
    shaken(client, world.server)
    assert [each.der() for each in client.trust_store.certificates] == [world.root.der]


def test_crls_of_a_directory_are_used_if_they_are_asked_for(world: World, client: Any, tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text(world.root.pem)
    (tmp_path / "revoked.pem").write_text(world.intermediate.revoke(world.leaf).pem)
    subprocess.run(["openssl", "rehash", tmp_path], check=True)
    client.trust_store = TrustStore.from_directory(tmp_path)
    shaken(client, world.server)
    client.verify_flags |= wiretight.VERIFY_CRL_CHECK_LEAF
    assert refused(client, world.server) == REVOKED


def test_a_directory_is_the_same_after_a_chdir(
    world: World, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root.pem").write_text(world.root.pem)
    subprocess.run(["openssl", "rehash", tmp_path], check=True)
    monkeypatch.chdir(tmp_path.parent)
    client.trust_store = TrustStore.from_directory(tmp_path.name)
    monkeypatch.chdir("/")
    shaken(client, world.server)


def test_the_system_s_is_what_a_context_loads_by_default() -> None:
    client = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
    client.load_default_certs()
    store = TrustStore.system()
    assert [each.der() for each in store.certificates] == [each.der() for each in client.trust_store.certificates]
    assert store.fingerprint == client.trust_store.fingerprint


def test_environment_variables_name_the_system_s_store(
    world: World, client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(world.write("root.pem", world.root.pem)))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    client.trust_store = TrustStore.system()
    assert [each.der() for each in client.trust_store.certificates] == [world.root.der]
    shaken(client, world.server)


def test_the_system_s_store_goes_on_searching_the_directory_of_its_making(
    world: World, client: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, ca in ((first, world.root), (second, world.other)):
        folder.mkdir()
        (folder / "root.pem").write_text(ca.pem)
        subprocess.run(["openssl", "rehash", folder], check=True)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "missing"))
    monkeypatch.setenv("SSL_CERT_DIR", str(first))
    client.trust_store = store = TrustStore.system()
    monkeypatch.setenv("SSL_CERT_DIR", str(second))
    assert TrustStore.system().fingerprint != store.fingerprint
    store.add_certificates(issue("another", ca=True).pem)
    shaken(client, world.server)


@pytest.mark.parametrize("folder", ["", "missing"])
def test_the_system_s_directory_may_be_none(client: Any, world: World, monkeypatch: Any, folder: str) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(world.write("root.pem", world.root.pem)))
    monkeypatch.setenv("SSL_CERT_DIR", folder)
    client.load_default_certs()
    shaken(client, world.server)


def test_its_fingerprint_is_of_all_that_it_trusts(world: World, tmp_path: Path) -> None:
    revoked = world.intermediate.revoke(world.leaf)
    stores = [
        TrustStore(),
        TrustStore(world.root.pem),
        TrustStore(world.other.pem),
        TrustStore([world.root.pem, world.other.pem]),
        TrustStore(world.root.pem, revoked.pem),
        TrustStore.from_directory(tmp_path),
    ]
    assert len({store.fingerprint for store in stores}) == len(stores)
    assert {len(store.fingerprint) for store in stores} == {hashlib.sha256().digest_size}
    again = TrustStore(world.other.der)
    again.add_certificates([world.root.certificate, world.root.der])
    assert again.fingerprint == stores[3].fingerprint
    assert stores[3].fingerprint == stores[3].fingerprint


def test_its_fingerprint_tells_whether_it_uses_its_lists(world: World, tmp_path: Path, client: Any) -> None:
    path = tmp_path / "trust.pem"
    path.write_text(world.root.pem + world.root.revoke().pem)
    client.load_verify_locations(path)  # as in `ssl`: with VERIFY_CRL_CHECK_LEAF only
    assert client.trust_store.fingerprint != TrustStore.from_file(path).fingerprint


def test_its_fingerprint_tells_what_a_certificate_is_trusted_for(world: World, tmp_path: Path) -> None:
    plain, trusted = world.write("plain.pem", world.root.pem), tmp_path / "trusted.pem"
    command = ["openssl", "x509", "-in", plain, "-trustout", "-addreject", "serverAuth", "-out", trusted]
    subprocess.run(command, check=True)
    assert TrustStore.from_file(plain).fingerprint != TrustStore.from_file(trusted).fingerprint


def test_its_repr_tells_its_size(world: World) -> None:
    assert repr(TrustStore([world.root.der, world.other.der])) == "<TrustStore: 2 certificates>"


# --- Misuse ----------------------------------------------------------------------------------------------------------
WRONG: list[tuple[Any, type[Exception], str]] = [
    (None, TypeError, "must be PEM or DER data, .*, or an iterable of these, not NoneType"),
    (7, TypeError, "must be PEM or DER data, .*, or an iterable of these, not int"),
    (object(), TypeError, "or an iterable of these, not object"),
    ([7], TypeError, "not int"),
    ([None], TypeError, "not NoneType"),
    ([[b"x"]], TypeError, "not list"),
    ("", ValueError, "[Ee]mpty"),
    (b"", ValueError, "[Ee]mpty"),
    (bytearray(), ValueError, "[Ee]mpty"),
    ([""], ValueError, "[Ee]mpty"),
    ("ca.pem", SSLError, "does not contain a"),
    (b"\x30\x82", SSLError, "does not contain a"),
    ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", SSLError, "does not contain a"),
]


@pytest.mark.parametrize(("data", "kind", "message"), WRONG)
def test_what_is_no_certificate_or_crl_is_refused_and_nothing_added(
    world: World, data: Any, kind: type[Exception], message: str
) -> None:
    store = TrustStore(world.root.pem)
    before = store.fingerprint
    for call in (
        lambda: TrustStore(data),
        lambda: TrustStore((), data),
        lambda: TrustStore(world.other.pem, crls=data),
        lambda: store.add_certificates(data),
        lambda: store.add_crls(data),
    ):
        with pytest.raises(kind, match=message):
            call()
    assert store.fingerprint == before
    assert len(store.certificates) == 1


def test_a_broken_one_among_good_ones_adds_nothing(world: World) -> None:
    store = TrustStore()
    broken = world.other.pem.replace("\n", "\n!", 3)
    mixtures: list[Any] = [
        world.root.pem + broken,
        [world.root.der, world.other.der[:-1]],
        [world.root.der, world.other.der + b"\0"],
        [world.root.pem, "ca.pem"],
        world.root.der + world.other.pem.encode(),
    ]
    for mixture in mixtures:
        with pytest.raises(SSLError):
            store.add_certificates(mixture)
        with pytest.raises(SSLError):
            TrustStore(mixture)
    assert store.certificates == []


def test_a_crl_is_no_certificate_nor_the_other_way_round(world: World) -> None:
    revoked = world.intermediate.revoke()
    for data in (revoked.pem, revoked.der):
        with pytest.raises(SSLError):
            TrustStore(data)
    for data in (world.root.pem, world.root.der):
        with pytest.raises(SSLError):
            TrustStore((), data)
    with pytest.raises(SSLError, match="does not contain a certificate"):
        TrustStore([revoked.signed])
    with pytest.raises(TypeError, match="must be CRLs of"):
        TrustStore((), [world.root.certificate])


def test_an_iterable_that_fails_adds_nothing(world: World) -> None:
    store = TrustStore()

    def broken() -> Any:
        yield world.root.pem
        raise LookupError

    with pytest.raises(LookupError):
        store.add_certificates(broken())
    assert store.certificates == []


# --- Sharing ---------------------------------------------------------------------------------------------------------
def test_contexts_that_share_a_store_trust_what_is_added_to_it(world: World, version: Any) -> None:
    store = TrustStore(world.other.pem)
    clients = [wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT) for _ in range(3)]
    for client in clients:
        client.minimum_version = client.maximum_version = version
        client.trust_store = store
        assert client.trust_store is store
        assert refused(client, world.server) == UNKNOWN_ISSUER
    store.add_certificates(world.root.pem)
    for client in clients:
        assert client.cert_store_stats()["x509"] == 2
        assert len(client.get_ca_certs()) == 2
        shaken(client, world.server)
    store.add_crls(world.intermediate.revoke(world.leaf).pem)
    assert [refused(client, world.server) for client in clients] == [REVOKED] * 3


def test_a_connection_keeps_the_trust_that_it_was_made_with(world: World, client: Any) -> None:
    client.trust_store = store = TrustStore(world.root.pem)
    pair = Pair(client, world.server)
    store.add_crls(world.intermediate.revoke(world.leaf).pem)
    client.trust_store = TrustStore()
    pair.handshake()
    assert refused(client, world.server) == UNKNOWN_ISSUER


def test_a_store_lives_as_long_as_a_handshake_needs_it(world: World, client: Any) -> None:
    client.trust_store = TrustStore(world.root.pem, world.intermediate.revoke().pem)
    pair = Pair(client, world.server)
    client.trust_store = TrustStore()
    del client
    gc.collect()
    pair.handshake()
    assert pair.client.get_verified_chain()[-1] == world.root.der


def test_an_iterable_may_add_to_the_store_that_it_is_added_to(world: World) -> None:
    store = TrustStore()

    def certificates() -> Any:
        yield world.root.der
        store.add_certificates([world.root.der, world.other.der])

    assert store.add_certificates(certificates()) == 0
    assert len(store.certificates) == 2


def test_a_store_replaces_what_was_loaded(world: World, client: Any) -> None:
    client.load_verify_locations(cadata=world.root.pem)
    shaken(client, world.server)
    client.trust_store = TrustStore(world.other.pem)
    assert refused(client, world.server) == UNKNOWN_ISSUER
    assert [each["subject"] for each in client.get_ca_certs()] == [((("commonName", "other"),),)]


def test_what_a_context_loads_is_its_own(world: World, client: Any) -> None:
    store = TrustStore(world.other.pem)
    client.trust_store = store
    client.load_verify_locations(cadata=world.root.pem)
    shaken(client, world.server)
    assert client.trust_store is not store
    assert len(client.trust_store.certificates) == 2
    assert len(store.certificates) == 1
    store.add_crls(world.intermediate.revoke(world.leaf).pem)
    shaken(client, world.server)


def test_the_store_that_a_context_shows_is_the_one_that_it_uses(world: World, client: Any) -> None:
    client.load_verify_locations(cadata=world.other.pem)
    shown = client.trust_store
    assert shown is client.trust_store
    shown.add_certificates(world.root.pem)
    shaken(client, world.server)


def test_a_context_chosen_by_a_name_brings_its_store(world: World, client: Any) -> None:
    own = world.intermediate.issue("client")
    client.trust_store = TrustStore(world.root.pem)
    client.load_cert_chain(*own.write(world.folder, "client"))
    first, second = world.serving(world.leaf), world.serving(world.leaf)
    for context, ca in ((first, world.other), (second, world.root)):
        context.verify_mode = wiretight.CERT_REQUIRED
        context.trust_store = TrustStore(ca.pem)

    def choose(connection: Any, *_: Any) -> None:
        connection.context = second

    first.sni_callback = choose
    shaken(client, first)
    second.trust_store.add_crls(world.intermediate.revoke(own).pem)
    with pytest.raises(SSLError):
        shaken(client, first)


def test_a_session_goes_on_if_nothing_is_new(world: World, client: Any) -> None:
    client.trust_store = store = TrustStore(world.root.pem, world.intermediate.revoke().pem)
    session = shaken(client, world.server).client.session
    assert store.add_certificates([world.root.der, world.root.certificate]) == 0
    assert store.add_crls(()) == 0
    client.load_verify_locations(cadata=world.root.pem)
    assert shaken(client, world.server, session=session).client.session_reused


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_session_ends_with_a_change_of_the_store(world: World, client: Any, side: str) -> None:
    own = world.intermediate.issue("client")
    client.trust_store = TrustStore(world.root.pem)
    client.load_cert_chain(*own.write(world.folder, "client"))
    server = world.serving(world.leaf)
    server.verify_mode = wiretight.CERT_REQUIRED
    server.trust_store = TrustStore(world.root.pem)

    def reused(session: Any) -> bool:
        return bool(shaken(client, server, session=session).client.session_reused)

    store = (client if side == "client" else server).trust_store
    session = shaken(client, server).client.session
    assert reused(session)
    store.add_certificates(world.other.pem)
    assert not reused(session)
    session = shaken(client, server).client.session
    assert reused(session)
    store.add_crls(world.intermediate.revoke().pem)
    assert not reused(session)


@pytest.mark.skipif("SANITIZERS" in os.environ, reason="the sanitizers have allocators of their own")
def test_a_thousand_contexts_on_one_store_take_kilobytes(world: World) -> None:
    """Their own settings each, and not a second copy of the roots."""
    store = TrustStore([issue(f"root {number}", ca=True).der for number in range(150)])
    store.add_certificates(world.root.der)

    def contexts(count: int) -> list[Any]:
        made = []
        for _ in range(count):
            context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
            context.trust_store = store
            context.wrap_bio(wiretight.MemoryBIO(), wiretight.MemoryBIO(), server_hostname=HOST)
            made.append(context)
        return made

    kept = contexts(100)
    gc.collect()
    before = resident()
    kept += contexts(1000)
    each = (resident() - before) / 1000
    assert each < 64 * 1024, f"{each / 1024:.1f} KiB for each context"
    shaken(kept[-1], world.server)


def test_threads_share_a_store_that_grows(world: World) -> None:
    store = TrustStore(world.root.pem)
    done = threading.Event()

    def shake() -> int:
        count = 0
        while not done.is_set():
            client = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
            client.trust_store = store
            shaken(client, world.server)
            count += 1
        return count

    tasks = [Task(shake) for _ in range(4)]
    added = 0
    try:
        for number in range(50):
            added += store.add_certificates(issue(f"root {number}", ca=True).der)
    finally:
        done.set()
    assert all(task.result() for task in tasks)
    assert added == 50
    assert len(store.certificates) == 51


def test_no_addition_is_lost_between_threads() -> None:
    store = TrustStore()
    roots = [issue(f"root {number}", ca=True).der for number in range(64)]
    for task in [Task(store.add_certificates, root) for root in roots]:
        assert task.result() == 1
    assert len(store.certificates) == 64


# --- CRLs ------------------------------------------------------------------------------------------------------------
@pytest.fixture
def trusting(world: World, client: Any) -> Any:
    client.load_verify_locations(cadata=world.root.pem)
    return client


@pytest.mark.parametrize("form", ["PEM", "DER", "PEM file", "DER file"])
def test_load_crls_revokes_from_then_on(world: World, trusting: Any, form: str) -> None:
    shaken(trusting, world.server)
    revoked = world.intermediate.revoke(world.leaf)
    content: Any = revoked.pem if form.startswith("PEM") else revoked.der
    if form.endswith("file"):
        assert trusting.load_crls(world.write("revoked.crl", content)) == 1
    else:
        assert trusting.load_crls(data=content) == 1
    assert trusting.verify_flags & wiretight.VERIFY_CRL_CHECK_LEAF
    assert refused(trusting, world.server) == REVOKED
    shaken(trusting, world.serving(world.intermediate.issue("another", names=[HOST])))


def test_what_load_crls_revoked_stays_revoked_wherever_the_store_goes(world: World, trusting: Any) -> None:
    trusting.load_crls(data=world.intermediate.revoke(world.leaf).pem)
    other = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
    other.trust_store = trusting.trust_store
    assert refused(other, world.server) == REVOKED
    trusting.verify_flags = wiretight.VERIFY_DEFAULT
    assert refused(trusting, world.server) == REVOKED


def test_both_a_path_and_data_are_loaded(world: World, trusting: Any) -> None:
    path = world.write("root.crl", world.root.revoke().pem)
    assert trusting.load_crls(path, world.intermediate.revoke().pem) == 2
    assert trusting.cert_store_stats()["crl"] == 2
    assert trusting.load_crls(path) == 0


def test_a_revoked_intermediate_needs_the_check_of_the_chain(world: World, trusting: Any) -> None:
    trusting.load_crls(data=world.intermediate.revoke().pem)
    trusting.load_crls(data=world.root.revoke(world.intermediate).pem)
    shaken(trusting, world.server)
    trusting.verify_flags |= wiretight.VERIFY_CRL_CHECK_CHAIN
    with pytest.raises(SSLCertVerificationError) as caught:
        shaken(trusting, world.server)
    (error,) = caught.value.verify_errors
    assert (error.code, error.depth) == (REVOKED, 1)


def test_an_expired_crl_is_an_error_until_a_newer_one_comes(world: World, trusting: Any) -> None:
    trusting.load_crls(data=world.intermediate.revoke(next_update=NOW - DAY / 24).pem)
    assert refused(trusting, world.server) == VerifyCode.CRL_HAS_EXPIRED
    trusting.load_crls(data=crl(world.intermediate, last_update=NOW - DAY / 2).pem)
    shaken(trusting, world.server)


def test_a_crl_of_another_issuer_leaves_none(world: World, trusting: Any) -> None:
    trusting.load_crls(data=world.root.revoke().pem)
    assert refused(trusting, world.server) == NO_CRL
    trusting.load_crls(data=world.other.revoke(world.leaf).pem)
    assert refused(trusting, world.server) == NO_CRL


def test_a_crl_by_another_key_is_not_believed(world: World, trusting: Any) -> None:
    forged = crl(world.intermediate, signed_with=world.other.key)
    trusting.load_crls(data=forged.pem)
    assert refused(trusting, world.server) == VerifyCode.CRL_SIGNATURE_FAILURE


def test_a_server_refuses_a_revoked_client(world: World, trusting: Any) -> None:
    good, bad = world.intermediate.issue("good"), world.intermediate.issue("bad")
    server = world.serving(world.leaf)
    server.verify_mode = wiretight.CERT_REQUIRED
    server.load_verify_locations(cadata=world.root.pem)
    server.load_crls(data=world.intermediate.revoke(bad).der)
    trusting.load_cert_chain(*good.write(world.folder, "good"))
    shaken(trusting, server)
    trusting.load_cert_chain(*bad.write(world.folder, "bad"))
    failure = Pair(trusting, server).until_error()
    assert failure.side == "server"
    assert failure.error.verify_code == REVOKED  # type: ignore[attr-defined]
    assert "REVOKED" in str(failure.peer_error).upper()


@pytest.fixture(scope="module")
def long_list(world: World) -> bytes:
    """A hundred thousand revoked certificates."""
    der = long_crl(world.intermediate, [*range(1, 100_000), world.leaf.certificate.serial_number])
    assert len(x509.load_der_x509_crl(der)) == 100_000
    return der


def test_a_list_may_be_long(world: World, trusting: Any, long_list: bytes) -> None:
    assert trusting.load_crls(data=long_list) == 1
    assert refused(trusting, world.server) == REVOKED
    shaken(trusting, world.serving(world.intermediate.issue("another", names=[HOST])))
    revoked = world.intermediate.issue("revoked", names=[HOST], serial=77_777)
    assert refused(trusting, world.serving(revoked)) == REVOKED


@pytest.mark.skipif("SANITIZERS" in os.environ, reason="the sanitizers have allocators of their own")
def test_a_long_list_is_parsed_once_for_all_contexts(world: World, long_list: bytes) -> None:
    store = TrustStore(world.root.pem, crls=long_list)
    before = resident()
    contexts = []
    for _ in range(100):
        context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
        context.trust_store = store
        contexts.append(context)
        assert refused(context, world.server) == REVOKED
    assert (resident() - before) / len(contexts) < len(long_list) / 10


def test_a_file_without_a_crl_is_named(world: World, trusting: Any) -> None:
    path = world.write("root.pem", world.root.pem)
    with pytest.raises(SSLError, match=r"root\.pem' does not contain a CRL"):
        trusting.load_crls(path)
    with pytest.raises(SSLError):
        trusting.load_crls(path, world.intermediate.revoke().pem)
    assert trusting.cert_store_stats()["crl"] == 0
    shaken(trusting, world.server)
