"""A change of every setting of a context, for tests of what all of them have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.kit.caches import Cache
from tests.kit.certificates import HOST, Certificates
from tests.kit.subject import tls
from tests.kit.threads import Task

Change = Callable[[Any, Certificates], Any]


def assigning(name: str, value: Any) -> Change:
    return lambda context, _: setattr(context, name, value)


def calling(name: str, *args: Any) -> Change:
    return lambda context, _: getattr(context, name)(*args)


def callback(*args: Any) -> None:
    """Of a context; at the top of a module, where pickle finds it."""


EXECUTOR = ThreadPoolExecutor(1)  # which has no thread until it is used


def psk_of_client(hint: str | None) -> tuple[str | None, bytes]:
    return "somebody", b"a pre-shared key"


def psk_of_server(identity: str | None) -> bytes:
    return b"a pre-shared key"


def credential(files: Certificates) -> Any:
    return tls.Credential.from_pem(files.server.chain.read_bytes(), files.server.key.read_bytes())


# By the names in `settings.SETTINGS`: each makes a new context another one.
CHANGES: dict[str, Change] = {
    "options": lambda it, _: setattr(it, "options", it.options ^ tls.OP_NO_TICKET),
    "minimum_version": assigning("minimum_version", tls.TLSVersion.TLSv1_3),
    "maximum_version": assigning("maximum_version", tls.TLSVersion.TLSv1_2),
    "verify_mode": assigning("verify_mode", tls.CERT_OPTIONAL),
    "verify_flags": lambda it, _: setattr(it, "verify_flags", it.verify_flags ^ tls.VERIFY_X509_STRICT),
    "hostname_checks_common_name": assigning("hostname_checks_common_name", False),
    "_host_flags": assigning("_host_flags", 0x10),
    "check_hostname": lambda it, _: setattr(it, "check_hostname", not it.check_hostname),
    "post_handshake_auth": assigning("post_handshake_auth", True),
    "num_tickets": assigning("num_tickets", 7),
    "set_ciphers": calling("set_ciphers", "ECDHE+CHACHA20:@SECLEVEL=0"),
    "set_ciphersuites": calling("set_ciphersuites", "TLS_AES_128_GCM_SHA256"),
    "set_groups": calling("set_groups", "P-384:X25519"),
    "set_ecdh_curve": calling("set_ecdh_curve", "secp521r1"),
    "set_client_sigalgs": calling("set_client_sigalgs", "ecdsa_secp256r1_sha256"),
    "set_server_sigalgs": calling("set_server_sigalgs", "ecdsa_secp256r1_sha256"),
    "set_alpn_protocols": calling("set_alpn_protocols", ["h2"]),
    "_set_alpn_protocols": calling("_set_alpn_protocols", b"\x08http/1.1"),
    "load_cert_chain": lambda it, files: it.load_cert_chain(*files.server),
    "add_credential": lambda it, files: it.add_credential(credential(files)),
    "credentials": lambda it, files: setattr(it, "credentials", [credential(files)]),
    "reload_interval": assigning("reload_interval", 60.0),
    "reload_error_callback": assigning("reload_error_callback", callback),
    "load_dh_params": lambda it, files: it.load_dh_params(files.dh_file),
    "load_verify_locations": lambda it, files: it.load_verify_locations(files.ca_file),
    "load_crls": lambda it, files: it.load_crls(data=files.crl().pem),
    "trust_store": lambda it, files: setattr(it, "trust_store", tls.TrustStore(files.ca_file.read_text())),
    "load_default_certs": calling("load_default_certs"),
    "set_default_verify_paths": calling("set_default_verify_paths"),
    "sni_callback": assigning("sni_callback", callback),
    "set_servername_callback": calling("set_servername_callback", callback),
    "_msg_callback": assigning("_msg_callback", callback),
    "message_callback": assigning("message_callback", callback),
    "keylog_callback": assigning("keylog_callback", callback),
    "client_hello_callback": assigning("client_hello_callback", callback),
    "alpn_callback": assigning("alpn_callback", callback),
    "alpn_required": assigning("alpn_required", True),
    "client_credential_callback": assigning("client_credential_callback", callback),
    "set_ca_names": calling("set_ca_names", [bytes.fromhex("300d310b3009060355040613024445")]),
    "session_store": lambda it, _: setattr(it, "session_store", tls.MemorySessionStore()),
    "ticket_keys": lambda it, _: setattr(it, "ticket_keys", tls.TicketKeys()),
    "new_session_callback": assigning("new_session_callback", callback),
    "session_timeout": assigning("session_timeout", 60),
    "session_id_context": assigning("session_id_context", b"service"),
    "server_session_cache": assigning("server_session_cache", Cache()),
    "set_psk_client_callback": calling("set_psk_client_callback", psk_of_client),
    "set_psk_server_callback": calling("set_psk_server_callback", psk_of_server, "a hint"),
    "keylog_filename": lambda it, files: setattr(it, "keylog_filename", files.folder / "keys"),
    "verify_callback": assigning("verify_callback", callback),
    "policy_id": assigning("policy_id", b"1"),
    "remember_verified_chains": assigning("remember_verified_chains", False),
    "read_ahead": assigning("read_ahead", True),
    "key_update_after": assigning("key_update_after", 1000),
    "handshake_callback": assigning("handshake_callback", callback),
    "handshake_executor": assigning("handshake_executor", EXECUTOR),
    "apply_policy": lambda it, _: it.apply_policy(tls.Policy.named("fast-1")),
}

# Each sets several things, of which a context must never have a part.
POLICIES = ("mozilla-modern-5.7", "mozilla-intermediate-5.7")

# What only one kind of context has.
OF_A_CLIENT = {
    *("check_hostname", "client_credential_callback", "new_session_callback", "session_store"),
    *("set_psk_client_callback", "verify_callback"),
}
OF_A_SERVER = {
    *("alpn_callback", "client_hello_callback", "num_tickets", "server_session_cache", "session_id_context"),
    *("session_timeout", "set_psk_server_callback", "set_servername_callback", "sni_callback", "ticket_keys"),
}


def new_context(name: str) -> Any:
    """A context that can have this setting, and has none but the defaults."""
    return tls.SSLContext(tls.PROTOCOL_TLS_CLIENT if name in OF_A_CLIENT else tls.PROTOCOL_TLS_SERVER)


def use(context: Any) -> None:
    """Makes a connection with the context."""
    server_side = context.protocol == tls.PROTOCOL_TLS_SERVER
    context.wrap_bio(tls.MemoryBIO(), tls.MemoryBIO(), server_side, None if server_side else HOST)


def try_every_change(context: Any, certificates: Certificates) -> None:
    """Of a frozen context, which may have been set to the same before."""
    not_its_own = OF_A_CLIENT if context.protocol == tls.PROTOCOL_TLS_SERVER else OF_A_SERVER
    for name in CHANGES.keys() - not_its_own:
        with contextlib.suppress(RuntimeError):
            CHANGES[name](context, certificates)


@contextlib.contextmanager
def exchanging_policies(context: Any) -> Iterator[None]:
    """Meanwhile, another thread applies one of POLICIES after the other."""
    done: list[bool] = []

    def exchange() -> None:
        while not done:
            for name in POLICIES:
                context.apply_policy(tls.Policy.named(name))

    task = Task(exchange)
    try:
        yield
    finally:
        done.append(True)
        task.result()
