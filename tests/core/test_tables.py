"""The generated tables, compared with the standard library's if it has the same OpenSSL."""

from __future__ import annotations

import _ssl
import re
import ssl as standard

import pytest

from wiretight._core.base import tables

same_openssl = pytest.mark.skipif(
    standard.OPENSSL_VERSION != tables.OPENSSL_VERSION,
    reason=f"this Python's ssl has {standard.OPENSSL_VERSION}, wiretight {tables.OPENSSL_VERSION}",
)


def test_a_mnemonic_is_found_by_library_and_reason() -> None:
    assert tables.reason_of(20, 127) == "BAD_WRITE_RETRY"
    assert tables.library_of(20) == "SSL"
    assert tables.library_of(11) == "X509"


@pytest.mark.parametrize(("library", "reason"), [(0, 0), (-1, 127), (20, -1), (20, 1 << 30), (255, 127), (9, 127_000)])
def test_an_unknown_error_has_no_mnemonic(library: int, reason: int) -> None:
    assert tables.reason_of(library, reason) is None


@pytest.mark.parametrize("library", [-1, 0, 12, 63, 64, 128, 255, 1 << 30])
def test_an_unknown_library_has_no_name(library: int) -> None:
    assert tables.library_of(library) is None


@pytest.mark.parametrize("library", [9, 11, 13, 20, 32, 34])
def test_no_mnemonic_contradicts_the_standard_library(library: int) -> None:
    """Its table is written by hand from a newer or older OpenSSL: it may know more names, and fewer, but no others."""
    known = getattr(_ssl, "err_codes_to_names", None)
    if known is None:
        pytest.skip("this version of Python does not show its table")
    theirs = {reason: name for (number, reason), name in known.items() if number == library}
    ours = {reason: name for reason in theirs if (name := tables.reason_of(library, reason))}
    assert len(ours) > 0.9 * len(theirs)
    # OpenSSL 4 has the reasons that began with SSL3_ and SSLV3_ under the name of TLS, with the same numbers.
    renamed = {reason: re.sub(r"^SSLV?3_", "TLS_", name) for reason, name in theirs.items()}
    assert {reason: name for reason, name in ours.items() if name not in (theirs[reason], renamed[reason])} == {}


@pytest.mark.parametrize(
    ("enumeration", "theirs", "ours"),
    [
        (standard.Options, "OP_", "SSL_OP_"),
        (standard.AlertDescription, "ALERT_DESCRIPTION_", "SSL_AD_"),
        (standard.SSLErrorNumber, "", ""),
    ],
)
@same_openssl
def test_constants_are_those_of_the_standard_library(enumeration: type, theirs: str, ours: str) -> None:
    for member in enumeration:  # type: ignore[attr-defined]
        if member.name == "OP_ALL":  # Python 3.10 takes DONT_INSERT_EMPTY_FRAGMENTS out of it
            continue
        assert tables.CONSTANTS[ours + member.name.removeprefix(theirs)] == member.value & (1 << 64) - 1


@same_openssl
def test_features_are_those_of_the_standard_library() -> None:
    shared = [name for name in tables.FEATURES if hasattr(standard, name)]
    assert "HAS_TLSv1_3" in shared
    assert {name: tables.FEATURES[name] for name in shared} == {name: getattr(standard, name) for name in shared}


@same_openssl
def test_the_version_has_the_shape_of_the_standard_librarys() -> None:
    assert tables.OPENSSL_VERSION_NUMBER == standard.OPENSSL_VERSION_NUMBER
    assert tables.OPENSSL_VERSION_INFO == standard.OPENSSL_VERSION_INFO
