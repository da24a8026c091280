"""Recipe: what pickle writes of a context, so that another process can make one like it.

Files are named in it, and read again there; of what was loaded from memory it has the public part. No secret is in it.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from wiretight._core.callbacks import serversessions as _server_sessions
from wiretight._core.context import canames, credentials, lifecycle, reloading
from wiretight._core.sslcontext import _SSLContext
from wiretight._core.trust import addition, locations
from wiretight._standard.system import os
from wiretight._standard.typing import TYPE_CHECKING, Any
from wiretight._tls import hello, observed
from wiretight._tls.constants import PROTOCOL_TLS_CLIENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_native: Any = _SSLContext  # past the properties of a program's subclass

# How each is set again, by the name that it is kept by.
_CALLBACKS: dict[str, Callable[[Any, Any], Any]] = {
    "sni_callback": _native.sni_callback.__set__,
    "msg_callback": _native._msg_callback.__set__,
    "keylog_callback": _native.keylog_callback.__set__,
    "psk_client_callback": _native.set_psk_client_callback,
    "psk_server_callback": lambda context, given: _native.set_psk_server_callback(context, *given),
    "verify_callback": _native.verify_callback.__set__,
    "reload_error_callback": reloading.set_reload_error_callback,
    "new_session_callback": _native.new_session_callback.__set__,
    **hello.CALLBACKS,
    "handshake_callback": observed.set_handshake_callback,
}


def recipe_of(context: Any) -> tuple[dict[str, Any], bytes]:
    """(the recipe, the properties that the new context begins with). Raises TypeError for what cannot be in it.

    Since 0.1.
    """
    plain, everything, frozen = lifecycle.parts(context)
    if "session_store" in everything:
        raise TypeError("cannot pickle a context that has a session_store: its sessions are secrets of this process")
    if "server_session_cache" in everything:
        raise TypeError(
            "cannot pickle a context that has a server_session_cache: pickle a copy() with None, and set one in each "
            "process"
        )
    callbacks = {name: everything[name] for name in _CALLBACKS if name in everything}
    for name, callback in callbacks.items():
        _check_function(name, callback)
    if "psk_server_callback" in callbacks:
        callbacks["psk_server_callback"] = callbacks["psk_server_callback"], everything["psk_hint"].decode()
    if "handshake_executor" in everything:
        raise TypeError(
            "cannot pickle a context that has a handshake_executor, whose threads no other process has: pickle a "
            "copy() with None, and set one in each process"
        )
    if "ticket_keys" in everything:
        raise TypeError(
            "cannot pickle a context that has ticket_keys, which are secrets: pickle a copy() with None, and set a "
            "ring in each process, of TicketKeys.shared() or from_bytes()"
        )
    parameters, log = everything["dh_params"], everything.get("keylog")
    recipe = {
        "plain": plain,
        "trust": addition.loads_of(everything["trust"]),
        "chains": list(_chains(everything)),
        "dh_params": None if parameters is None else credentials.dh_params_pem(parameters),
        "policy_id": everything["policy_id"],
        "session_id_context": everything.get("session_id_context"),
        "callbacks": callbacks,
        "reload_interval": everything.get("reload_interval"),
        "ca_names": list(everything.get("ca_names", ())),
        "keylog_filename": None if log is None else str(Path(os.fsdecode(log.path)).absolute()),
        "frozen": frozen,
    }
    return recipe, everything["properties"] or b""


def _chains(everything: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    """The arguments of each load_cert_chain()."""
    files = everything.get("cert_files", {})
    for credential in everything["credentials"]:
        if credential not in files:
            raise TypeError(
                f"cannot pickle a context whose {credential.key_type} key is from memory: load it from a file with "
                "load_cert_chain(), or make the context in each process"
            )
        certfile, keyfile, password = files[credential].arguments
        if password is not None and not callable(password):
            raise TypeError(
                f"cannot pickle a context that has the password of {keyfile or certfile}: call load_cert_chain() with "
                "a function that returns it"
            )
        _check_function("password", password)
        yield certfile, keyfile, password


def _check_function(name: str, function: Any) -> None:
    while isinstance(function, partial):
        ours = str(getattr(function.func, "__module__", None)).startswith("wiretight.")  # around the program's
        function = function.args[0] if ours else function.func
    qualified = getattr(function, "__qualname__", "")
    if "<" in qualified:  # <locals> or <lambda>
        raise TypeError(
            f"cannot pickle a context whose {name} is {qualified}, which another process cannot import: define the "
            "function at the top of a module"
        )


def made_again(kind: Any, protocol: int, properties: bytes) -> Any:
    """A context with the defaults, for follow(). Since 0.1."""
    if protocol != PROTOCOL_TLS_CLIENT:
        observed.import_for_operators()
    return _native.__new__(kind, protocol, None, properties)


def follow(context: Any, recipe: dict[str, Any]) -> None:
    """Makes `context` like the one of the recipe.

    Raises OSError if a file cannot be read here, SSLError if it is not what it was, or OpenSSL is another and lacks an
    algorithm. Since 0.1.
    """
    lifecycle.put_plain_settings(context, recipe["plain"])
    locations.load_again(context, *recipe["trust"])
    for chain in recipe["chains"]:
        _native.load_cert_chain(context, *chain)
    if recipe["dh_params"] is not None:
        credentials.load_dh_params_pem(context, recipe["dh_params"])
    for name, callback in recipe["callbacks"].items():
        _CALLBACKS[name](context, callback)
    _native.policy_id.__set__(context, recipe["policy_id"])
    _server_sessions.set_session_id_context(context, recipe["session_id_context"])
    canames.set_ca_names(context, recipe["ca_names"])
    reloading.set_reload_interval(context, recipe["reload_interval"])
    if recipe["keylog_filename"] is not None:
        _native.keylog_filename.__set__(context, recipe["keylog_filename"])
    dictionary, slots = recipe["attributes"]
    vars(context).update(dictionary)
    for name, value in slots.items():
        _native.__setattr__(context, name, value)
    if recipe["frozen"]:
        lifecycle.freeze(context)
