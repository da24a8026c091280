"""What a program may do wrong with what `ssl` has not: the call, the class of the error, and what it says.

By the public name that is misused. tests/face/test_misuse.py runs all of it, and finds a name that has no line. Misuses
of sessions are in sessionmisuses.py. What is wrong with keys, certificates and CRLs themselves is in tables of
test_credentials.py, test_trust_store.py and core/test_certificate.py; what a verify_callback may do wrong, in
test_verification.py.
"""

from __future__ import annotations

import copy
import pickle
import selectors
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

import wiretight
from tests.kit.authority import issue
from tests.kit.certificates import Certificates
from tests.kit.changes import EXECUTOR
from tests.kit.pair import Pair, attempt
from wiretight import (
    Certificate,
    Credential,
    Policy,
    RedisTicketKeyStore,
    TicketKey,
    TicketKeys,
    TrustStore,
    Verification,
    VerifyError,
)
from wiretight._core.context.lifecycle import settings_by_name

Line = tuple[Callable[[Any], object], type[BaseException] | tuple[type[BaseException], ...], str]

SSL, VALUE, TYPE, ATTRIBUTE, RUNTIME = wiretight.SSLError, ValueError, TypeError, AttributeError, RuntimeError
FROZEN = r"this context is frozen: change a copy\(\) of it"
OVER = "the verification is over: call this while verify_callback runs"
LABEL = "EXPERIMENTAL wiretight tests"
KEY = TicketKey(b"n" * 16, bytes(64), 0.0, 2.0e9, 3.0e9)


class Shelf:
    """A TicketKeyStore, which may answer wrongly."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer

    def load(self) -> Any:
        return self.answer

    def store(self, data: bytes, version: object, /) -> bool:
        self.answer = (data, data)
        return True


def refuses(line: Line, it: Any) -> None:
    """The error is the one of the line, and one sentence."""
    misuse, kind, sentence = line
    with pytest.raises(kind, match=sentence) as caught:
        misuse(it)
    assert "\n" not in str(caught.value)
    assert 3 < len(str(caught.value)) < 300


def accept(*_: Any) -> None:
    """Adds nothing to the standard verification."""


async def asynchronous(*_: Any) -> None:
    """Is no callback where nobody awaits."""


class Scene:
    """One object of each class, in use, and what can be seen of them."""

    def __init__(self, files: Certificates, version: Any) -> None:
        pem, key = files.server.chain.read_bytes(), files.server.key.read_bytes()
        self.chain_file = files.server.chain
        self.server = files.server_context(version)
        self.server.reload_interval = 3600
        self.client = files.client_context(version)
        self.store = self.client.trust_store = TrustStore(files.ca_file.read_bytes())
        seen: list[Verification] = []
        self.client.verify_callback = lambda _, verification: seen.append(verification)
        self.client.keylog_callback = self.client.message_callback = accept
        self.client.policy_id = b"1"
        self.pair = Pair(self.client, self.server)
        self.pair.handshake()
        [self.over] = seen
        self.client.verify_callback = accept
        self.frozen_server, self.frozen_client = self.server.copy().freeze(), self.client.copy().freeze()
        self.bare = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
        self.credential = Credential.from_pem(pem, key)
        self.certificate = self.credential.certificates[0]
        self.crl = files.crl().der
        self.key = key.decode()
        self.policy = Policy.named("fast-1")
        self.selector = wiretight.Selector()
        self.open, self.closed = (
            self.client.wrap_socket(wiretight.socket(), server_hostname="localhost") for _ in range(2)
        )
        self.closed.close()

    def close(self) -> None:
        self.selector.close()
        self.open.close()

    def state(self) -> list[Any]:
        contexts = (self.server, self.client, self.frozen_server, self.frozen_client, self.bare)
        return [
            *(settings_by_name(context) for context in contexts),
            *((context.frozen, context.reload_interval, vars(context).copy()) for context in contexts),
            (self.store.fingerprint, self.store.certificates),
            (self.credential.certificates, self.credential.key_type),
            (self.certificate.der(), self.policy.describe(), dict(self.selector.get_map())),
            *(end.connection_info() for end in (self.pair.client, self.pair.server)),
        ]

    def goes_on(self) -> bool:
        """Whether the connection and the contexts are of use."""
        data = self.pair.transfer(b"data", self.pair.client) + self.pair.transfer(b"data", self.pair.server)
        attempt(self.pair.client.peek)
        Pair(self.client, self.server).handshake()
        return data == b"datadata"


def setting(who: str, name: str, value: Any = None) -> Callable[[Any], object]:
    return lambda it: setattr(getattr(it, who), name, value)


def deleting(who: str, name: str) -> Callable[[Any], object]:
    return lambda it: delattr(getattr(it, who), name)


def broken() -> Iterator[Any]:
    raise LookupError("nothing there")
    yield


# --- Connections ------------------------------------------------------------------------------------------------------
# Of a connection after its handshake, on every face.
OF_CONNECTIONS: dict[str, list[Line]] = {
    "export_keying_material": [
        (lambda it: it.export_keying_material(), TYPE, "label"),
        (lambda it: it.export_keying_material(LABEL), TYPE, "length"),
        (lambda it: it.export_keying_material(LABEL.encode(), 32), TYPE, "must be str, not bytes"),
        (lambda it: it.export_keying_material(None, 32), TYPE, "label must be str, not NoneType"),
        (lambda it: it.export_keying_material("", 32), VALUE, "1 to 249 ASCII characters"),
        (lambda it: it.export_keying_material("x" * 250, 32), VALUE, "1 to 249 ASCII characters"),
        (lambda it: it.export_keying_material("schlüssel", 32), VALUE, "1 to 249 ASCII characters"),
        (lambda it: it.export_keying_material("\udcff", 32), VALUE, "1 to 249 ASCII characters"),
        (lambda it: it.export_keying_material("client finished", 32), VALUE, "reserved for TLS itself"),
        (lambda it: it.export_keying_material("server finished", 32), VALUE, "reserved for TLS itself"),
        (lambda it: it.export_keying_material("master secret", 32), VALUE, "reserved for TLS itself"),
        (lambda it: it.export_keying_material("extended master secret", 32), VALUE, "reserved for TLS itself"),
        (lambda it: it.export_keying_material("key expansion", 32), VALUE, "reserved for TLS itself"),
        (lambda it: it.export_keying_material(LABEL, 0), VALUE, "length must be 1 to 8160 bytes, not 0"),
        (lambda it: it.export_keying_material(LABEL, -1), VALUE, "length must be 1 to 8160 bytes, not -1"),
        (lambda it: it.export_keying_material(LABEL, 8161), VALUE, "length must be 1 to 8160 bytes, not 8161"),
        (lambda it: it.export_keying_material(LABEL, 2**70), VALUE, "length must be 1 to 8160"),
        (lambda it: it.export_keying_material(LABEL, 32.0), TYPE, "float"),
        (lambda it: it.export_keying_material(LABEL, "32"), TYPE, "str"),
        (lambda it: it.export_keying_material(LABEL, None), TYPE, "NoneType"),
        (lambda it: it.export_keying_material(LABEL, 32, "text"), TYPE, "bytes-like or None, not str"),
        (lambda it: it.export_keying_material(LABEL, 32, 3), TYPE, "bytes-like"),
        (lambda it: it.export_keying_material(LABEL, 32, bytes(65536)), VALUE, "at most 65535 bytes"),
        (lambda it: it.export_keying_material(LABEL, 32, b"", True), TYPE, "positional"),
        (lambda it: it.export_keying_material(LABEL, 32, early=True), VALUE, "no early data"),
    ],
    "get_channel_binding": [
        (lambda it: it.get_channel_binding("tls-exporter "), VALUE, "not implemented"),
        (lambda it: it.get_channel_binding("TLS-EXPORTER"), VALUE, "not implemented"),
        (lambda it: it.get_channel_binding(""), VALUE, "not implemented"),
        (lambda it: it.get_channel_binding(b"tls-exporter"), TYPE, "must be str, not bytes"),
        (lambda it: it.get_channel_binding(None), TYPE, "cb_type must be str, not NoneType"),
    ],
    "peek": [
        (lambda it: it.peek(-1), VALUE, "size should not be negative"),
        (lambda it: it.peek(1.5), TYPE, "float"),
        (lambda it: it.peek("1"), TYPE, "str"),
        (lambda it: it.peek(None), TYPE, "NoneType"),
        (lambda it: it.peek(bytearray(4)), TYPE, "bytearray"),
        (lambda it: it.peek(1, 0), TYPE, "positional"),
    ],
    "sendv": [
        (lambda it: it.sendv(), TYPE, "buffers"),
        (lambda it: it.sendv(None), TYPE, "not iterable"),
        (lambda it: it.sendv(b"data"), TYPE, "a bytes-like object is required, not 'int'"),
        (lambda it: it.sendv("data"), TYPE, "a bytes-like object is required, not 'str'"),
        (lambda it: it.sendv([b"data", 1.5]), TYPE, "a bytes-like object is required, not 'float'"),
        (lambda it: it.sendv(broken()), LookupError, "nothing there"),
        (lambda it: it.sendv([b"x"], 0), TYPE, "positional"),
        (lambda it: it.sendv(b"x", b"y"), TYPE, "positional"),
    ],
    "close_notify": [(lambda it: it.close_notify(True), TYPE, "positional")],
    "connection_info": [
        (lambda it: it.connection_info("version"), TYPE, "positional"),
        (lambda it: setattr(it.connection_info(), "version", "TLSv1.3"), ATTRIBUTE, "cannot assign to field 'version'"),
    ],
    "peer_ca_names": [(lambda it: it.peer_ca_names(1), TYPE, "positional")],
    "has_pending": [(lambda it: it.has_pending(1), TYPE, "positional")],
    "key_update": [(lambda it: it.key_update(True), TYPE, "positional")],
    "truncated": [(lambda it: setattr(it, "truncated", True), ATTRIBUTE, "truncated|can't set")],
}  # fmt: skip

# --- Everything else --------------------------------------------------------------------------------------------------
# Of a Scene.
OF_CONTEXTS: dict[str, list[Line]] = {
    "SSLContext.add_credential": [
        (lambda it: it.server.add_credential(Credential), TYPE, "Credential, got type"),
        (lambda it: it.frozen_server.add_credential(it.credential), RUNTIME, FROZEN),
    ],
    "SSLContext.credentials": [
        (lambda it: setattr(it.server, "credentials", broken()), LookupError, "nothing there"),
        (setting("frozen_server", "credentials", ()), RUNTIME, FROZEN),
        (deleting("server", "credentials"), ATTRIBUTE, "delete"),
    ],
    "SSLContext.reload_cert_chain": [
        (lambda it: it.bare.reload_cert_chain(), VALUE, r"call load_cert_chain\(\) first"),
        (lambda it: it.bare.reload_cert_chain(force=True), VALUE, r"call load_cert_chain\(\) first"),
        (lambda it: it.server.reload_cert_chain(True), TYPE, "positional"),
    ],
    "SSLContext.remember_verified_chains": [
        (setting("frozen_server", "remember_verified_chains", False), RUNTIME, FROZEN),
        (deleting("server", "remember_verified_chains"), ATTRIBUTE, "delete"),
    ],
    "SSLContext.read_ahead": [
        (setting("frozen_server", "read_ahead", True), RUNTIME, FROZEN),
        (deleting("server", "read_ahead"), ATTRIBUTE, "delete"),
    ],
    "SSLContext.key_update_after": [
        (setting("client", "key_update_after", 0), VALUE, "at least 1 record, or None for no update, not 0"),
        (setting("client", "key_update_after", 1 << 63), VALUE, "at least 1 record, and at most 2\\*\\*63 - 1, not"),
        (setting("client", "key_update_after", 1.5), TYPE, "float"),
        (setting("client", "key_update_after", "1"), TYPE, "str"),
        (setting("frozen_server", "key_update_after", 1), RUNTIME, FROZEN),
        (deleting("server", "key_update_after"), ATTRIBUTE, "delete"),
    ],
    "SSLContext.metrics": [
        (lambda it: it.server.metrics("bytes"), TYPE, "positional"),
        (lambda it: setattr(it.server.metrics(), "bytes_in", 0), ATTRIBUTE, "cannot assign to field 'bytes_in'"),
        (lambda it: it.server.metrics().versions.clear(), ATTRIBUTE, "clear"),
    ],
    "SSLContext.handshake_callback": [
        (setting("server", "handshake_callback", 3), TYPE, "must be callable or None, not int"),
        (setting("frozen_server", "handshake_callback", accept), RUNTIME, FROZEN),
        (deleting("server", "handshake_callback"), ATTRIBUTE, "delete"),
    ],
    "SSLContext.reload_interval": [
        (setting("server", "reload_interval", -1), VALUE, "from 0 to 2147483647, or None, not -1"),
        (setting("server", "reload_interval", float("inf")), VALUE, "from 0 to 2147483647, or None, not inf"),
        (setting("server", "reload_interval", float("nan")), VALUE, "from 0 to 2147483647, or None, not nan"),
        (setting("server", "reload_interval", "60"), TYPE, "a number of seconds .*, or None, not '60'"),
        (setting("server", "reload_interval", [60]), TYPE, r"a number of seconds .*, or None, not \[60\]"),
        (setting("frozen_server", "reload_interval", 60), RUNTIME, FROZEN),
        (deleting("server", "reload_interval"), ATTRIBUTE, "delete"),
    ],
    "SSLContext.reload_error_callback": [
        (setting("server", "reload_error_callback", 3), TYPE, "must be callable or None, not int"),
        (setting("server", "reload_error_callback", "log"), TYPE, "must be callable or None, not str"),
        (setting("frozen_server", "reload_error_callback", accept), RUNTIME, FROZEN),
        (deleting("server", "reload_error_callback"), ATTRIBUTE, "delete"),
    ],
    "SSLContext.handshake_timeout": [
        (setting("server", "handshake_timeout", 0), VALUE, "a positive number of seconds, .*, or None, not 0"),
        (setting("server", "handshake_timeout", "5"), TYPE, "a positive number of seconds, .*, or None, not '5'"),
        (setting("frozen_server", "handshake_timeout", 5), RUNTIME, FROZEN),
    ],
    "SSLContext.handshake_executor": [
        *((setting("server", "handshake_executor", wrong), TYPE, rf"must be an object with submit\(\), .*, not {kind}")
          for wrong, kind in ((4, "int"), ("threads", "str"), (len, "builtin_function_or_method"),
                              (ThreadPoolExecutor, "the class ThreadPoolExecutor"))),
        (lambda it: setattr(it.server, "handshake_executor", ProcessPoolExecutor.__new__(ProcessPoolExecutor)),
         TYPE, "threads of this interpreter"),
        (setting("frozen_server", "handshake_executor", EXECUTOR), RUNTIME, FROZEN),
        (deleting("server", "handshake_executor"), ATTRIBUTE, "delete"),
        (lambda it: pickle.dumps(with_executor(it.server)), TYPE, r"a copy\(\) with None, and set one in each process"),
    ],
    "SSLContext.trust_store": [
        (setting("client", "trust_store"), TYPE, "trust_store must be a TrustStore, not NoneType"),
        (setting("client", "trust_store", "ca.pem"), TYPE, "trust_store must be a TrustStore, not str"),
        (setting("client", "trust_store", b""), TYPE, "trust_store must be a TrustStore, not bytes"),
        (setting("client", "trust_store", 7), TYPE, "trust_store must be a TrustStore, not int"),
        (setting("client", "trust_store", []), TYPE, "trust_store must be a TrustStore, not list"),
        (setting("client", "trust_store", TrustStore), TYPE, "trust_store must be a TrustStore, not type"),
        (setting("frozen_client", "trust_store", TrustStore()), RUNTIME, FROZEN),
        (deleting("client", "trust_store"), ATTRIBUTE, "delete"),
        (lambda it: it.frozen_server.trust_store.add_certificates(it.certificate), RUNTIME, "of a frozen context"),
        (lambda it: it.frozen_server.trust_store.add_crls(it.crl), RUNTIME, r"of a frozen context: change that of a"),
    ],
    "SSLContext.load_crls": [
        (lambda it: it.client.load_crls(), TYPE, "path and data cannot be both omitted"),
        (lambda it: it.client.load_crls(None, None), TYPE, "path and data cannot be both omitted"),
        (lambda it: it.client.load_crls(7), TYPE, "path"),
        (lambda it: it.client.load_crls("missing.crl"), FileNotFoundError, "missing.crl"),
        (lambda it: it.client.load_crls("a\0b"), VALUE, "null byte"),
        (lambda it: it.client.load_crls(data=7), TYPE, "data should be a string or a bytes-like object"),
        (lambda it: it.client.load_crls(data=[it.crl]), TYPE, "data should be a string or a bytes-like object"),
        (lambda it: it.client.load_crls(data=""), VALUE, "Empty CRL data"),
        (lambda it: it.client.load_crls(data=b""), VALUE, "Empty CRL data"),
        (lambda it: it.client.load_crls(data="junk"), SSL, "data does not contain a CRL"),
        (lambda it: it.client.load_crls(data=it.crl[:-1]), SSL, "data does not contain a CRL"),
        (lambda it: it.client.load_crls(data=it.certificate.der()), SSL, "wrong tag|data does not contain a CRL"),
        (lambda it: it.client.load_crls(it.crl, "x", 1), TYPE, "positional"),
        (lambda it: it.client.load_crls(crl=it.crl), TYPE, "crl"),
        (lambda it: it.frozen_client.load_crls(data=it.crl), RUNTIME, FROZEN),
    ],
    "SSLContext.verify_callback": [
        *((setting("client", "verify_callback", wrong), TYPE, f"verify_callback must be callable or None, not {kind}")
          for wrong, kind in (("accept", "str"), (b"", "bytes"), (0, "int"), (object(), "object"), ([], "list"))),
        (setting("server", "verify_callback", accept), VALUE, "verify_callback needs a verification"),
        (setting("frozen_client", "verify_callback"), RUNTIME, FROZEN),
        (deleting("client", "verify_callback"), ATTRIBUTE, "delete"),
        (lambda it: pickle.dumps(with_local(it.client, "verify_callback")), TYPE, "whose verify_callback is .*lambda"),
    ],
    "SSLContext.policy_id": [
        (setting("client", "policy_id", "text"), TYPE, "policy_id must be bytes or None, not str"),
        (setting("client", "policy_id", 7), TYPE, "policy_id must be bytes or None, not int"),
        (setting("client", "policy_id", bytearray(b"x")), TYPE, "policy_id must be bytes or None, not bytearray"),
        (setting("client", "policy_id", b""), VALUE, "policy_id must not be empty"),
        (setting("frozen_client", "policy_id", b"2"), RUNTIME, FROZEN),
        (deleting("client", "policy_id"), ATTRIBUTE, "delete"),
    ],
    "SSLContext.keylog_callback": [
        *((setting("client", "keylog_callback", wrong), TYPE, f"keylog_callback must be callable or None, not {kind}")
          for wrong, kind in (("keys.txt", "str"), (b"keys", "bytes"), (1, "int"), ([], "list"), (object(), "object"))),
        (setting("frozen_client", "keylog_callback"), RUNTIME, FROZEN),
        (deleting("client", "keylog_callback"), ATTRIBUTE, "delete"),
        (lambda it: pickle.dumps(with_local(it.client, "keylog_callback")), TYPE, "whose keylog_callback is .*lambda"),
    ],
    "SSLContext.message_callback": [
        *((setting("client", "message_callback", wrong), TYPE, f"message_callback must be callable or None, not {kind}")
          for wrong, kind in (("messages", "str"), (b"messages", "bytes"), (1, "int"), (object(), "object"))),
        (setting("frozen_client", "message_callback"), RUNTIME, FROZEN),
        (deleting("client", "message_callback"), ATTRIBUTE, "delete"),
    ],
    "SSLContext.client_hello_callback": [
        *((setting("server", "client_hello_callback", wrong), TYPE, f"must be callable or None, not {kind}")
          for wrong, kind in ((3, "int"), ("callback", "str"), ({}, "dict"))),
        (setting("client", "client_hello_callback", accept), VALUE, "is for servers: it needs a context made with"),
        (setting("frozen_server", "client_hello_callback", accept), RUNTIME, FROZEN),
        (deleting("server", "client_hello_callback"), ATTRIBUTE, "delete"),
        (lambda it: pickle.dumps(with_local(it.server, "client_hello_callback")), TYPE, "client_hello_callback is .*l"),
    ],
    "SSLContext.alpn_callback": [
        *((setting("server", "alpn_callback", wrong), TYPE, f"must be callable or None, not {kind}")
          for wrong, kind in ((3, "int"), ("h2", "str"), (["h2"], "list"))),
        (setting("server", "alpn_callback", asynchronous), TYPE, "alpn_callback cannot be a coroutine function"),
        (setting("client", "alpn_callback", accept), VALUE, "a client offers the protocols of set_alpn_protocols"),
        (setting("frozen_server", "alpn_callback", accept), RUNTIME, FROZEN),
        (deleting("server", "alpn_callback"), ATTRIBUTE, "delete"),
    ],
    "SSLContext.alpn_required": [
        (setting("frozen_server", "alpn_required", True), RUNTIME, FROZEN),
        (deleting("server", "alpn_required"), ATTRIBUTE, "delete"),
    ],
    "SSLContext.ticket_keys": [
        *((setting("server", "ticket_keys", wrong), TYPE, f"ticket_keys must be a TicketKeys or None, not {kind}")
          for wrong, kind in ((b"keys", "bytes"), ([KEY], "list"), (KEY, "TicketKey"), (object(), "object"))),
        (setting("client", "ticket_keys", TicketKeys()), VALUE, "is for servers: it needs a context made with"),
        (setting("frozen_server", "ticket_keys", TicketKeys()), RUNTIME, FROZEN),
        (deleting("server", "ticket_keys"), ATTRIBUTE, "delete|deleter"),
        (lambda it: pickle.dumps(with_ticket_keys(it.server)), TYPE, "cannot pickle a context that has ticket_keys"),
    ],
    "TicketKeys": [
        (lambda _: TicketKeys([b"key"]), TYPE, "keys must be TicketKey objects, not bytes"),
        (lambda _: TicketKeys([tuple(KEY)]), TYPE, "keys must be TicketKey objects, not tuple"),
        (lambda _: TicketKeys(1), TYPE, "not iterable"),
        (lambda _: TicketKeys([KEY, KEY]), VALUE, "two ticket keys have the name 6e6e.*: each needs one of its own"),
        (lambda _: TicketKeys([KEY._replace(name=b"short")]), VALUE, "name of a ticket key must be 16 bytes, not 5"),
        (lambda _: TicketKeys([KEY._replace(name="n" * 16)]), TYPE, "name of a ticket key should be 16 bytes, not str"),
        (lambda _: TicketKeys([KEY._replace(secret=bytes(48))]), VALUE, "must be 32 or 64 bytes, not 48"),
        (lambda _: TicketKeys([KEY._replace(secret=None)]), TYPE, "secret of a ticket key should be bytes-like"),
        (lambda _: TicketKeys([KEY._replace(expires=1)]), VALUE, "be in this order: not_before, encrypt_until, exp"),
        (lambda _: TicketKeys([KEY._replace(not_before=float("nan"))]), VALUE, "must be in this order"),
        (lambda _: TicketKeys([KEY._replace(expires="later")]), TYPE, "real number"),
        (lambda _: TicketKeys(rotate_every=0), VALUE, "rotate_every must be a positive number of seconds"),
        (lambda _: TicketKeys(rotate_every="day"), TYPE, "rotate_every must be a positive number of seconds"),
        (lambda _: TicketKeys(rotate_every=None), VALUE, "a ring without keys has to make its own"),
        (lambda _: TicketKeys(accept_for=-1), VALUE, "accept_for must be a number of seconds"),
        (lambda _: TicketKeys(accept_for=None), TYPE, "accept_for must be a number of seconds from 0"),
        (lambda _: pickle.dumps(TicketKeys()), TYPE, r"its keys are secrets; send to_bytes\(wrapping_key\)"),
        (lambda _: copy.copy(TicketKeys()), TYPE, "its keys are secrets"),
    ],
    "TicketKeys.keys": [(lambda _: setattr(TicketKeys(), "keys", ()), ATTRIBUTE, "keys")],
    "TicketKeys.rotate": [
        (lambda _: TicketKeys([KEY], rotate_every=None).rotate(), VALUE, "are those that it was given: make another"),
    ],
    "TicketKeys.from_files": [
        (lambda _: TicketKeys.from_files("/nowhere/ticket.key"), FileNotFoundError, "No such file"),
        (lambda _: TicketKeys.from_files(3), TYPE, "os.PathLike object, not int"),
        (lambda it: TicketKeys.from_files(it.chain_file), VALUE, "has no ticket keys: it should have 80 or 48 bytes"),
    ],
    "TicketKeys.to_bytes": [
        (lambda _: TicketKeys().to_bytes(bytes(16)), VALUE, r"must be 32 bytes, such as of .*, not 16"),
        (lambda _: TicketKeys().to_bytes("k" * 32), TYPE, "wrapping_key should be 32 bytes, not str"),
    ],
    "TicketKeys.from_bytes": [
        (lambda _: TicketKeys.from_bytes(b"", bytes(32)), VALUE, "these are no ticket keys: pass what"),
        (lambda _: TicketKeys.from_bytes("keys", bytes(32)), TYPE, "data should be bytes-like, not str"),
        (lambda _: TicketKeys.from_bytes(b"WTTK\1", bytes(32)), VALUE, "damaged: a part is missing"),
        (lambda _: TicketKeys.from_bytes(TicketKeys().to_bytes(bytes(32)), bytes(31) + b"1"), VALUE, "another wrap"),
    ],
    "TicketKeys.shared": [
        (lambda _: TicketKeys.shared({}, bytes(32)), TYPE, r"be a TicketKeyStore, with load\(\) and store\(\), not d"),
        (lambda _: TicketKeys.shared(Shelf, bytes(32)), TYPE, "must be a TicketKeyStore, .*, not the class Shelf"),
        (lambda _: TicketKeys.shared(Shelf(), bytes(31)), VALUE, "wrapping_key must be 32 bytes"),
        (lambda _: TicketKeys.shared(Shelf(), bytes(32), refresh=0), VALUE, "refresh must be a positive number"),
        (lambda _: TicketKeys.shared(Shelf(), bytes(32), refresh=None), TYPE, "refresh must be .*, not None"),
        (lambda _: TicketKeys.shared(Shelf(), bytes(32), rotate_every=None), TYPE, "rotate_every must be .*, not None"),
        (lambda _: TicketKeys.shared(Shelf(), bytes(32), rotate_every=479), VALUE, "at least 8 times refresh, 480"),
        (lambda _: TicketKeys.shared(Shelf(5), bytes(32)), TYPE, r"return \(version, data\) or None, not int"),
    ],
    "RedisTicketKeyStore": [
        (lambda _: RedisTicketKeyStore("localhost"), TYPE, r"be a redis.Redis, with get\(\) and eval\(\), not str"),
    ],
    "SSLContext.client_credential_callback": [
        *((setting("client", "client_credential_callback", wrong), TYPE, f"must be callable or None, not {kind}")
          for wrong, kind in ((3, "int"), ("client.pem", "str"))),
        (lambda it: setattr(it.client, "client_credential_callback", it.credential), TYPE, "not Credential"),
        (setting("server", "client_credential_callback", accept), VALUE, "is for clients: it needs a context made"),
        (setting("frozen_client", "client_credential_callback", accept), RUNTIME, FROZEN),
        (deleting("client", "client_credential_callback"), ATTRIBUTE, "delete"),
    ],
    "SSLContext.set_ca_names": [
        (lambda it: it.server.set_ca_names(), TYPE, "names"),
        (lambda it: it.server.set_ca_names(None), TYPE, "not iterable"),
        (lambda it: it.server.set_ca_names("CN=x"), TYPE, "an iterable of names, not str"),
        (lambda it: it.server.set_ca_names(it.certificate), TYPE, "an iterable of names, not Certificate"),
        (lambda it: it.server.set_ca_names(["CN=x"]), TYPE, "bytes-like"),
        (lambda it: it.server.set_ca_names([it.certificate.der()]), VALUE, "not the DER of a distinguished name"),
        (lambda it: it.server.set_ca_names(broken()), LookupError, "nothing there"),
        (lambda it: it.frozen_server.set_ca_names([it.certificate]), RUNTIME, FROZEN),
    ],
    "SSLContext.freeze": [(lambda it: it.client.freeze(True), TYPE, "positional")],
    "SSLContext.frozen": [
        (setting("client", "frozen", True), ATTRIBUTE, "frozen|can't set"),
        (setting("frozen_client", "frozen", False), (ATTRIBUTE, RUNTIME), "frozen|can't set"),
        (deleting("client", "frozen"), ATTRIBUTE, "frozen|can't delete"),
    ],
    "SSLContext.copy": [
        (lambda it: it.client.copy(True), TYPE, "positional"),
        (lambda it: copy.copy(it.frozen_client).freeze().__setattr__("policy_id", b"2"), RUNTIME, FROZEN),
    ],
    "SSLContext.apply_policy": [
        (lambda it: it.server.apply_policy(), TYPE, "policy"),
        (lambda it: it.server.apply_policy("fast-1"), TYPE, "policy must be a Policy, such as .*, not str"),
        (lambda it: it.server.apply_policy(None), TYPE, "policy must be a Policy, such as .*, not NoneType"),
        (lambda it: it.server.apply_policy(Policy), TYPE, "policy must be a Policy, such as .*, not type"),
        (lambda it: it.server.apply_policy({"name": "fast-1"}), TYPE, "policy must be a Policy, .*, not dict"),
        (lambda it: it.server.apply_policy(it.policy, it.policy), TYPE, "positional"),
        (lambda it: it.frozen_server.apply_policy(Policy.named("fast-1")), RUNTIME, FROZEN),
    ],
    "Policy": [
        (lambda it: Policy(), TYPE, r"policies are made by their names: Policy\.named"),
        (lambda it: Policy("fast-1"), TYPE, "argument"),
    ],
    "Policy.named": [
        (lambda it: Policy.named(), TYPE, "name"),
        (lambda it: Policy.named("mozilla-future"), VALUE, r"there is no policy 'mozilla-future': names\(\) lists"),
        (lambda it: Policy.named("FAST-1"), VALUE, "there is no policy 'FAST-1'"),
        (lambda it: Policy.named("fast"), VALUE, "there is no policy 'fast'"),
        (lambda it: Policy.named(""), VALUE, "there is no policy ''"),
        (lambda it: Policy.named("../policies/fast-1"), VALUE, "there is no policy"),
        (lambda it: Policy.named(b"fast-1"), TYPE, "a policy's name must be a string, not bytes"),
        (lambda it: Policy.named(None), TYPE, "a policy's name must be a string, not NoneType"),
    ],
    "Policy.names": [(lambda it: Policy.names("mozilla"), TYPE, "positional")],
    "Policy.describe": [(lambda it: it.policy.describe("groups"), TYPE, "positional")],
    "Policy.name": [
        (setting("policy", "name", "mine"), ATTRIBUTE, "a policy is immutable: 'name' cannot be set"),
        (deleting("policy", "name"), ATTRIBUTE, "a policy is immutable: 'name' cannot be deleted"),
    ],
    "Credential.from_pem": [(lambda it: Credential.from_pem(it.certificate, it.key), TYPE, "certificates should be")],
    "Credential.from_der": [(lambda it: Credential.from_der([it.certificate], b"key"), TYPE, "bytes-like")],
    "Credential.from_pkcs12": [(lambda it: Credential.from_pkcs12(it.credential), TYPE, "data should be")],
    "Credential.from_objects": [
        (lambda it: Credential.from_objects(it.certificate, it.credential), TYPE, "key must be a private key of"),
    ],
    "Credential.certificates": [
        (setting("credential", "certificates", ()), ATTRIBUTE, "not writable"),
        (deleting("credential", "certificates"), ATTRIBUTE, "not writable"),
    ],
    "Credential.key_type": [(setting("credential", "key_type", "RSA"), ATTRIBUTE, "not writable")],
    "TrustStore": [
        (lambda it: TrustStore(roots=it.certificate), TYPE, "roots"),
        (lambda it: TrustStore((), (), ()), TYPE, "positional"),
        (lambda it: TrustStore(it.key), SSL, "does not contain a certificate"),
        (lambda it: type("Own", (TrustStore,), {}), TYPE, "base type"),
        (lambda it: pickle.dumps(it.store), TYPE, "cannot pickle"),
    ],
    "TrustStore.system": [(lambda it: TrustStore.system("/etc/ssl"), TYPE, "argument")],
    "TrustStore.from_file": [
        (lambda it: TrustStore.from_file(), TYPE, "argument"),
        (lambda it: TrustStore.from_file(7), TYPE, "path"),
        (lambda it: TrustStore.from_file(None), TYPE, "path"),
        (lambda it: TrustStore.from_file("missing.pem"), FileNotFoundError, "missing.pem"),
        (lambda it: TrustStore.from_file("/"), IsADirectoryError, "Is a directory"),
        (lambda it: TrustStore.from_file("/dev/null"), SSL, "no certificate or crl found"),
    ],
    "TrustStore.from_directory": [
        (lambda it: TrustStore.from_directory(None), TYPE, "path"),
        (lambda it: TrustStore.from_directory("missing"), FileNotFoundError, "missing"),
        (lambda it: TrustStore.from_directory("/dev/null"), NotADirectoryError, r"use from_file\(\) for a file"),
        (lambda it: TrustStore.from_directory("one:two"), VALUE, "contains ':', which separates directories"),
    ],
    "TrustStore.add_certificates": [
        (lambda it: it.store.add_certificates(), TYPE, "argument"),
        (lambda it: it.store.add_certificates(it.crl), SSL, "does not contain a certificate"),
        (lambda it: it.store.add_certificates(it.credential), TYPE, "or an iterable of these, not Credential"),
        (lambda it: it.store.add_certificates([issue().der, it.store]), TYPE, "data must be .*, not TrustStore"),
        (lambda it: it.store.add_certificates(it.pair), TYPE, "or an iterable of these, not Pair"),
    ],
    "TrustStore.add_crls": [
        (lambda it: it.store.add_crls(), TYPE, "argument"),
        (lambda it: it.store.add_crls(it.certificate), TYPE, "data must be CRLs"),
        (lambda it: it.store.add_crls([it.crl, it.crl[:-1]]), SSL, "does not contain a CRL"),
        (lambda it: it.store.add_crls(it.key), SSL, "does not contain a CRL"),
    ],
    "TrustStore.certificates": [(setting("store", "certificates", []), ATTRIBUTE, "not writable")],
    "TrustStore.fingerprint": [(setting("store", "fingerprint", b""), ATTRIBUTE, "not writable")],
    "Verification": [
        (lambda it: Verification(), TYPE, "cannot create 'Verification' instances"),
        (lambda it: pickle.dumps(it.over), TYPE, "cannot pickle"),
        (lambda it: type("Own", (Verification,), {}), TYPE, "base type"),
    ],
    "Verification.tolerate": [
        (lambda it: it.over.tolerate(10), RUNTIME, OVER),
        (lambda it: it.over.tolerate(), TYPE, "argument"),
    ],
    "Verification.refuse": [
        (lambda it: it.over.refuse("no"), RUNTIME, OVER),
        (lambda it: it.over.refuse(), TYPE, "argument"),
    ],
    "Verification.errors": [(setting("over", "errors", ()), ATTRIBUTE, "not writable")],
    "Verification.chain": [(setting("over", "chain", []), ATTRIBUTE, "not writable")],
    "Verification.presented": [(deleting("over", "presented"), ATTRIBUTE, "not writable")],
    "Verification.server_hostname": [(setting("over", "server_hostname", "x"), ATTRIBUTE, "not writable")],
    "VerifyError": [
        (lambda it: VerifyError(10), TYPE, "argument"),
        (lambda it: setattr(VerifyError(10, 0, "expired", None), "code", 0), ATTRIBUTE, "can't set"),
        (lambda it: wiretight.VerifyCode(4000), VALUE, "4000 is not a valid VerifyCode"),
    ],
    "Certificate": [
        (lambda it: Certificate(), TYPE, r"use Certificate\.from_pem\(\) or from_der\(\)"),
        (lambda it: Certificate(it.certificate.der()), TYPE, "cannot create"),
        (lambda it: it.certificate < it.certificate, TYPE, "not supported"),
        (lambda it: type("Own", (Certificate,), {}), TYPE, "base type"),
    ],
    "Certificate.from_pem": [
        (lambda it: Certificate.from_pem(), TYPE, "argument"),
        (lambda it: Certificate.from_pem(it.certificate), TYPE, "data should be a string or a bytes-like object, not"),
        (lambda it: Certificate.from_pem(it.certificate.pem() * 2), VALUE, "has 2 certificates, but must have one"),
        (lambda it: Certificate.from_pem(it.key), SSL, "does not contain a certificate"),
    ],
    "Certificate.from_der": [
        (lambda it: Certificate.from_der(it.certificate.pem()), TYPE, "data should be a bytes-like object"),
        (lambda it: Certificate.from_der(it.crl), SSL, "does not contain a certificate"),
    ],
    "Certificate.fingerprint": [
        (lambda it: it.certificate.fingerprint(3), TYPE, "name must be str, not int"),
        (lambda it: it.certificate.fingerprint(""), VALUE, "hash function"),
        (lambda it: it.certificate.fingerprint("sha256\0"), VALUE, "null character"),
        (lambda it: it.certificate.fingerprint("sha-257"), VALUE, "no hash function 'sha-257' for this: use 'sha256'"),
        (lambda it: it.certificate.fingerprint("shake_128"), VALUE, "no hash function 'shake_128'"),
    ],
    "Certificate.der": [(lambda it: it.certificate.der("x"), TYPE, "argument")],
    "Certificate.pem": [(lambda it: it.certificate.pem("x"), TYPE, "argument")],
    "Certificate.public_bytes": [
        (lambda it: it.certificate.public_bytes(3), VALUE, "Unsupported format"),
        (lambda it: it.certificate.public_bytes("DER"), TYPE, "integer"),
    ],
    "Certificate.get_info": [(lambda it: it.certificate.get_info("subject"), TYPE, "argument")],
    "Certificate.to_cryptography": [(lambda it: it.certificate.to_cryptography("x"), TYPE, "argument")],
    **{f"Certificate.{name}": [(setting("certificate", name), ATTRIBUTE, "not writable")] for name in (
       "alternative_names", "issuer", "key_bits", "key_type", "not_after", "not_before", "serial_number",
       "signature_algorithm", "spki_sha256", "subject")},
    "Selector.register": [
        (lambda it: it.selector.register(it.closed, selectors.EVENT_READ), VALUE, "file"),
        (lambda it: it.selector.register(it.pair.client, selectors.EVENT_READ), VALUE, "Invalid file object"),
        (lambda it: it.selector.register("client", selectors.EVENT_READ), VALUE, "Invalid file object"),
        (lambda it: it.selector.register(-1, selectors.EVENT_READ), VALUE, "Invalid file"),
        (lambda it: it.selector.register(it.open, 0), VALUE, "Invalid events"),
        (lambda it: it.selector.register(it.open, 8), VALUE, "Invalid events"),
    ],
    "Selector.unregister": [
        (lambda it: it.selector.unregister(it.open), KeyError, "not registered"),
        (lambda it: it.selector.unregister(it.pair.client), VALUE, "Invalid file object"),
    ],
    "Selector.modify": [(lambda it: it.selector.modify(it.open, selectors.EVENT_READ), KeyError, "not registered")],
    "Selector.select": [(lambda it: it.selector.select("1"), TYPE, "not supported")],
    "Selector.close": [(lambda it: it.selector.close(True), TYPE, "positional")],
}  # fmt: skip


def with_local(context: Any, name: str) -> Any:
    copied = context.copy()
    setattr(copied, name, lambda *_: None)
    return copied


def with_ticket_keys(context: Any) -> Any:
    copied = context.copy()
    copied.ticket_keys = TicketKeys()
    return copied


def with_executor(context: Any) -> Any:
    copied = context.copy()
    copied.handshake_executor = EXECUTOR
    return copied


# Before the handshake, of an SSLObject.
TOO_EARLY: dict[str, Line] = {
    "close_notify": (lambda it: it.close_notify(), SSL, "SHUTDOWN_WHILE_IN_INIT"),
    "sendv": (lambda it: it.sendv([3]), TYPE, "bytes-like"),
    "peek": (lambda it: it.peek(-1), VALUE, "size should not be negative"),
    "key_update": (lambda it: it.key_update(), VALUE, "needs a finished handshake"),
}
# Of a socket that is closed.
TOO_LATE: dict[str, Line] = {
    "peek": (lambda it: it.peek(), VALUE, "No SSL wrapper around"),
    "sendv": (lambda it: it.sendv([b"x"]), VALUE, "No SSL wrapper around"),
    "close_notify": (lambda it: it.close_notify(), VALUE, "No SSL wrapper around"),
    "connection_info": (lambda it: it.connection_info(), VALUE, "No SSL wrapper around"),
    "key_update": (lambda it: it.key_update(), VALUE, "No SSL wrapper around"),
}
