"""Renewed certificates: a context reads its files again, and nobody ever gets half of a pair."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import wiretight
from tests.kit.certfolder import Folder
from tests.kit.certificates import HOST
from tests.kit.keys import PASSWORD, Material, client_context, material, new_material, server_context, shown
from tests.kit.pair import Pair
from tests.kit.servers import Server
from wiretight import Credential
from wiretight._core.base import files
from wiretight._standard import system

DAYS = 86400.0


WRITERS = [Folder.write, Folder.rename, Folder.link, Folder.link_folder]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as finished at once."""
    monkeypatch.setattr(files, "SETTLED_AFTER", -(10**9))


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The paths that are looked at."""
    found: list[Any] = []
    stat = system.os.stat

    def watching(path: Any, *args: Any, **options: Any) -> Any:
        found.append(path)
        return stat(path, *args, **options)

    monkeypatch.setattr(system.os, "stat", watching)
    return found


@pytest.fixture
def made() -> list[Material]:
    """Several, for the same name."""
    return [new_material() for _ in range(3)]


def loaded(folder: Folder, made: Material, version: Any = None, write: Callable[..., None] = Folder.write) -> Any:
    write(folder, made)
    server = server_context(version)
    server.load_cert_chain(folder.chain, folder.key)
    return server


# --- When it is told to -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
@pytest.mark.parametrize("in_use", [False, True], ids=["new", "in-use"])
def test_later_connections_get_the_renewed_pair(
    folder: Folder, made: list[Material], version: Any, write: Callable[..., None], in_use: bool
) -> None:
    server = loaded(folder, made[0], version, write)
    if in_use:
        assert shown(client_context(version), server) == made[0].ders[0]
    for each in made[1:]:
        write(folder, each)
        assert server.reload_cert_chain() is True
        assert shown(client_context(version), server) == each.ders[0]


def test_files_that_have_not_changed_change_nothing(folder: Folder, made: list[Material], looks: list[Any]) -> None:
    server = loaded(folder, made[0])
    before = server.credentials
    assert server.reload_cert_chain() is False
    assert server.reload_cert_chain(force=True) is False
    assert server.credentials == before
    folder.write(made[0])
    assert server.reload_cert_chain() is False
    assert server.credentials == before


def test_settled_files_are_looked_at_and_not_read(
    folder: Folder, made: list[Material], settled: None, looks: list[Any]
) -> None:
    asked: list[str] = []
    folder.write(made[0], PASSWORD)
    server = server_context()
    server.load_cert_chain(folder.chain, folder.key, lambda: asked.append("") or PASSWORD)
    assert server.reload_cert_chain() is False
    assert (len(asked), len(looks)) == (1, 2)
    assert server.reload_cert_chain(force=True) is False
    assert len(asked) == 2


def test_a_connection_keeps_the_pair_from_its_creation(folder: Folder, made: list[Material], version: Any) -> None:
    server = loaded(folder, made[0], version)
    pair = Pair(client_context(version), server)
    folder.write(made[1])
    assert server.reload_cert_chain()
    pair.handshake()
    assert pair.client.getpeercert(True) == made[0].ders[0]


def test_tickets_go_on(folder: Folder, made: list[Material], version: Any) -> None:
    server, client = loaded(folder, made[0], version), client_context(version)
    pair = Pair(client, server)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    folder.write(made[1])
    assert server.reload_cert_chain()
    again = Pair(client, server, session=pair.client.session)
    again.handshake()
    assert again.client.session_reused


def test_a_clients_pair_is_renewed_and_its_sessions_end(folder: Folder, made: list[Material], version: Any) -> None:
    folder.write(made[0])
    client = client_context(version)
    client.load_cert_chain(folder.chain, folder.key)
    server = server_context(version, Credential.from_pem(made[2].pem, made[2].key_pem()))
    server.load_verify_locations(cadata=made[0].root.pem)
    server.verify_mode = wiretight.CERT_REQUIRED
    pair = Pair(client, server)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    folder.write(made[1])
    assert client.reload_cert_chain()
    again = Pair(client, server, session=pair.client.session)
    again.handshake()
    assert not again.client.session_reused
    assert again.server.getpeercert(True) == made[1].ders[0]


def test_one_file_may_hold_both(folder: Folder, made: list[Material], version: Any) -> None:
    folder.chain.write_text(made[0].pem + made[0].key_pem())
    server = server_context(version)
    server.load_cert_chain(folder.chain)
    folder.chain.write_text(made[1].key_pem() + made[1].pem)
    assert server.reload_cert_chain()
    assert shown(client_context(version), server) == made[1].ders[0]


def test_a_renewed_key_may_be_of_another_kind(folder: Folder, version: Any) -> None:
    """As when certbot changed from RSA to ECDSA: the old one is not shown to anybody any more."""
    server = loaded(folder, material("RSA"), version)
    folder.write(material("EC"))
    assert server.reload_cert_chain()
    assert [each.key_type for each in server.credentials] == ["EC"]
    assert shown(client_context(version), server) == material("EC").ders[0]


def test_all_pairs_are_renewed_at_once_or_none(tmp_path: Path) -> None:
    folders = [Folder(tmp_path / name) for name in ("rsa", "ec")]
    server = server_context()
    for each, kind in zip(folders, ("RSA", "EC"), strict=True):
        each.path.mkdir()
        each.write(material(kind))
        server.load_cert_chain(each.chain, each.key)
    before = server.credentials
    folders[0].write(new_material("RSA"))
    folders[1].chain.write_text(new_material("EC").pem)
    with pytest.raises(wiretight.SSLError, match="KEY_VALUES_MISMATCH"):
        server.reload_cert_chain()
    assert server.credentials == before
    folders[1].write(new_material("EC"))
    assert server.reload_cert_chain()
    assert not set(server.credentials) & set(before)


def test_paths_stay_those_of_the_first_working_directory(
    folder: Folder, made: list[Material], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder.write(made[0])
    monkeypatch.chdir(folder.path)
    server = server_context()
    server.load_cert_chain("chain.pem", b"key.pem")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    folder.write(made[1])
    assert server.reload_cert_chain()


def test_a_password_callback_that_goes_elsewhere_changes_no_path(
    folder: Folder, made: list[Material], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder.write(made[0], PASSWORD)
    monkeypatch.chdir(folder.path)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    server = server_context()
    server.load_cert_chain("chain.pem", "key.pem", lambda: os.chdir(elsewhere) or PASSWORD)
    folder.write(made[1], PASSWORD)
    assert server.reload_cert_chain()


@pytest.mark.parametrize("kinds", [("RSA", "EC"), ("EC", "RSA")], ids="-".join)
def test_a_renewed_pair_takes_the_place_of_the_old_one(tmp_path: Path, kinds: tuple[str, str]) -> None:
    """A client shows the last one in TLS 1.2, and goes on doing so."""
    folders = [Folder(tmp_path / kind) for kind in kinds]
    client = client_context(wiretight.TLSVersion.TLSv1_2)
    for each, kind in zip(folders, kinds, strict=True):
        each.path.mkdir()
        each.write(material(kind))
        client.load_cert_chain(each.chain, each.key)
    server = server_context(None, Credential.from_pem(material("EC").pem, material("EC").key_pem()))
    server.load_verify_locations(cadata=material("EC").root.pem)
    server.verify_mode = wiretight.CERT_REQUIRED
    folders[0].write(new_material(kinds[0]))
    assert client.reload_cert_chain()
    assert [each.key_type for each in client.credentials] == list(kinds)
    pair = Pair(client, server)
    pair.handshake()
    assert pair.server.getpeercert(True) == material(kinds[1]).ders[0]


def test_a_renewed_pair_of_another_kind_takes_the_place_of_the_one_of_that_kind(tmp_path: Path) -> None:
    folders = [Folder(tmp_path / kind) for kind in ("RSA", "EC")]
    server = server_context()
    for each in folders:
        each.path.mkdir()
        each.write(material(each.path.name))
        server.load_cert_chain(each.chain, each.key)
    renewed = new_material("EC")
    folders[0].write(renewed)
    assert server.reload_cert_chain()
    assert [each.certificates[0].der() for each in server.credentials] == renewed.ders[:1]


def test_a_change_that_the_times_do_not_show_is_noticed(
    folder: Folder, made: list[Material], monkeypatch: pytest.MonkeyPatch, version: Any
) -> None:
    """Some file systems have times of two seconds. What was read that soon after a change is read again later."""

    def coarse(call: Callable[..., Any]) -> Callable[..., Any]:
        def stat_of(path: Any) -> Any:
            found = call(path)
            same = dict.fromkeys(("st_mtime", "st_ctime", "st_mtime_ns", "st_ctime_ns", "st_size"), 0)
            return SimpleNamespace(st_mode=found.st_mode, st_dev=found.st_dev, st_ino=found.st_ino, **same)

        return stat_of

    for name in ("stat", "fstat"):
        monkeypatch.setattr(system.os, name, coarse(getattr(system.os, name)))
    monkeypatch.setattr(files, "SETTLED_AFTER", 10**12)
    server = loaded(folder, made[0], version)
    folder.write(made[1])
    monkeypatch.setattr(files, "SETTLED_AFTER", -1)  # a while later
    assert server.reload_cert_chain() is True
    assert shown(client_context(version), server) == made[1].ders[0]
    folder.write(made[2])
    assert server.reload_cert_chain() is False  # which nobody could notice


@pytest.mark.parametrize("change", ["add_credential", "credentials", "load_cert_chain"])
def test_a_pair_that_was_replaced_is_not_looked_for_any_more(
    folder: Folder, made: list[Material], change: str, tmp_path: Path
) -> None:
    server = loaded(folder, made[0])
    other = Folder(tmp_path / "other")
    other.path.mkdir()
    other.write(made[1])
    if change == "load_cert_chain":
        server.load_cert_chain(other.chain, other.key)
        folder.key.unlink()
        assert server.reload_cert_chain() is False
        return
    credential = Credential.from_pem(made[1].pem, made[1].key_pem())
    if change == "add_credential":
        server.add_credential(credential)
    else:
        server.credentials = [credential]
    with pytest.raises(ValueError, match=r"call load_cert_chain\(\) first"):
        server.reload_cert_chain()


# --- What is half done ------------------------------------------------------------------------------------------------

Break = Callable[[Folder, Material], object]
HALVES: dict[str, tuple[Break, type[Exception], str]] = {
    "the certificate is new, the key is old": (
        lambda it, made: it.chain.write_text(made.pem), wiretight.SSLError, "KEY_VALUES_MISMATCH"),
    "the key is new, the certificate is old": (
        lambda it, made: it.key.write_text(made.key_pem()), wiretight.SSLError, "KEY_VALUES_MISMATCH"),
    "half a certificate": (lambda it, made: it.chain.write_text(made.pem[:300]), wiretight.SSLError, ""),
    "half a chain": (lambda it, made: it.chain.write_text(made.pem[:-60]), wiretight.SSLError, ""),
    "half a key": (lambda it, made: it.key.write_text(made.key_pem()[:60]), wiretight.SSLError, "no private key"),
    "an empty certificate": (lambda it, made: it.chain.write_text(""), wiretight.SSLError, "no certificate"),
    "an empty key": (lambda it, made: it.key.write_text(""), wiretight.SSLError, "no private key"),
    "no certificate": (lambda it, made: it.chain.unlink(), FileNotFoundError, "chain.pem"),
    "no key": (lambda it, made: it.key.unlink(), FileNotFoundError, "key.pem"),
    "a link to nowhere": (
        lambda it, made: (it.key.unlink(), it.key.symlink_to("nowhere")), FileNotFoundError, "key.pem"),
    "a folder": (lambda it, made: (it.key.unlink(), it.key.mkdir()), wiretight.SSLError, "only regular files"),
    "a pipe": (lambda it, made: (it.key.unlink(), os.mkfifo(it.key)), wiretight.SSLError, "only regular files"),
    "a key with a password": (
        lambda it, made: it.key.write_text(made.key_pem(password=PASSWORD)), wiretight.SSLError, "no password"),
    "a certificate that is too weak": (
        lambda it, made: it.write(weak()), wiretight.SSLError, "EE_KEY_TOO_SMALL"),
}  # fmt: skip


def weak() -> Material:
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 1024)
    intermediate = material("EC").chain[1]
    return Material((intermediate.issue(HOST, names=[HOST], key=key), intermediate), material("EC").root, key)


@pytest.mark.parametrize("name", list(HALVES))
def test_the_old_pair_stays_in_use_and_a_later_look_finds_the_new_one(
    folder: Folder, made: list[Material], version: Any, name: str
) -> None:
    breaks, kind, text = HALVES[name]
    server = loaded(folder, made[0], version)
    before = server.credentials
    breaks(folder, made[1])
    for force in (False, True):
        with pytest.raises(kind, match=text or None):
            server.reload_cert_chain(force=force)
    assert server.credentials == before
    assert shown(client_context(version), server) == made[0].ders[0]
    folder.clear()
    folder.write(made[1])
    assert server.reload_cert_chain()
    assert shown(client_context(version), server) == made[1].ders[0]


@pytest.mark.parametrize("name", list(HALVES))
def test_a_look_that_fails_is_reported_once_and_hurts_no_connection(
    folder: Folder, made: list[Material], version: Any, settled: None, name: str
) -> None:
    breaks, kind, text = HALVES[name]
    reports: list[tuple[Any, Exception]] = []
    server = loaded(folder, made[0], version)
    server.reload_interval = 0
    server.reload_error_callback = lambda context, error: reports.append((context, error))
    breaks(folder, made[1])
    for _ in range(3):
        assert shown(client_context(version), server) == made[0].ders[0]
    [(context, error)] = reports
    assert context is server
    assert isinstance(error, kind)
    assert text in str(error)
    folder.clear()
    folder.write(made[1])
    assert shown(client_context(version), server) == made[1].ders[0]
    assert len(reports) == 1
    breaks(folder, made[2])
    for _ in range(2):
        assert shown(client_context(version), server) == made[1].ders[0]
    assert len(reports) == 2


def test_files_that_change_while_they_are_read_are_not_used(folder: Folder, made: list[Material]) -> None:
    """A writer exchanges the certificate when the key is about to be read, and both that were read fit."""
    folder.write(made[0], PASSWORD)
    writes: list[Material] = []

    def password() -> str:
        if writes:
            folder.chain.write_text(writes.pop().pem)
        return PASSWORD

    server = server_context()
    server.load_cert_chain(folder.chain, folder.key, password)
    before = server.credentials
    folder.write(made[1], PASSWORD)
    writes.append(made[2])
    with pytest.raises(wiretight.SSLError, match="changed while being read"):
        server.reload_cert_chain()
    assert server.credentials == before
    folder.write(made[2], PASSWORD)
    assert server.reload_cert_chain()


# --- By itself --------------------------------------------------------------------------------------------------------


def test_nothing_is_looked_at_without_an_interval(folder: Folder, made: list[Material], looks: list[Any]) -> None:
    server = loaded(folder, made[0])
    assert server.reload_interval is None
    folder.write(made[1])
    assert shown(client_context(), server) == made[0].ders[0]
    assert looks == []


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_a_connection_finds_what_was_renewed_before_it(
    folder: Folder, made: list[Material], version: Any, settled: None, write: Callable[..., None]
) -> None:
    server = loaded(folder, made[0], version, write)
    server.reload_interval = 0
    for each in made:
        write(folder, each)
        assert shown(client_context(version), server) == each.ders[0]


def test_it_looks_once_an_interval(folder: Folder, made: list[Material], settled: None, looks: list[Any]) -> None:
    server = loaded(folder, made[0])
    server.reload_interval = DAYS
    assert server.reload_interval == DAYS
    for _ in range(3):
        shown(client_context(), server)
    assert len(looks) == 2
    folder.write(made[1])
    assert shown(client_context(), server) == made[0].ders[0]
    server.reload_interval = DAYS
    assert shown(client_context(), server) == made[1].ders[0]
    server.reload_interval = None
    folder.write(made[2])
    assert shown(client_context(), server) == made[1].ders[0]


def test_a_file_that_was_just_written_may_be_written_still(
    folder: Folder, made: list[Material], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as its end it may be a whole certificate, and lack the rest of the chain."""
    monkeypatch.setattr(files, "SETTLED_AFTER", DAYS)
    reports: list[Any] = []
    server = loaded(folder, made[0])
    server.reload_interval = 0
    server.reload_error_callback = lambda *report: reports.append(report)
    folder.chain.write_text(made[1].chain[0].pem)
    folder.key.write_text(made[1].key_pem())
    assert shown(client_context(), server) == made[0].ders[0]
    folder.write(made[1])
    assert shown(client_context(), server) == made[0].ders[0]
    monkeypatch.setattr(files, "SETTLED_AFTER", -1)
    assert shown(client_context(), server) == made[1].ders[0]
    assert reports == []


def test_a_file_from_the_future_counts_as_finished(folder: Folder, made: list[Material]) -> None:
    server = loaded(folder, made[0])
    server.reload_interval = 0
    folder.write(made[1])
    for path in (folder.chain, folder.key):
        os.utime(path, (2**31, 2**31))
    assert shown(client_context(), server) == made[1].ders[0]


def test_the_clock_of_a_file_server_may_be_ahead(
    folder: Folder, made: list[Material], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SETTLED_AFTER", DAYS)
    server = loaded(folder, made[0])
    server.reload_interval = 0
    folder.chain.write_text(made[1].chain[0].pem)
    folder.key.write_text(made[1].key_pem())
    soon = time.time() + DAYS / 2
    for path in (folder.chain, folder.key):
        os.utime(path, (soon, soon))
    assert shown(client_context(), server) == made[0].ders[0]


def test_a_pair_that_came_through_a_pipe_is_passed_by(folder: Folder, made: list[Material], settled: None) -> None:
    """There is nothing to be read again, and nothing wrong either."""
    reports: list[Any] = []
    folder.write(made[0])
    folder.key.unlink()
    os.mkfifo(folder.key)
    writer = threading.Thread(target=folder.key.write_text, args=(made[0].key_pem(),))
    writer.start()
    server = server_context()
    server.load_cert_chain(folder.chain, folder.key)
    writer.join()
    server.reload_interval = 0
    server.reload_error_callback = lambda *report: reports.append(report)
    folder.chain.write_text(made[1].pem)
    assert shown(client_context(), server) == made[0].ders[0]
    assert reports == []


def test_an_error_that_has_no_words_is_reported_like_others(
    folder: Folder, made: list[Material], settled: None
) -> None:
    class WordlessError(Exception):
        def __str__(self) -> str:
            raise LookupError("no words")

    def password() -> str:
        if broken:
            raise WordlessError
        return PASSWORD

    broken: list[bool] = []
    reports: list[Any] = []
    folder.write(made[0], PASSWORD)
    server = server_context()
    server.load_cert_chain(folder.chain, folder.key, password)
    server.reload_interval = 0
    server.reload_error_callback = lambda context, error: reports.append(type(error))
    broken.append(True)
    folder.write(made[1], PASSWORD)
    for _ in range(2):
        assert shown(client_context(), server) == made[0].ders[0]
    assert reports == [WordlessError]


def test_threads_may_look_and_reload_at_the_same_time(folder: Folder, made: list[Material], settled: None) -> None:
    server = loaded(folder, made[0])
    server.reload_interval = 0
    server.reload_error_callback = lambda context, error: None
    pieces = [folder.key.read_text(), "", made[1].key_pem()]

    def write() -> None:
        for number in range(200):
            folder.key.write_text(pieces[number % 3])

    def look() -> None:
        for _ in range(200):
            server.wrap_bio(wiretight.MemoryBIO(), wiretight.MemoryBIO(), server_side=True)
            with suppress(wiretight.SSLError):
                server.reload_cert_chain()

    threads = [threading.Thread(target=each) for each in (write, look, look, look)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    folder.write(made[1])
    assert shown(client_context(), server) == made[1].ders[0]


def test_an_error_without_a_callback_goes_to_the_hook(
    folder: Folder, made: list[Material], settled: None, unraisable: list[Any]
) -> None:
    server = loaded(folder, made[0])
    server.reload_interval = 0
    folder.key.unlink()
    for _ in range(3):
        assert shown(client_context(), server) == made[0].ders[0]
    assert [type(error) for error in unraisable] == [FileNotFoundError]


def test_what_the_callback_raises_goes_to_the_hook(
    folder: Folder, made: list[Material], settled: None, unraisable: list[Any]
) -> None:
    server = loaded(folder, made[0])
    server.reload_interval = 0
    server.reload_error_callback = lambda context, error: 1 / 0
    folder.key.unlink()
    for _ in range(3):
        assert shown(client_context(), server) == made[0].ders[0]
    assert [type(error) for error in unraisable] == [ZeroDivisionError]


def test_an_interrupt_during_a_look_is_nobodys_to_hide(folder: Folder, made: list[Material], settled: None) -> None:
    raised: list[BaseException] = []
    folder.write(made[0], PASSWORD)

    def password() -> str:
        if raised:
            raise raised.pop()
        return PASSWORD

    server = server_context()
    server.load_cert_chain(folder.chain, folder.key, password)
    server.reload_interval = 0
    folder.write(made[1], PASSWORD)
    raised.append(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        shown(client_context(), server)
    assert shown(client_context(), server) == made[1].ders[0]


def test_connections_within_a_look_do_not_look(folder: Folder, made: list[Material], settled: None) -> None:
    """A password from a service that is reached with the same context; and what other threads make meanwhile."""
    folder.write(made[0], PASSWORD)
    inner: list[bytes] = []
    server = server_context()
    asking = threading.Event()

    def password() -> str:
        if asking.is_set():
            inner.append(shown(client_context(), server))
        return PASSWORD

    server.load_cert_chain(folder.chain, folder.key, password)
    server.reload_interval = 0
    folder.write(made[1], PASSWORD)
    asking.set()
    assert shown(client_context(), server) == made[1].ders[0]
    assert inner == [made[0].ders[0]]


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")  # uvloop's threads, in other tests
def test_a_child_forked_during_a_look_looks_for_itself(folder: Folder, made: list[Material], settled: None) -> None:
    """The thread that was looking is not there any more."""
    folder.write(made[0], PASSWORD)
    server = server_context()
    children: list[int] = []

    def password() -> str:
        if not children and armed:
            children.append(os.fork())
            if children == [0]:
                folder.write(made[2], PASSWORD)
                found = shown(client_context(), server)
                os._exit(0 if found == made[2].ders[0] else 1)
        return PASSWORD

    armed = False
    server.load_cert_chain(folder.chain, folder.key, password)
    server.reload_interval = 0
    server.reload_error_callback = lambda context, error: None  # the child has written what the parent was reading
    folder.write(made[1], PASSWORD)
    armed = True
    shown(client_context(), server)
    assert os.waitstatus_to_exitcode(os.waitpid(children[0], 0)[1]) == 0


# --- Who makes connections --------------------------------------------------------------------------------------------


def test_a_listening_socket_finds_it(folder: Folder, made: list[Material], version: Any, settled: None) -> None:
    server = loaded(folder, made[0], version)
    server.reload_interval = 0
    with Server(server) as listening:
        for each in made:
            folder.rename(each)
            with listening.connect(client_context(version)) as sock:
                assert sock.getpeercert(True) == each.ders[0]
                sock.unwrap()


def test_accept_of_a_wrapped_listener_finds_it(
    folder: Folder, made: list[Material], version: Any, settled: None
) -> None:
    server = loaded(folder, made[0], version)
    server.reload_interval = 0
    with socket.create_server(("127.0.0.1", 0)) as plain, server.wrap_socket(plain, server_side=True) as listening:
        folder.rename(made[1])
        seen: list[bytes] = []

        def connect() -> None:
            with (
                socket.create_connection(listening.getsockname()) as sock,
                client_context(version).wrap_socket(sock, server_hostname=HOST) as client,
            ):
                seen.append(client.getpeercert(True))

        thread = threading.Thread(target=connect)
        thread.start()
        accepted, _ = listening.accept()
        with accepted:
            thread.join()
    assert seen == [made[1].ders[0]]


def test_a_virtual_host_finds_it_when_it_is_chosen(
    folder: Folder, made: list[Material], version: Any, settled: None
) -> None:
    """It makes no connection itself."""
    inner = loaded(folder, made[0], version)
    inner.reload_interval = 0
    server = server_context(version)
    server.sni_callback = lambda side, name, context: setattr(side, "context", inner)
    for each in made:
        folder.rename(each)
        assert shown(client_context(version), server) == each.ders[0]


def test_a_context_that_is_chosen_within_a_look_keeps_its_verify_callback(
    folder: Folder, made: list[Material], version: Any, settled: None
) -> None:
    """A choice takes no verification away, and a look at files may run Python that makes one."""
    inner = loaded(folder, made[0], version)
    inner.reload_interval = 0
    strict = server_context(version, Credential.from_pem(made[1].pem, made[1].key_pem()))
    strict.load_verify_locations(cadata=made[0].root.pem)
    strict.verify_mode = wiretight.CERT_REQUIRED
    asked: list[Any] = []
    strict.verify_callback = lambda side, verification: asked.append(verification)
    sides: list[Any] = []
    inner.reload_error_callback = lambda context, error: setattr(sides[0], "context", strict)

    def choose(side: Any, name: Any, context: Any) -> None:
        sides.append(side)
        side.context = inner

    server = server_context(version)
    server.sni_callback = choose
    client = client_context(version)
    client.add_credential(Credential.from_pem(made[2].pem, made[2].key_pem()))
    folder.key.unlink()
    pair = Pair(client, server)
    with suppress(wiretight.SSLError):
        pair.handshake()
    assert asked


# --- Its settings ----------------------------------------------------------------------------------------------------


def test_a_callback_is_what_was_set_and_none_removes_it() -> None:
    context = server_context()
    context.reload_error_callback = print
    assert context.reload_error_callback is print
    context.reload_error_callback = None
    assert context.reload_error_callback is None


def test_an_interval_without_files_looks_at_nothing(looks: list[Any]) -> None:
    made = material("EC")
    server = server_context(None, Credential.from_pem(made.pem, made.key_pem()))
    server.reload_interval = 0
    assert shown(client_context(), server) == made.ders[0]
    assert looks == []
