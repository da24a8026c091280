"""Every name of `ssl` exists, with its value and its signature."""

from __future__ import annotations

import inspect
import re
import ssl as standard
import types
from importlib import metadata
from typing import Any

import pytest

import wiretight
from tests.kit.standard import beside_ssl

# Not public in `ssl` although they have no underscore; and what 3.11 and older still have, but 3.15 has not.
NOT_OURS = {
    "Enum",
    "IntEnum",
    "IntFlag",
    "match_hostname",
    "wrap_socket",
    "RAND_pseudo_bytes",
    "RAND_egd",
    "annotations",
}
# Names that came later than 3.10 or are missing in an older Python's `ssl`.
LATER = {
    "HAS_PHA": True,
    "HAS_PSK": True,
    "HAS_PSK_TLS13": True,
    "OP_ENABLE_KTLS": 8,
    "OP_LEGACY_SERVER_CONNECT": 4,
}
PRIVATE = [
    "_ssl",
    "_create_default_https_context",
    "_create_stdlib_context",
    "_create_unverified_context",
    "_DEFAULT_CIPHERS",
    "_OPENSSL_API_VERSION",
    "_RESTRICTED_SERVER_CIPHERS",
    "_PROTOCOL_NAMES",
    "_SSLContext",
    "_nid2obj",
    "_txt2obj",
]
# Every public name of Python 3.15's `ssl`; and of its classes, what older ones lack.
OF_3_15 = """
    ALERT_DESCRIPTION_ACCESS_DENIED ALERT_DESCRIPTION_BAD_CERTIFICATE ALERT_DESCRIPTION_BAD_CERTIFICATE_HASH_VALUE
    ALERT_DESCRIPTION_BAD_CERTIFICATE_STATUS_RESPONSE ALERT_DESCRIPTION_BAD_RECORD_MAC
    ALERT_DESCRIPTION_CERTIFICATE_EXPIRED ALERT_DESCRIPTION_CERTIFICATE_REVOKED ALERT_DESCRIPTION_CERTIFICATE_UNKNOWN
    ALERT_DESCRIPTION_CERTIFICATE_UNOBTAINABLE ALERT_DESCRIPTION_CLOSE_NOTIFY ALERT_DESCRIPTION_DECODE_ERROR
    ALERT_DESCRIPTION_DECOMPRESSION_FAILURE ALERT_DESCRIPTION_DECRYPT_ERROR ALERT_DESCRIPTION_HANDSHAKE_FAILURE
    ALERT_DESCRIPTION_ILLEGAL_PARAMETER ALERT_DESCRIPTION_INSUFFICIENT_SECURITY ALERT_DESCRIPTION_INTERNAL_ERROR
    ALERT_DESCRIPTION_NO_RENEGOTIATION ALERT_DESCRIPTION_PROTOCOL_VERSION ALERT_DESCRIPTION_RECORD_OVERFLOW
    ALERT_DESCRIPTION_UNEXPECTED_MESSAGE ALERT_DESCRIPTION_UNKNOWN_CA ALERT_DESCRIPTION_UNKNOWN_PSK_IDENTITY
    ALERT_DESCRIPTION_UNRECOGNIZED_NAME ALERT_DESCRIPTION_UNSUPPORTED_CERTIFICATE
    ALERT_DESCRIPTION_UNSUPPORTED_EXTENSION ALERT_DESCRIPTION_USER_CANCELLED AlertDescription CERT_NONE CERT_OPTIONAL
    CERT_REQUIRED CHANNEL_BINDING_TYPES CertificateError DER_cert_to_PEM_cert DefaultVerifyPaths HAS_ALPN HAS_ECDH
    HAS_NEVER_CHECK_COMMON_NAME HAS_NPN HAS_PHA HAS_PSK HAS_PSK_TLS13 HAS_SNI HAS_SSLv2 HAS_SSLv3 HAS_TLSv1
    HAS_TLSv1_1 HAS_TLSv1_2 HAS_TLSv1_3 MemoryBIO OPENSSL_VERSION OPENSSL_VERSION_INFO OPENSSL_VERSION_NUMBER OP_ALL
    OP_CIPHER_SERVER_PREFERENCE OP_ENABLE_KTLS OP_ENABLE_MIDDLEBOX_COMPAT OP_IGNORE_UNEXPECTED_EOF
    OP_LEGACY_SERVER_CONNECT OP_NO_COMPRESSION OP_NO_RENEGOTIATION OP_NO_SSLv2 OP_NO_SSLv3 OP_NO_TICKET OP_NO_TLSv1
    OP_NO_TLSv1_1 OP_NO_TLSv1_2 OP_NO_TLSv1_3 OP_SINGLE_DH_USE OP_SINGLE_ECDH_USE Options PEM_FOOTER PEM_HEADER
    PEM_cert_to_DER_cert PROTOCOL_SSLv23 PROTOCOL_TLS PROTOCOL_TLS_CLIENT PROTOCOL_TLS_SERVER PROTOCOL_TLSv1
    PROTOCOL_TLSv1_1 PROTOCOL_TLSv1_2 Purpose RAND_add RAND_bytes RAND_status SSLCertVerificationError SSLContext
    SSLEOFError SSLError SSLErrorNumber SSLObject SSLSession SSLSocket SSLSyscallError SSLWantReadError
    SSLWantWriteError SSLZeroReturnError SSL_ERROR_EOF SSL_ERROR_INVALID_ERROR_CODE SSL_ERROR_SSL SSL_ERROR_SYSCALL
    SSL_ERROR_WANT_CONNECT SSL_ERROR_WANT_READ SSL_ERROR_WANT_WRITE SSL_ERROR_WANT_X509_LOOKUP SSL_ERROR_ZERO_RETURN
    TLSVersion VERIFY_ALLOW_PROXY_CERTS VERIFY_CRL_CHECK_CHAIN VERIFY_CRL_CHECK_LEAF VERIFY_DEFAULT
    VERIFY_X509_PARTIAL_CHAIN VERIFY_X509_STRICT VERIFY_X509_TRUSTED_FIRST VerifyFlags VerifyMode cert_time_to_seconds
    create_default_context get_default_verify_paths get_protocol_name get_server_certificate get_sigalgs socket_error
"""
METHODS_OF_3_15 = {
    "SSLContext": "get_groups set_ciphersuites set_client_sigalgs set_groups set_psk_client_callback "
    "set_psk_server_callback set_server_sigalgs",
    "SSLSocket": "client_sigalg get_unverified_chain get_verified_chain group sendfile server_sigalg",
    "SSLObject": "client_sigalg get_unverified_chain get_verified_chain group server_sigalg",
}
CONSTANTS = [name for name in dir(standard) if re.match(r"(ALERT|CERT|OP|PROTOCOL|SSL_ERROR|VERIFY)_[A-Z]", name)]


@pytest.mark.parametrize("name", [name for name in dir(standard) if not name.startswith("_") and name not in NOT_OURS])
def test_every_public_name_of_this_pythons_ssl_exists(name: str) -> None:
    assert hasattr(wiretight, name)


@pytest.mark.parametrize("name", OF_3_15.split())
def test_every_public_name_of_the_newest_ssl_exists(name: str) -> None:
    assert hasattr(wiretight, name)
    assert name in wiretight.__all__


@pytest.mark.parametrize(
    ("kind", "name"), [(k, name) for k, names in METHODS_OF_3_15.items() for name in names.split()]
)
def test_every_method_of_ssl_exists(kind: str, name: str) -> None:
    assert callable(getattr(getattr(wiretight, kind), name))


@pytest.mark.parametrize("name", PRIVATE)
def test_the_private_names_that_libraries_use_exist(name: str) -> None:
    assert hasattr(wiretight, name)


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_has_the_standard_librarys_value_and_type(name: str) -> None:
    ours, theirs = getattr(wiretight, name), getattr(standard, name)
    assert ours == theirs
    assert type(ours) is type(theirs)


@pytest.mark.parametrize("name", LATER)
def test_newer_names_exist_on_every_python(name: str) -> None:
    assert getattr(wiretight, name) == LATER[name]


def test_later_options_are_options_on_an_older_python_too() -> None:
    assert isinstance(wiretight.OP_ENABLE_KTLS, wiretight.Options)
    assert wiretight.Options(8 | wiretight.OP_NO_TICKET) == wiretight.OP_ENABLE_KTLS | wiretight.OP_NO_TICKET


def test_the_low_level_is_a_module() -> None:
    assert isinstance(wiretight._ssl, types.ModuleType)
    assert issubclass(wiretight.SSLContext, wiretight._ssl._SSLContext)
    assert wiretight._ssl.ENCODING_DER == 2
    assert callable(wiretight._ssl._test_decode_cert)


@beside_ssl
def test_all_lists_names_that_exist_and_every_public_one() -> None:
    assert len(set(wiretight.__all__)) == len(wiretight.__all__)
    for name in wiretight.__all__:
        assert hasattr(wiretight, name)
    public = {name for name in dir(standard) if re.match(r"(SSL|HAS_|OP_|CERT_|Purpose|create_default|get_)", name)}
    assert public - NOT_OURS - {"SSLKeyLog"} <= set(wiretight.__all__)


def star(module: str) -> dict[str, Any]:
    given: dict[str, Any] = {}
    exec(f"from {module} import *", given)
    return {name: value for name, value in given.items() if name != "__builtins__"}


def test_import_star_imports_the_names_of_ssl() -> None:
    ours, theirs = star("wiretight"), star("ssl")
    assert theirs.keys() - ours.keys() <= {"RAND_egd"}
    for name in theirs.keys() & ours.keys():
        if isinstance(theirs[name], types.ModuleType) or name in {"socket", "create_connection", "namedtuple"}:
            assert ours[name] is theirs[name]


@beside_ssl
def test_import_star_imports_no_other_name_that_a_program_may_use() -> None:
    of_newer_ones = set(OF_3_15.split()) | set(LATER)
    assert star("wiretight").keys() - star("ssl").keys() - of_newer_ones == {
        "ALERT_DESCRIPTION_CERTIFICATE_REQUIRED",
        "ALERT_DESCRIPTION_ECH_REQUIRED",
        "ALERT_DESCRIPTION_MISSING_EXTENSION",
        "ALERT_DESCRIPTION_NO_APPLICATION_PROTOCOL",
        "HAS_CERT_COMPRESSION",
        "HAS_ECH",
        "HAS_ML_DSA",
        "OPENSSL_STATIC",
        "clear_trust_cache",
    }


def test_the_version_is_that_of_the_build() -> None:
    assert metadata.version("wiretight") == wiretight.__version__


def test_urllib3_accepts_our_openssl() -> None:
    assert wiretight.OPENSSL_VERSION.startswith("OpenSSL ")
    assert wiretight.OPENSSL_VERSION_INFO >= (3, 0)
    assert wiretight.OPENSSL_VERSION_NUMBER >= 0x30000000


def test_protocols_have_names() -> None:
    assert wiretight.get_protocol_name(wiretight.PROTOCOL_TLS) == "PROTOCOL_TLS"
    assert wiretight.get_protocol_name(16) == "PROTOCOL_TLS_CLIENT"
    assert wiretight.get_protocol_name(99) == "<unknown>"


def parameters(function: Any) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


def python_functions(kind: str) -> list[str]:
    owner = getattr(standard, kind) if kind else standard
    return [
        name
        for name, value in vars(owner).items()
        if inspect.isfunction(getattr(value, "__func__", value))
        and (not name.startswith("_") or name in {"_create", "__init__", "_encode_hostname"})
        and name not in NOT_OURS | {"create_connection", "namedtuple", "get_sigalgs"}
    ]


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in ("", "SSLContext", "SSLSocket", "SSLObject") for name in python_functions(kind)],
)
def test_a_function_takes_the_standard_librarys_arguments(kind: str, name: str) -> None:
    ours, theirs = (getattr(module, kind) if kind else module for module in (wiretight, standard))
    assert parameters(getattr(ours, name)) == parameters(getattr(theirs, name))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("load_cert_chain", "certfile keyfile password"),
        ("load_verify_locations", "cafile capath cadata"),
        ("get_ca_certs", "binary_form"),
        ("_wrap_socket", "sock server_side server_hostname owner session"),
        ("_wrap_bio", "incoming outgoing server_side server_hostname owner session"),
    ],
)
def test_a_native_method_takes_the_standard_librarys_arguments(name: str, arguments: str) -> None:
    text = getattr(wiretight.SSLContext, name).__doc__.splitlines()[0]
    found = [part.split("=")[0].split()[-1] for part in text[text.index("(") + 1 : text.rindex(")")].split(",")]
    assert [name for name in found if name not in {"self", "*"}] == arguments.split()


def test_random_functions_exist() -> None:
    assert len(wiretight.RAND_bytes(16)) == 16
    assert wiretight.RAND_status()
    wiretight.RAND_add(b"seed", 0.0)
