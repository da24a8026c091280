"""Trusted certificates are decoded when a chain needs them, and nobody can tell."""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wiretight
from tests.kit.authority import DAY, NOW, Issued, issue
from tests.kit.certificates import HOST
from tests.kit.memory import COUNTED, allocated
from tests.kit.pair import Pair
from tests.kit.threads import Task
from wiretight import SSLCertVerificationError, TrustStore, VerifyCode
from wiretight._core.base import files
from wiretight._core.trust.trustedfile import decoded_certificates

# OpenSSL skips this line; a file that has it is decoded at once, by OpenSSL.
UNUSUAL = "-----\n"


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Files that were written just now are kept, too."""
    monkeypatch.setattr(files, "SETTLED_AFTER", -(10**9))
    wiretight.clear_trust_cache()
    yield
    wiretight.clear_trust_cache()


class World:
    """Sixty CAs in a file, and servers with certificates of some of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.roots = [issue(f"root {number}", ca=True) for number in range(60)]
        self.file = self.bundle("roots", *self.roots)
        self.servers = [self.server(root.issue(names=[HOST])) for root in self.roots[:5]]
        self.unknown = self.server(issue("unknown", ca=True).issue(names=[HOST]))

    def bundle(self, name: str, *trusted: Issued, more: str = "") -> Path:
        path = self.folder / f"{name}.pem"
        path.write_text("".join(each.pem for each in trusted) + more)
        return path

    def both(self, name: str, *trusted: Issued) -> tuple[Path, Path]:
        """Of the same content: one that is decoded on demand, and one that is decoded at once."""
        return self.bundle(name, *trusted), self.bundle(f"{name} at once", *trusted, more=UNUSUAL)

    def server(self, leaf: Issued) -> Any:
        context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*leaf.write(self.folder, "leaf"))
        return context


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def trusting(path: Path, version: Any = None, **more: Any) -> Any:
    context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path, **more)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def met(client: Any, server: Any) -> Any:
    """The chain that was verified, or why there is none."""
    pair = Pair(client, server)
    try:
        pair.handshake()
    except SSLCertVerificationError as error:
        return error.verify_code
    return pair.client.get_verified_chain()


def count(path: Path) -> int:
    decoded = decoded_certificates(str(path))
    assert decoded is not None
    return decoded


# --- when ------------------------------------------------------------------------------------------------------------
def test_what_no_chain_needs_is_never_decoded(world: World, version: Any) -> None:
    contexts = [trusting(world.file, version) for _ in range(3)]
    assert count(world.file) == 0
    assert met(contexts[0], world.unknown) == VerifyCode.UNABLE_TO_GET_ISSUER_CERT_LOCALLY
    assert count(world.file) == 0
    for context in contexts:
        assert len(met(context, world.servers[3])) == 2
    assert count(world.file) == 1
    assert len(met(contexts[2], world.servers[4])) == 2
    assert count(world.file) == 2


def test_whoever_asks_for_all_gets_all(world: World) -> None:
    expected = [root.der for root in world.roots]
    context = trusting(world.file)
    assert context.cert_store_stats() == {"x509": 60, "crl": 0, "x509_ca": 60}
    assert count(world.file) == 60
    assert sorted(context.get_ca_certs(binary_form=True)) == sorted(expected)
    used = trusting(world.file)
    met(used, world.servers[0])
    assert sorted(used.get_ca_certs(binary_form=True)) == sorted(expected)
    assert used.cert_store_stats() == context.cert_store_stats()


@pytest.mark.skipif(wiretight.OPENSSL_VERSION_INFO >= (4,), reason="the order is that of a hash table, and no promise")
def test_the_order_is_that_of_a_file_that_is_decoded_at_once(world: World) -> None:
    for met_before in ((), (world.unknown,), (world.servers[0],), (world.servers[4], world.unknown, world.servers[2])):
        lists = []
        for path in world.both("ordered", *world.roots):
            context = trusting(path)
            for server in met_before:
                met(context, server)
            lists.append(context.get_ca_certs(binary_form=True))
        assert lists[0] == lists[1]


def test_a_store_of_a_file_shows_all_of_it(world: World) -> None:
    store = TrustStore.from_file(world.file)
    assert count(world.file) == 0
    assert sorted(each.der() for each in store.certificates) == sorted(root.der for root in world.roots)
    assert store.fingerprint == TrustStore("".join(root.pem for root in world.roots)).fingerprint


def test_loading_the_same_file_again_decodes_nothing(world: World) -> None:
    context = trusting(world.file)
    before = context.trust_store
    for _ in range(3):
        context.load_verify_locations(world.file)
    assert context.trust_store is before
    assert count(world.file) == 0


def test_a_certificate_is_decoded_once_for_all_threads(world: World, version: Any) -> None:
    for server in world.servers:
        contexts = [trusting(world.file, version) for _ in range(2)]
        start = threading.Barrier(8)

        def shake(context: Any, server: Any = server, start: Any = start) -> Any:
            start.wait()
            return met(context, server)

        tasks = [Task(shake, contexts[number % 2]) for number in range(8)]
        chains = [task.result() for task in tasks]
        assert all(chain == chains[0] and len(chain) == 2 for chain in chains)
    assert count(world.file) == 5


def test_threads_list_and_verify_at_once(world: World, version: Any) -> None:
    """OpenSSL 3.5 and 4.0 add a certificate again that is apart from its namesake: it must be there already."""
    trusted = [issue("namesake", ca=True), *world.roots, issue("namesake", ca=True)]
    expected = sorted(each.der for each in trusted)
    path = world.bundle("apart", *trusted)
    for server in world.servers:
        wiretight.clear_trust_cache()
        context = trusting(path, version)
        start = threading.Barrier(8)

        def shake(context: Any = context, server: Any = server, start: Any = start) -> Any:
            start.wait()
            return len(met(context, server))

        def listed(context: Any = context, start: Any = start) -> Any:
            start.wait()
            return sorted(context.get_ca_certs(binary_form=True))

        tasks = [Task(listed if number % 2 else shake) for number in range(8)]
        assert [task.result() for task in tasks] == [2, expected] * 4


# --- the same chains -------------------------------------------------------------------------------------------------
def test_cas_of_one_name_are_told_apart_by_their_keys(world: World, version: Any) -> None:
    namesakes = [issue("namesake", ca=True, by_the_book=True) for _ in range(4)]
    for path in world.both("namesakes", *world.roots[:20], *namesakes):
        for root in namesakes:
            chain = met(trusting(path, version), world.server(root.issue(names=[HOST], by_the_book=True)))
            assert chain[-1] == root.der


def test_an_expired_ca_does_not_hide_its_successor(world: World, version: Any) -> None:
    old = issue("renewed", ca=True, not_before=NOW - 9 * DAY, not_after=NOW - DAY)
    new = issue("renewed", ca=True, key=old.key)
    server = world.server(new.issue(names=[HOST]))
    for order in ((old, new), (new, old)):
        lazy, at_once = (met(trusting(path, version), server) for path in world.both("renewed", *order))
        assert lazy == at_once
        assert lazy[-1] == new.der
    lazy, at_once = (met(trusting(path, version), server) for path in world.both("old", old, *world.roots[:3]))
    assert lazy == at_once == VerifyCode.CERT_HAS_EXPIRED


def test_cross_signed_authorities_lead_to_the_same_root(world: World, version: Any) -> None:
    first, second = issue("first", ca=True), issue("second", ca=True)
    own = issue("crossed", ca=True)
    crossed = issue("crossed", ca=True, key=own.key, issuer=second)
    below = issue("crossed", ca=True, key=own.key, issuer=first)
    server = world.server(below.issue("sub", ca=True).issue(names=[HOST]))
    for trusted in ([first], [second], [own], [first, second], [own, first], [crossed, second], [below, first, second]):
        lazy, at_once = (met(trusting(path, version), server) for path in world.both("crossed", *trusted))
        assert lazy == at_once
    for trusted in ([crossed], [below], [*world.roots[:2], crossed]):
        paths = world.both("partial", *trusted)
        contexts = [trusting(path, version) for path in paths]
        for context in contexts:
            context.verify_flags |= wiretight.VERIFY_X509_PARTIAL_CHAIN
        lazy, at_once = (met(context, server) for context in contexts)
        assert lazy == at_once
        assert isinstance(lazy, list)


def test_a_leaf_that_is_trusted_itself_is_found(world: World, version: Any) -> None:
    leaf = issue("nobody", ca=True).issue("pinned", names=[HOST])
    server = world.server(leaf)
    for path in world.both("pinned", *world.roots[:3], leaf):
        context = trusting(path, version)
        assert met(context, server) == VerifyCode.UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        context.verify_flags |= wiretight.VERIFY_X509_PARTIAL_CHAIN
        assert met(context, server) == [leaf.der]


def test_a_mimic_of_a_root_is_not_trusted(world: World, version: Any) -> None:
    mimic = issue("root 1", ca=True)
    server = world.server(mimic.issue(names=[HOST]))
    for path in (world.file, world.bundle("roots at once", *world.roots, more=UNUSUAL)):
        assert met(trusting(path, version), server) != [mimic.der]
        assert isinstance(met(trusting(path, version), server), int)


def test_a_servers_chain_is_completed_from_its_trust(world: World, version: Any) -> None:
    intermediate = world.roots[0].issue("intermediate", ca=True)
    leaf = intermediate.issue(names=[HOST])
    server = world.server(leaf)
    chain, key = leaf.write(world.folder, "short")
    chain.write_text(leaf.pem)
    server.load_cert_chain(chain, key)
    server.load_verify_locations(world.bundle("intermediates", intermediate, *world.roots[1:5]))
    pair = Pair(trusting(world.file, version), server)
    pair.handshake()
    assert pair.client.get_verified_chain() == [leaf.der, intermediate.der, world.roots[0].der]


def test_a_client_certificate_is_verified_too(world: World, version: Any) -> None:
    server = world.server(world.roots[0].issue(names=[HOST]))
    server.verify_mode = wiretight.CERT_REQUIRED
    server.load_verify_locations(world.file)
    client = trusting(world.file, version)
    client.load_cert_chain(*world.roots[7].issue("client").write(world.folder, "client"))
    pair = Pair(client, server)
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"
    assert count(world.file) == 2


# --- with more than a file -------------------------------------------------------------------------------------------
def hashed(folder: Path, *certificates: Issued) -> Path:
    folder.mkdir()
    for number, each in enumerate(certificates):
        (folder / f"{number}.pem").write_text(each.pem)
    subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True)
    return folder


def test_a_directory_is_searched_after_the_file(world: World, version: Any, tmp_path: Path) -> None:
    beside = issue("beside", ca=True)
    folder = hashed(tmp_path / "hashed", beside, world.roots[2])
    context = trusting(world.file, version, capath=folder)
    assert met(context, world.server(beside.issue(names=[HOST])))[-1] == beside.der
    assert met(context, world.servers[2])[-1] == world.roots[2].der
    assert count(world.file) == 1
    assert context.cert_store_stats()["x509"] == 61
    assert beside.der in context.get_ca_certs(binary_form=True)


def test_more_can_be_added_afterwards(world: World, version: Any) -> None:
    other, another = issue("other", ca=True), issue("another", ca=True)
    context = trusting(world.file, version)
    assert len(met(context, world.servers[0])) == 2
    context.load_verify_locations(world.bundle("other", other))
    context.load_verify_locations(cadata=another.pem)
    for server in (*world.servers, *(world.server(each.issue(names=[HOST])) for each in (other, another))):
        assert len(met(context, server)) == 2
    assert context.cert_store_stats()["x509"] == 62
    store = TrustStore.from_file(world.file)
    assert store.add_certificates([other.pem, world.roots[0].pem]) == 1
    assert len(store.certificates) == 61


def test_what_is_trusted_already_is_not_added_again(world: World) -> None:
    """OpenSSL 3.5 and 4.0 add a certificate again that is apart from its namesake."""
    first, second = issue("namesake", ca=True), issue("namesake", ca=True)
    apart = (first, *world.roots[:2], second)
    text = "".join(each.pem for each in apart)
    context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
    for name in ("apart", "written anew", "written again"):  # each is another file, with an index of its own
        context.load_verify_locations(world.bundle(name, *apart))
        context.load_verify_locations(cadata=text)
        assert context.cert_store_stats()["x509"] == 4
    store = TrustStore(text)
    assert store.add_certificates([second.pem, first.pem]) == 0
    crl = first.revoke().pem
    assert [store.add_crls(crl) for _ in range(2)] == [1, 0]
    assert len(store.certificates) == 4


def test_a_revoked_certificate_is_refused(world: World, version: Any) -> None:
    good, bad = (world.roots[4].issue(name, names=[HOST]) for name in ("good", "bad"))
    context = trusting(world.file, version)
    context.trust_store.add_crls(world.roots[4].revoke(bad).pem)
    assert met(context, world.server(bad)) == VerifyCode.CERT_REVOKED
    assert len(met(context, world.server(good))) == 2


def test_a_pickled_context_trusts_the_same(world: World, version: Any) -> None:
    context = pickle.loads(pickle.dumps(trusting(world.file, version)))
    assert count(world.file) == 0
    assert len(met(context, world.servers[1])) == 2
    assert met(context, world.unknown) == VerifyCode.UNABLE_TO_GET_ISSUER_CERT_LOCALLY


# --- processes and memory --------------------------------------------------------------------------------------------
@pytest.mark.filterwarnings("ignore:.* is multi-threaded, use of fork:DeprecationWarning")  # what this is about
def test_a_child_forked_while_threads_verify_verifies_too(world: World, version: Any) -> None:
    done = threading.Event()

    def shake() -> None:
        while not done.is_set():
            wiretight.clear_trust_cache()
            met(trusting(world.file, version), world.servers[0])

    tasks = [Task(shake) for _ in range(2)]
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                os._exit(0 if len(met(trusting(world.file, version), world.servers[1])) == 2 else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        done.set()
        for task in tasks:
            task.result()


def test_connections_outlive_the_context_and_the_cache(world: World, version: Any) -> None:
    context = trusting(world.file, version)
    pair = Pair(context, world.servers[0])
    del context
    wiretight.clear_trust_cache()
    gc.collect()
    pair.handshake()
    assert pair.client.get_verified_chain()[-1] == world.roots[0].der


@pytest.mark.skipif(not COUNTED, reason="this interpreter or C library does not count its allocations")
def test_whatever_was_decoded_is_freed(world: World) -> None:
    def once() -> None:
        wiretight.clear_trust_cache()
        context = trusting(world.file)
        assert len(met(context, world.servers[0])) == 2
        assert len(context.get_ca_certs()) == 60

    for _ in range(3):
        once()
    before = allocated()
    for _ in range(20):
        once()
    assert allocated() - before < 100_000
