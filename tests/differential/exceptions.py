"""Where wiretight may answer otherwise than the `ssl` of this Python, each with its reason. This is the one list."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from enum import Enum

# The text of these is the argument parser's: `ssl` has CPython's, wiretight Cython's. The rest of them is compared.
TEXTS_NOT_COMPARED = {"TypeError", "OverflowError", "AttributeError", "BufferError"}


class Reason(Enum):
    """Why an answer may differ."""

    HARMFUL = "the standard library corrupts, crashes, leaks or loses data there"
    NEWER = "Python 3.15's behaviour on an older Python"
    CLEARER = "both refuse, or there is nothing to do: wiretight says so in every state in the same way"
    ADDED = "the standard library refuses what wiretight can do"


@dataclass(frozen=True)
class Allowed:
    """Two regular expressions, for the place and for the program, what exactly differs, and its entry in the docs."""

    where: str
    program: str
    reason: Reason
    what: str
    entry: str  # of docs/differences.md, without its backticks
    before: tuple[int, ...] = (99, 0)  # the first Python whose `ssl` answers as wiretight does
    backports: tuple[tuple[int, int, int], ...] = ()  # and the first releases of older lines
    patched: bool = False  # distributions have that answer in older releases, too

    def needed(self, version: tuple[int, ...]) -> bool:
        backported = any(release[:2] == version[:2] and release <= version for release in self.backports)
        return version < self.before and not backported

    def covers(self, where: str, program: str) -> bool:
        return bool(re.fullmatch(self.where, where) and re.fullmatch(self.program, program))


EVERYWHERE = (
    # --- Sockets ------------------------------------------------------------------------------------------------------
    Allowed(
        "socket .* shut_for_writing",
        ".*",
        Reason.HARMFUL,
        "shutdown() of `ssl` drops TLS: recv() returns ciphertext, send() sends plaintext (CPython issue 124618)",
        "shutdown()",
    ),
    Allowed(
        "socket .*",
        r"it\.shutdown\(.*\)",
        Reason.HARMFUL,
        "the same: afterwards `ssl` has no TLS connection, even where the argument was refused",
        "shutdown()",
    ),
    Allowed(
        "socket .* detached",
        ".*",
        Reason.HARMFUL,
        "`ssl` goes on using the descriptor, which is the caller's and may long be another file",
        "detach(), and close() in another thread",
    ),
    Allowed(
        "socket .* (reset|reset_in_handshake)",
        r".*(read|recv|recv_into|write|send|sendall|do_handshake|unwrap)\(.*",
        Reason.HARMFUL,
        "`ssl` before 3.15 takes a reset for the end of the data; wiretight raises ConnectionResetError as 3.15 does, "
        "and BrokenPipeError where `ssl` says SSLEOFError to a later write",
        "ConnectionResetError",
        before=(3, 13),
    ),
    Allowed(
        "socket .* two_records",
        r"it\.(read|recv)\(.*\)",
        Reason.CLEARER,
        "a read takes what is there, from several records; `ssl` takes one record at most",
        "recv(), several records",
    ),
    Allowed(
        "socket .* (closed|unwrapped|unconnected|listening)",
        r"b = bytearray\(0\); it\.recv_into\(b.*\).*",
        Reason.CLEARER,
        "nothing fits into an empty buffer: 0, as on an open connection; `ssl` asks the socket for 1024 bytes",
        "recv_into(), empty buffer",
    ),
    Allowed(
        "socket .* (closed|unwrapped|unconnected|listening)",
        r"b = bytearray\(5\); it\.recvfrom_into\(b\)",
        Reason.HARMFUL,
        "`ssl` passes None for the size, and fails with a TypeError about it",
        "recvfrom_into() without a size",
    ),
    Allowed(
        "socket .* unwrapped",
        r"it\.do_handshake\(.*\)",
        Reason.CLEARER,
        "ValueError as unwrap() raises it; `ssl` an AttributeError of None",
        "do_handshake() after unwrap()",
    ),
    # --- Both kinds of connection -------------------------------------------------------------------------------------
    Allowed(
        "(object|socket) .* (hello_sent|servers_flight|end_in_handshake|shaking_hands|reset_in_handshake)",
        r"it\.session|setattr\(it, 'session', it\.session\)",
        Reason.NEWER,
        "before 3.13.1 the session raised ValueError in the middle of a handshake (CPython issue 116810)",
        "session during a handshake",
        before=(3, 13, 1),
        backports=((3, 12, 8),),
    ),
    Allowed(
        "object .* (end_met|damaged_record_met)",
        r"it\.do_handshake\(.*\)",
        Reason.NEWER,
        "SSLEOFError after a failure; SSLSyscallError before",
        "SSLEOFError after a failure",
        before=(3, 13),
    ),
    Allowed(
        "object .* end_met",
        r"it\.read\(0\)",
        Reason.NEWER,
        "an end without close_notify is an error for a read of nothing too",
        "SSLEOFError after a failure",
        before=(3, 15),
        patched=True,  # in Debian since 3.14.7-2 (python/cpython#148292)
    ),
    Allowed(
        "socket .* data",
        r"b = (array\.)?(array|memoryview)\(.*'i'.*\); it\.recv_into\(b.*",
        Reason.NEWER,
        "a buffer with items of several bytes is filled as a whole; before, as many bytes as it has items",
        "recv_into(), items of several bytes",
        before=(3, 11),
    ),
    Allowed(
        "(object|socket) .*",
        r"it\.get_channel_binding\('tls-server-end-point'\)",
        Reason.ADDED,
        "the other two channel bindings that the field uses; `ssl` has none that is defined for TLS 1.3",
        "get_channel_binding(), types",
    ),
    # --- Contexts -----------------------------------------------------------------------------------------------------
    Allowed(
        "context .*",
        r"setattr\(it, '_msg_callback', len\)",
        Reason.CLEARER,
        "its TypeError is raised; `ssl` raises SSLWantReadError with that as its context, and a program calls again",
        "_msg_callback, exceptions",
    ),
    Allowed(
        "context .*",
        r".*it\.set_ciphers\('(|NONE|@SECLEVEL=1|junk)'\)",
        Reason.HARMFUL,
        "where set_ciphers() fails, `ssl` is left without the cipher suites of TLS 1.2; wiretight keeps what it had",
        "set_ciphers(), failing",
    ),
    Allowed(
        "context .*",
        r"setattr\(it, '(verify_flags|_host_flags)', (-1|2\*\*70)\)",
        Reason.HARMFUL,
        "`ssl` takes the low bits of a number that is none of flags, so that 2**70 turns all of them off",
        "verify_flags and _host_flags, out of range",
    ),
    Allowed(
        "context .*",
        r"setattr\(it, 'options', -1\)",
        Reason.NEWER,
        "negative options raise ValueError since 3.14",
        "options, negative",
        before=(3, 14),
    ),
    Allowed(
        "context .*",
        r"it\.load_verify_locations\(cadata=\(files / 'der'\)\.read_bytes\(\) \+ b'x'\)",
        Reason.NEWER,
        "one byte behind the last certificate is an error with the OpenSSL of 3.15; older ones took it for the end",
        "load_verify_locations(cadata=...), trailing bytes",
    ),
    Allowed(
        "context .*",
        r"it\.wrap_bio\(tls\.MemoryBIO\(\), tls\.MemoryBIO\(\)(|, True.*|, server_hostname=b?'')\)",
        Reason.NEWER,
        "wrap_bio() checks its arguments as wrap_socket() does, since 3.15",
        "wrap_bio(), arguments",
        before=(3, 15),
        backports=((3, 14, 10),),
    ),
    Allowed(
        "context .*",
        r"it\.set_npn_protocols\(.*\)",
        Reason.CLEARER,
        "NotImplementedError; `ssl` an AttributeError about a private name",
        "set_npn_protocols()",
    ),
    Allowed(
        "context .*",
        r"setattr\(it, 'keylog_filename', b?'.*\\0.*'\)",
        Reason.CLEARER,
        "ValueError with another text about the null character",
        "keylog_filename, NUL character",
    ),
    Allowed(
        "context .*",
        r"it\.set_ecdh_curve\('X25519'\)",
        Reason.NEWER,
        "any group that OpenSSL knows is a curve; before, only those with parameters",
        "set_ecdh_curve('X25519')",
        before=(3, 11),
    ),
    Allowed(
        "context .*",
        r"import copy; copy\.copy\(it\)|import pickle; pickle\.dumps\(it\)",
        Reason.ADDED,
        "a copy; `ssl` raises TypeError (CPython issue 77204)",
        "copy.copy() and pickling of a context",
    ),
    # --- Defects ------------------------------------------------------------------------------------------------------
    Allowed(
        "socket .*",
        r"it\.sendall\(memoryview\(.*\)\[::2\]\)",
        Reason.CLEARER,
        "BufferError, as send() raises it in both; `ssl` TypeError",
        "sendall(), non-contiguous buffer",
    ),
)

EXCEPTIONS = tuple(allowed for allowed in EVERYWHERE if allowed.needed(sys.version_info[:3]))
