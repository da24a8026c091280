"""The tests of CPython that pass with the interpreter's own `ssl` and not with wiretight, each with its reason.

This is the one list. A test is on it only for one of the three reasons below; "not done" is none of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

import wiretight


class Reason(Enum):
    """Why a test of CPython's may fail."""

    BUILD_DETAIL = "it asserts an implementation detail of CPython's build or its OpenSSL"
    HARMFUL = "the standard behaviour corrupts, crashes or leaks"
    NEWER = "Python 3.15's `ssl`, which wiretight is on every Python, behaves otherwise"


@dataclass(frozen=True)
class Allowed:
    """A test or a class of them, the versions of Python it concerns (first, last), the reason, and what differs.

    `race` says that the test passes on some days, and `error` is how it fails on the others.
    """

    test: str
    versions: tuple[tuple[int, int], tuple[int, int]]
    reason: Reason
    what: str
    entry: str  # of docs/differences.md, without its backticks
    race: bool = False
    error: str = ""
    openssl: tuple[int, int] = (3, 0)  # the first OpenSSL with which it fails

    def covers(self, test: str, detail: str) -> bool:
        return f"{test}.".startswith(f"{self.test}.") and self.error in detail


# What fails beside those where the interpreter's `ssl` is dated (tests/kit/standard.py).
DATED = (
    Allowed(
        "test.test_ssl.ContextTests.test_options",
        ((3, 10), (3, 11)),
        Reason.HARMFUL,
        "OP_IGNORE_UNEXPECTED_EOF is no default: a cut stream is no end (python/cpython#95494)",
        "OP_IGNORE_UNEXPECTED_EOF",
    ),
    Allowed(
        "test.test_ssl.SimpleBackgroundTests.test_bio_handshake",
        ((3, 10), (3, 11)),
        Reason.NEWER,
        "shared_ciphers() of a client is None, not its own list (python/cpython#96931)",
        "shared_ciphers() of a client",
    ),
)

EXCEPTIONS = (
    Allowed(
        "test.test_ssl.ContextTests.test_options",
        ((3, 12), (3, 13)),
        Reason.NEWER,
        "negative options raise ValueError since 3.14, OverflowError before",
        "options, negative",
    ),
    Allowed(
        "test.test_ssl.ThreadedTests.test_socketserver",
        ((3, 10), (3, 12)),
        Reason.NEWER,
        "create_default_context() sets VERIFY_X509_STRICT since 3.13, and this Python's test CA has basic constraints "
        "that are not marked critical",
        "create_default_context()",
    ),
    Allowed(
        "test.test_ssl.SimpleBackgroundTests",
        ((3, 10), (3, 12)),
        Reason.NEWER,
        "its server ends with the first connection that is reset, as one is whose client closes without a look at the "
        "session tickets; `ssl` before 3.15 takes that for the end of the data",
        "ConnectionResetError",
        race=True,
        error="ConnectionRefusedError",
    ),
    Allowed(
        "test.test_ssl.ThreadedTests.test_got_eof",
        ((3, 14), (3, 15)),
        Reason.HARMFUL,
        "its server calls shutdown(SHUT_WR), with which `ssl` drops TLS: the peer cannot tell the end from an attack, "
        "and later sends go out in plaintext; wiretight sends close_notify",
        "shutdown()",
    ),
    Allowed(
        "test.test_asyncio.test_ssl.TestSSL.test_flush_before_shutdown",
        ((3, 11), (3, 15)),
        Reason.BUILD_DETAIL,
        "it reaches for the SSLProtocol inside asyncio's transport; the native transport has none",
        "asyncio.sslproto.SSLProtocol",
    ),
    Allowed(
        "test.test_asyncio.test_ssl.TestSSL.test_remote_shutdown_receives_trailing_data",
        ((3, 11), (3, 15)),
        Reason.BUILD_DETAIL,
        "it puts data into asyncio's transport by a private method for tests",
        "asyncio.sslproto.SSLProtocol",
    ),
    Allowed(
        "test.test_asyncio.test_ssl.TestSSL.test_remote_shutdown_receives_trailing_data_on_slow_socket",
        ((3, 13), (3, 15)),
        Reason.BUILD_DETAIL,
        "it puts data into asyncio's transport by a private method for tests",
        "asyncio.sslproto.SSLProtocol",
    ),
    Allowed(
        "test.test_asyncio.test_sslproto.SelectorStartTLSTests.test_create_connection_ssl_failed_certificate_no_cycles",
        ((3, 14), (3, 15)),
        Reason.BUILD_DETAIL,
        "it waits for a call of asyncio's SSLProtocol, which the native transport does without",
        "asyncio.sslproto.SSLProtocol",
    ),
    Allowed(
        "test.test_ssl.BasicSocketTests.test_openssl_version",
        ((3, 10), (3, 13)),
        Reason.BUILD_DETAIL,
        "it expects an OpenSSL whose major version is less than 4",
        "OPENSSL_VERSION 4.0",
        openssl=(4, 0),
    ),
    Allowed(
        "test.test_ssl.ThreadedTests.test_PROTOCOL_TLS",
        ((3, 10), (3, 13)),
        Reason.BUILD_DETAIL,
        "it sets SSLv3 as the minimum version, which OpenSSL 4.0 does not know any more",
        "OPENSSL_VERSION 4.0",
        openssl=(4, 0),
    ),
    Allowed(
        "test.test_ssl.ThreadedTests.test_sni_callback_raising",
        ((3, 10), (3, 13)),
        Reason.BUILD_DETAIL,
        "it expects a reason that begins with SSLV3_ALERT, which OpenSSL 4.0 calls TLS_ALERT",
        "OPENSSL_VERSION 4.0",
        openssl=(4, 0),
    ),
    Allowed(
        "test.test_poplib.TestPOP3Class.test_stls_context",
        ((3, 10), (3, 13)),
        Reason.BUILD_DETAIL,
        "its server knows a refusal by SSLV3_ALERT_BAD_CERTIFICATE, which OpenSSL 4.0 calls TLS_ALERT_BAD_CERTIFICATE",
        "OPENSSL_VERSION 4.0",
        openssl=(4, 0),
    ),
)


BEYOND_THE_HEADERS = re.compile(r"NotImplementedError: .* needs? OpenSSL (\d+)\.(\d+) or newer: build wiretight")


def is_beyond_the_headers(detail: str, openssl: tuple[int, ...] = wiretight.OPENSSL_VERSION_INFO) -> bool:
    """Whether a test failed on what the loaded OpenSSL has, and the older headers that wiretight was built with lack.

    So it is where an interpreter brings an OpenSSL of its own. `--openssl` builds wiretight with one that has it.
    """
    found = BEYOND_THE_HEADERS.search(detail)
    return found is not None and (int(found[1]), int(found[2])) <= openssl


def allowed(version: tuple[int, int], openssl: tuple[int, ...] = wiretight.OPENSSL_VERSION_INFO) -> dict[str, Allowed]:
    """The exceptions for one version of Python and one of OpenSSL, by the name of the test."""
    return {
        entry.test: entry
        for entry in EXCEPTIONS
        if entry.versions[0] <= version <= entry.versions[1] and entry.openssl <= openssl
    }
