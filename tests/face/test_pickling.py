"""Contexts in pickles: another process gets one with everything that can be there, and no secret travels."""

from __future__ import annotations

import functools
import io
import multiprocessing
import os
import pickle
import pickletools
import re
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.kit.caches import Cache
from tests.kit.certificates import HOST, Certificates
from tests.kit.changes import (
    CHANGES,
    EXECUTOR,
    POLICIES,
    callback,
    exchanging_policies,
    new_context,
    psk_of_server,
    use,
)
from tests.kit.pair import Pair
from tests.kit.settings import SETTINGS
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE
from wiretight._core.context import credentials
from wiretight._core.context.lifecycle import settings_by_name
from wiretight._core.trust.addition import loads_of

# Of which pickle writes nothing: see below.
NOT_PICKLED = {
    *("add_credential", "credentials", "session_store", "server_session_cache", "ticket_keys", "handshake_executor"),
}
PASSWORD = "a password of nobody"


def again(context: Any, protocol: int = pickle.HIGHEST_PROTOCOL) -> Any:
    return pickle.loads(pickle.dumps(context, protocol))


def comparable(context: Any) -> dict[str, Any]:
    """The settings, with what was loaded as values: the objects are others in another process."""
    settings = settings_by_name(context)
    files = settings.pop("cert_files", {})
    log = settings.pop("keylog", None)
    partials = {name: settings.pop(name) for name in ("sni_callback", "msg_callback") if name in settings}
    return {
        **settings,
        "credentials": [(each.certificates, files[each].arguments) for each in settings["credentials"]],
        "dh_params": settings["dh_params"] and credentials.dh_params_pem(settings["dh_params"]),
        "trust": loads_of(settings["trust"]),
        "stats": context.cert_store_stats(),
        "keylog": log and str(Path(log.path).absolute()),
        "partials": {name: getattr(each, "args", each) for name, each in partials.items()},
    }


# --- Setting by setting -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_use", [False, True], ids=["new", "in-use"])
@pytest.mark.parametrize("name", [name for name in SETTINGS if name not in NOT_PICKLED])
def test_every_setting_arrives(certificates: Certificates, name: str, in_use: bool) -> None:
    context = new_context(name)
    if in_use:
        use(context)
    before = comparable(context)
    CHANGES[name](context, certificates)
    other = again(context)
    assert type(other) is type(context)
    assert other.protocol == context.protocol
    assert comparable(other) == comparable(context) != before
    assert other.get_ciphers() == context.get_ciphers()
    use(other)
    CHANGES[name](other, certificates)
    assert again(other).get_ca_certs(binary_form=True) == context.get_ca_certs(binary_form=True)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol_of_pickle_will_do(certificates: Certificates, protocol: int) -> None:
    context = certificates.server_context()
    assert comparable(again(context, protocol)) == comparable(context)


@pytest.mark.parametrize("kind", [tls.PROTOCOL_TLS_CLIENT, tls.PROTOCOL_TLS_SERVER, tls.PROTOCOL_TLS])
def test_nothing_is_warned_of_again(kind: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = tls.SSLContext(kind)
        context.minimum_version = tls.TLSVersion.TLSv1
    assert comparable(again(context)) == comparable(context)


def test_trust_from_memory_arrives_without_a_file(certificates: Certificates, version: Any) -> None:
    client = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=certificates.ca_file.read_text())
    pair = Pair(again(client), certificates.server_context(version), server_hostname=HOST)
    pair.handshake()
    assert pair.client.getpeercert()["subjectAltName"][0] == ("DNS", HOST)


def test_a_relative_path_is_found_from_another_directory(
    certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(certificates.folder)
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server.chain.name, certificates.server.key.name)
    context.load_verify_locations(certificates.ca_file.name, ".")
    written = pickle.dumps(context)
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(written).cert_store_stats()["x509_ca"] == 1


def test_the_same_loaded_again_and_again_does_not_add_up(certificates: Certificates) -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    text = certificates.ca_file.read_text()
    for _ in range(3):
        context.load_verify_locations(certificates.ca_file, certificates.folder)
        context.load_verify_locations(cadata=text)
        context.load_default_certs()
    sizes = set()
    for _ in range(3):
        context.load_verify_locations(certificates.ca_file, certificates.folder)
        context.load_verify_locations(cadata=text)
        context.load_default_certs()
        sizes.add(len(pickle.dumps(context)))
    assert len(sizes) == 1


def test_a_frozen_context_arrives_frozen() -> None:
    context = again(tls.SSLContext(tls.PROTOCOL_TLS_CLIENT).freeze())
    with pytest.raises(RuntimeError, match="this context is frozen"):
        context.minimum_version = tls.TLSVersion.TLSv1_3


def test_what_another_thread_changes_meanwhile_arrives_whole() -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    known = []
    for name in POLICIES * 2:  # one leaves the ciphers of the other
        context.apply_policy(tls.Policy.named(name))
        known.append(comparable(context))
    with exchanging_policies(context):
        found = [comparable(again(context)) for _ in range(50)]
    assert all(each in known for each in found)


# --- Subclasses and attributes ----------------------------------------------------------------------------------------


class OfAProgram(tls.SSLContext):
    __slots__ = ("slot",)

    def __init__(self, protocol: Any, *, tags: list[str]) -> None:
        self.tags = tags
        self.slot = ["in", "a", "slot"]
        self.itself = self
        self.sni_callback = self.choose

    def choose(self, *args: Any) -> None:
        self.tags.append("chosen")


def test_a_subclass_keeps_class_attributes_and_bound_methods() -> None:
    context = OfAProgram(tls.PROTOCOL_TLS_SERVER, tags=["a"])
    context.handshake_timeout = 2.0
    other = again(context)
    assert type(other) is OfAProgram
    assert (other.tags, other.slot, other.handshake_timeout) == (["a"], ["in", "a", "slot"], 2.0)
    assert other.itself is other
    assert other.sni_callback.__self__ is other


@pytest.mark.parametrize("arguments", [(1,), (1, 2), ()])
def test_a_partial_function_of_a_program_arrives(arguments: tuple[int, ...]) -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.sni_callback = functools.partial(callback, *arguments, key=3)
    chosen = again(context).sni_callback
    assert (chosen.func, chosen.args, chosen.keywords) == (callback, arguments, {"key": 3})


# --- What is refused --------------------------------------------------------------------------------------------------


def refused(context: Any) -> str:
    before = settings_by_name(context)
    with pytest.raises(TypeError) as caught:
        pickle.dumps(context)
    assert settings_by_name(context) == before
    use(context)
    return str(caught.value)


def with_key_from_memory(files: Certificates) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.add_credential(tls.Credential.from_pem(files.server.chain.read_bytes(), files.server.key.read_bytes()))
    return context


def with_password(files: Certificates) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files.server, password=PASSWORD)
    return context


def with_local(name: str) -> Callable[[Certificates], Any]:
    def made(files: Certificates) -> Any:
        context = new_context(name)
        setattr(context, name, lambda *args: None)
        return context

    return made


def with_local_password(files: Certificates) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files.server, password=lambda: PASSWORD)
    return context


def with_session_store(files: Certificates) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.session_store = tls.MemorySessionStore()
    return context


def with_server_session_cache(files: Certificates) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.server_session_cache = Cache()
    return context


def with_ticket_keys(files: Certificates) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.ticket_keys = tls.TicketKeys()
    return context


def with_local_psk(files: Certificates) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.set_psk_server_callback(lambda identity: b"a pre-shared key")
    return context


def with_local_name_callback(files: Certificates) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.set_servername_callback(lambda *args: None)
    return context


def with_executor(files: Certificates) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.handshake_executor = EXECUTOR
    return context


WAY_OUT = "which another process cannot import: define the function at the top of a module"
REFUSALS: dict[str, tuple[Callable[[Certificates], Any], str]] = {
    "key from memory": (
        with_key_from_memory,
        "whose EC key is from memory: load it from a file with load_cert_chain()",
    ),
    "password": (with_password, "that has the password of .*: call load_cert_chain() with a function that returns it"),
    "password function": (with_local_password, f"whose password is .*<lambda>, {WAY_OUT}"),
    "sni_callback": (with_local("sni_callback"), f"whose sni_callback is .*<lambda>, {WAY_OUT}"),
    "_msg_callback": (with_local("_msg_callback"), f"whose msg_callback is .*<lambda>, {WAY_OUT}"),
    "keylog_callback": (with_local("keylog_callback"), f"whose keylog_callback is .*<lambda>, {WAY_OUT}"),
    "verify_callback": (with_local("verify_callback"), f"whose verify_callback is .*<lambda>, {WAY_OUT}"),
    "reload_error_callback": (
        with_local("reload_error_callback"),
        f"whose reload_error_callback is .*<lambda>, {WAY_OUT}",
    ),
    "new_session_callback": (
        with_local("new_session_callback"),
        f"whose new_session_callback is .*<lambda>, {WAY_OUT}",
    ),
    "session_store": (with_session_store, "that has a session_store: its sessions are secrets of this process"),
    "server_session_cache": (with_server_session_cache, "that has a server_session_cache: pickle a copy() with None"),
    "ticket_keys": (
        with_ticket_keys,
        "that has ticket_keys, which are secrets: pickle a copy() with None, and set a ring",
    ),
    "handshake_executor": (
        with_executor,
        "that has a handshake_executor, whose threads no other process has: pickle a copy() with None",
    ),
    "psk": (with_local_psk, f"whose psk_server_callback is .*<lambda>, {WAY_OUT}"),
    "set_servername_callback": (with_local_name_callback, f"whose sni_callback is .*<lambda>, {WAY_OUT}"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_no_other_process_can_have_is_refused(certificates: Certificates, name: str) -> None:
    made, sentence = REFUSALS[name]
    context = made(certificates)
    pattern = "cannot pickle a context " + sentence.replace("()", r"\(\)")

    assert re.match(pattern, refused(context))


def test_a_file_that_is_gone_is_an_error_where_it_is_read(certificates: Certificates, tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(certificates.ca_file.read_bytes())
    client = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(path)
    written = pickle.dumps(client)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"ca\.pem"):
        pickle.loads(written)


def test_no_secret_is_in_a_pickle(certificates: Certificates) -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.server)
    context.set_psk_server_callback(psk_of_server)
    assert psk_of_server("") == b"a pre-shared key"
    written = pickle.dumps(context)
    text = io.StringIO()
    pickletools.dis(written, text)
    assert "PRIVATE KEY" not in text.getvalue()
    assert "pre-shared" not in text.getvalue()
    lines = certificates.server.key.read_text().splitlines()[1:-1]
    assert not any(line.encode() in written for line in lines)


# --- Other processes --------------------------------------------------------------------------------------------------


def handshake_with(client: Any, server: Any) -> tuple[Any, ...]:
    """In a process of its own."""
    pair = Pair(client, server, server_hostname=HOST)
    pair.handshake()
    assert server.sni_callback is callback
    return os.getpid(), pair.client.version(), pair.client.getpeercert()["subjectAltName"][0], client.frozen


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")  # uvloop's threads, in other tests
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_worker_of_every_kind_gets_the_contexts(certificates: Certificates, version: Any, method: str) -> None:
    client = certificates.client_context(version).freeze()
    server = certificates.server_context(version)
    server.sni_callback = callback
    with ProcessPoolExecutor(1, multiprocessing.get_context(method)) as pool:
        process, agreed, name, frozen = pool.submit(handshake_with, client, server).result(PATIENCE)
    assert process != os.getpid()
    assert agreed == f"TLSv1.{version - 0x301}"
    assert name == ("DNS", HOST)
    assert frozen
