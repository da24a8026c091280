"""Running a program, and what can be compared of its end."""

from __future__ import annotations

import array
import io
import re
import socket
import ssl as standard
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

# What is another in every process, or names the module itself.
_ACCIDENTAL = (
    (re.compile(r"\bwiretight(\._core\.\w+)?\b"), "ssl"),
    (re.compile(r"\b_ssl\b"), "ssl"),
    (re.compile(r"0x[0-9a-f]+"), "0x"),
    (re.compile(r"\bfd=\d+"), "fd="),
    (re.compile(r"\('127\.0\.0\.1', \d+\)"), "(address)"),
)


class Outcome(NamedTuple):
    """The end of a program. `error` is None or (class, args[0], reason)."""

    result: Any
    error: tuple[str, Any, str | None] | None
    warned: tuple[str, ...]
    sent: Any  # what left by the wire
    after: Any  # what the program left behind


def ended(program: str, names: dict[str, Any]) -> tuple[Any, Any, tuple[str, ...]]:
    """Runs a program, statements before an expression, all divided by "; "; its result, error and warnings."""
    *statements, expression = program.split("; ")
    names = {"array": array.array, "io": io, "socket": socket, **names}
    result = error = None
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            exec("; ".join(statements), names)
            result = normal(eval(expression, names))
        except Exception as caught:
            first = caught.args[0] if caught.args else None
            error = (type(caught).__name__, text(first), getattr(caught, "reason", None))
        names.clear()
    return result, error, tuple(warning.category.__name__ for warning in warned)


def text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    for pattern, replacement in _ACCIDENTAL:
        value = pattern.sub(replacement, value)
    return value


def normal(value: Any) -> Any:
    """A value without what differs from connection to connection and from module to module."""
    if isinstance(value, standard.SSLSession) or type(value).__name__ == "SSLSession":
        return "SSLSession", bool(value.id), value.has_ticket
    if isinstance(value, (tuple, list)) and type(value) in {tuple, list}:
        return type(value)(normal(item) for item in value)
    if isinstance(value, (memoryview, bytearray)):
        return bytes(value)
    if isinstance(value, (standard.SSLContext, socket.socket, standard.SSLObject, io.IOBase)) or callable(value):
        return "<callable>" if callable(value) else f"<{type(value).__name__}>"
    return text(value)


def outcome_of_connection(place: Any, program: str, files: Path, lengths: bool, other: Any) -> Outcome:
    place.forget_what_left()
    names = {"it": place.it, "tls": place.module, "context": place.context, "other": other, "files": files}
    result, error, warned = ended(program, names)
    records = place.records()
    sent = (records, place.arrivals()) if lengths else [kind for kind, _ in records]
    after, failed, _ = ended("it.version(), it.pending()", {"it": place.it})
    return Outcome(result, error, warned, sent, after or failed)


GETTERS = (
    "check_hostname, verify_mode, verify_flags, options, minimum_version, maximum_version, security_level, "
    "num_tickets, protocol, post_handshake_auth, keylog_filename, sni_callback, hostname_checks_common_name, "
    "cert_store_stats(), [*sorted(str(c) for c in it.get_ca_certs())], [c['name'] for c in it.get_ciphers()], "
    "session_stats()"
)


def outcome_in_context(module: ModuleType, protocol: str, program: str, files: Path) -> Outcome:
    """Also compares every getter afterwards, and the ClientHello that a client's connection sends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context = module.SSLContext(getattr(module, protocol))
    result, error, warned = ended(program, {"it": context, "tls": module, "files": files})
    getters = [part if part.startswith("[") else f"it.{part}" for part in GETTERS.split(", ")]
    after, failed, _ = ended(f"({', '.join(getters)})", {"it": context})
    sent: Any = None
    if protocol != "PROTOCOL_TLS_SERVER":
        outgoing = module.MemoryBIO()
        connecting = "c = it.wrap_bio(tls.MemoryBIO(), out, server_hostname='localhost'); c.do_handshake()"
        _, stopped, _ = ended(connecting, {"it": context, "tls": module, "out": outgoing})
        sent = stopped[0] if stopped else None, outgoing.pending
    return Outcome(result, error, warned, sent, after or failed)
