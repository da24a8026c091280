"""Every name of `ssl` is there, with its value and its signature."""

from __future__ import annotations

import inspect
import re
import ssl as standard
import types
from pathlib import Path
from typing import Any

import pytest

import wiretight

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
CONSTANTS = [name for name in dir(standard) if re.match(r"(ALERT|CERT|OP|PROTOCOL|SSL_ERROR|VERIFY)_[A-Z]", name)]


@pytest.mark.parametrize("name", [name for name in dir(standard) if not name.startswith("_") and name not in NOT_OURS])
def test_every_public_name_of_this_pythons_ssl_is_there(name: str) -> None:
    assert hasattr(wiretight, name)


@pytest.mark.parametrize("name", PRIVATE)
def test_the_private_names_that_libraries_use_are_there(name: str) -> None:
    assert hasattr(wiretight, name)


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_has_the_standard_librarys_value_and_type(name: str) -> None:
    ours, theirs = getattr(wiretight, name), getattr(standard, name)
    assert ours == theirs
    assert type(ours) is type(theirs)


@pytest.mark.parametrize("name", LATER)
def test_what_came_later_is_there_on_every_python(name: str) -> None:
    assert getattr(wiretight, name) == LATER[name]


def test_later_options_are_options_on_an_older_python_too() -> None:
    assert isinstance(wiretight.OP_ENABLE_KTLS, wiretight.Options)
    assert wiretight.Options(8 | wiretight.OP_NO_TICKET) == wiretight.OP_ENABLE_KTLS | wiretight.OP_NO_TICKET


def test_the_low_level_is_a_module() -> None:
    assert isinstance(wiretight._ssl, types.ModuleType)
    assert issubclass(wiretight.SSLContext, wiretight._ssl._SSLContext)
    assert wiretight._ssl.ENCODING_DER == 2
    assert callable(wiretight._ssl._test_decode_cert)


def test_all_lists_names_that_exist_and_every_public_one() -> None:
    assert len(set(wiretight.__all__)) == len(wiretight.__all__)
    for name in wiretight.__all__:
        assert hasattr(wiretight, name)
    public = {name for name in dir(standard) if re.match(r"(SSL|HAS_|OP_|CERT_|Purpose|create_default|get_)", name)}
    assert public - NOT_OURS - {"SSLKeyLog"} <= set(wiretight.__all__)


def test_the_version_is_that_of_the_build() -> None:
    build = Path(__file__).parents[2] / "meson.build"
    assert f"version: '{wiretight.__version__}'" in build.read_text()


def test_urllib3_takes_our_openssl() -> None:
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


def test_random_bytes_are_there() -> None:
    assert len(wiretight.RAND_bytes(16)) == 16
    assert wiretight.RAND_status()
    wiretight.RAND_add(b"seed", 0.0)
