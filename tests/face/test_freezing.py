"""freeze(): a context that nobody changes any more, whoever holds it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import HOST, Certificates
from tests.kit.changes import CHANGES, EXECUTOR, callback, new_context, try_every_change, use
from tests.kit.pair import Pair
from tests.kit.settings import SETTINGS
from tests.kit.sockets import WITH_TIMEOUT, tls_sockets
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task
from wiretight._core.context.lifecycle import settings_by_name

FROZEN = r"this context is frozen: change a copy\(\) of it"


def test_every_setting_has_a_change_that_shows(certificates: Certificates) -> None:
    assert set(CHANGES) == set(SETTINGS)
    for name, change in CHANGES.items():
        context = new_context(name)
        before = settings_by_name(context)
        change(context, certificates)
        assert settings_by_name(context) != before, name


@pytest.mark.parametrize("in_use", [False, True], ids=["new", "in-use"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_frozen_context_refuses_every_change(certificates: Certificates, name: str, in_use: bool) -> None:
    context = new_context(name)
    if in_use:
        use(context)
    assert not context.frozen
    assert context.freeze() is context
    assert context.frozen
    before = settings_by_name(context)
    with pytest.raises(RuntimeError, match=FROZEN):
        CHANGES[name](context, certificates)
    assert settings_by_name(context) == before
    assert context.freeze() is context
    use(context)


@contextlib.contextmanager
def by_sockets(client: Any, server: Any) -> Iterator[Callable[[bytes], bytes]]:
    with tls_sockets(client, server, mode=WITH_TIMEOUT) as (near, far):

        def exchange(data: bytes) -> bytes:
            near.sendall(data)
            return far.recv(100)

        yield exchange


@contextlib.contextmanager
def by_objects(client: Any, server: Any) -> Iterator[Callable[[bytes], bytes]]:
    pair = Pair(client, server, server_hostname=HOST)
    pair.handshake()
    yield lambda data: pair.transfer(data, pair.client)


@pytest.mark.parametrize("face", [by_sockets, by_objects])
def test_connections_are_made_as_before(
    certificates: Certificates, client_context: Any, server_context: Any, face: Any
) -> None:
    contexts = client_context.freeze(), server_context.freeze()
    before = [settings_by_name(context) for context in contexts]
    with face(*contexts) as exchange:
        assert exchange(b"data") == b"data"
        for context in contexts:
            try_every_change(context, certificates)
        assert exchange(b"more") == b"more"
    assert [settings_by_name(context) for context in contexts] == before
    with face(*contexts) as exchange:
        assert exchange(b"data") == b"data"


class OfAProgram(tls.SSLContext):
    chosen: Any = None


ATTRIBUTES = {
    "sslsocket_class": tls.SSLSocket,
    "sslobject_class": tls.SSLObject,
    "handshake_timeout": 1.0,
    "chosen": "something",
    "unheard_of": "something",
    "__class__": OfAProgram,
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_attributes_can_neither_be_set_nor_deleted(name: str) -> None:
    context = OfAProgram(tls.PROTOCOL_TLS_CLIENT)
    context.chosen = "before"
    context.freeze()
    with pytest.raises(RuntimeError, match=FROZEN):
        setattr(context, name, ATTRIBUTES[name])
    with pytest.raises(RuntimeError, match=FROZEN):
        delattr(context, name)
    assert vars(context) == {"chosen": "before"}


def test_frozen_itself_cannot_be_set(client_context: Any) -> None:
    for _ in range(2):
        with pytest.raises((AttributeError, RuntimeError)):
            client_context.frozen = False
        client_context.freeze()
    assert client_context.frozen


# What urllib3 and httpcore set before each connection, whoever made the context.
NO_CHANGES: dict[str, Callable[[Any], Any]] = {
    "verify_mode": lambda it: setattr(it, "verify_mode", tls.CERT_REQUIRED),
    "check_hostname": lambda it: setattr(it, "check_hostname", True),
    "hostname_checks_common_name": lambda it: setattr(it, "hostname_checks_common_name", False),
    "minimum_version": lambda it: setattr(it, "minimum_version", tls.TLSVersion.TLSv1_2),
    "options": lambda it: setattr(it, "options", it.options | tls.OP_NO_COMPRESSION),
    "verify_flags": lambda it: setattr(it, "verify_flags", it.verify_flags | tls.VERIFY_X509_TRUSTED_FIRST),
    "alpn": lambda it: it.set_alpn_protocols(["h2", "http/1.1"]),
    "ciphers": lambda it: it.set_ciphers("ECDHE+AESGCM"),
    "groups": lambda it: it.set_groups("X25519:P-256"),
    "reload_interval": lambda it: setattr(it, "reload_interval", 60),
    "handshake_timeout": lambda it: setattr(it, "handshake_timeout", 60),
    "handshake_executor": lambda it: setattr(it, "handshake_executor", EXECUTOR),
    "no key log": lambda it: setattr(it, "keylog_filename", None),
    "keylog_callback": lambda it: setattr(it, "keylog_callback", callback),
    "no callback": lambda it: setattr(it, "_msg_callback", None),
}


@pytest.mark.parametrize("name", NO_CHANGES)
def test_what_stays_as_it_is_may_be_set(name: str) -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    for prepare in NO_CHANGES.values():
        prepare(context)
    before = settings_by_name(context.freeze())
    NO_CHANGES[name](context)
    assert settings_by_name(context) == before


def test_nothing_is_created_or_asked_for_in_vain(certificates: Certificates, tmp_path: Path) -> None:
    asked: list[str] = []
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER).freeze()
    with pytest.raises(RuntimeError, match=FROZEN):
        context.keylog_filename = tmp_path / "keys"
    with pytest.raises(RuntimeError, match=FROZEN):
        context.load_cert_chain(tmp_path / "missing.pem", password=lambda: asked.append("password"))
    with pytest.raises(RuntimeError, match=FROZEN):
        context.load_dh_params(tmp_path / "missing.pem")
    with pytest.raises(RuntimeError, match=FROZEN):
        context.load_verify_locations(tmp_path / "missing.pem")
    assert not list(tmp_path.iterdir())
    assert not asked


def test_no_change_of_another_thread_comes_in_late() -> None:
    def go_on_changing(context: Any) -> None:
        for number in itertools.count():
            context.num_tickets = number

    def change(context: Any) -> None:
        with pytest.raises(RuntimeError, match=FROZEN):
            go_on_changing(context)

    for _ in range(20):
        context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        tasks = [Task(change, context) for _ in range(3)]
        before = settings_by_name(context.freeze())
        for task in tasks:
            task.result(PATIENCE)
        assert settings_by_name(context) == before


def test_renewed_files_are_read_all_the_same(certificates: Certificates, tmp_path: Path) -> None:
    """They are where the program has put them: what it has set stays as it is."""
    paths = tmp_path / "cert.pem", tmp_path / "key.pem"

    def write(source: Any) -> None:
        for path, content in zip(paths, source, strict=True):
            path.write_bytes(content.read_bytes())

    write(certificates.server)
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*paths)
    [before] = context.freeze().credentials
    write(certificates.many_names)
    assert context.reload_cert_chain()
    assert context.frozen
    assert context.credentials != (before,)
