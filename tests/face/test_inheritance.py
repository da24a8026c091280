"""No method of the standard library's classes is inherited: wiretight implements everything itself."""

from __future__ import annotations

import socket
import ssl as standard
import sys
from typing import Any

import pytest

import wiretight
from tests.kit.certificates import ADDRESS, Certificates
from tests.kit.sockets import tls_sockets

# Every class written in Python has it; it is where an object's attributes are.
OF_THE_LANGUAGE = {"__dict__", "__weakref__"}
# Read by load_default_certs() on Windows, and by nobody else.
OF_WINDOWS = {"_load_windows_store_certs", "_windows_cert_stores"}


def provider(cls: type, name: str) -> type:
    """The class whose attribute one gets."""
    return next(base for base in cls.__mro__ if name in vars(base))


def standards_own(cls: type) -> list[Any]:
    """The attributes that `ssl` adds to those of a socket or an object."""
    return [
        pytest.param(cls.__name__, name, id=f"{cls.__name__}.{name}")
        for name in dir(cls)
        if provider(cls, name).__module__ == "ssl" and name not in OF_THE_LANGUAGE
    ]


@pytest.mark.parametrize(("kind", "name"), [*standards_own(standard.SSLSocket), *standards_own(standard.SSLObject)])
def test_an_attribute_is_ours(kind: str, name: str) -> None:
    assert provider(getattr(wiretight, kind), name).__module__.startswith("wiretight")


@pytest.mark.parametrize("kind", ["SSLSocket", "SSLObject"])
def test_other_attributes_are_those_of_a_socket_or_an_object(kind: str) -> None:
    ours = getattr(wiretight, kind)
    others = {provider(ours, name).__module__ for name in dir(ours) if name not in OF_THE_LANGUAGE}
    assert {module for module in others if not module.startswith("wiretight")} <= {"socket", "_socket", "builtins"}


@pytest.mark.parametrize("name", sorted(set(dir(standard.SSLContext)) - OF_THE_LANGUAGE))
def test_a_context_defines_every_attribute_itself(name: str) -> None:
    if name in OF_WINDOWS and sys.platform != "win32":
        return
    assert provider(wiretight.SSLContext, name).__module__ in {"wiretight", "builtins"} | {
        module for module in sys.modules if module.startswith("wiretight.")
    }


def test_a_context_has_no_native_part_of_the_standard_class() -> None:
    assert [base for base in wiretight.SSLContext.__mro__ if base.__module__ in {"ssl", "_ssl"}] == [
        standard.SSLContext
    ]
    assert wiretight.SSLContext.__base__ is wiretight._SSLContext


# --- What a program's super() finds ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", dir(socket.socket))
def test_behind_our_socket_is_what_is_behind_the_standard_one(name: str) -> None:
    assert provider_behind(wiretight.SSLSocket, name) is provider_behind(standard.SSLSocket, name)


def provider_behind(cls: type, name: str) -> type:
    return next(base for base in cls.__mro__[1:] if name in vars(base))


def test_a_base_of_a_program_is_between_our_socket_and_the_plain_one() -> None:
    class Base(socket.socket):
        def recv(self, *args: Any) -> bytes:
            return b"of the base"

    class Mine(wiretight.SSLSocket, Base):
        pass

    behind = Mine.__mro__[Mine.__mro__.index(wiretight.SSLSocket) + 1 :]
    assert behind[:2] == (Base, socket.socket)
    assert provider(Mine, "recv") is wiretight.SSLSocket


def test_it_stays_there_when_the_standard_class_gets_another_base() -> None:
    class Traced(socket.socket):
        __slots__ = ()

    before = wiretight.SSLSocket.__mro__
    standard.SSLSocket.__bases__ = (Traced,)
    try:
        assert Traced in wiretight.SSLSocket.__mro__
        assert provider_behind(wiretight.SSLSocket, "shutdown") is socket.socket.__base__
    finally:
        standard.SSLSocket.__bases__ = (socket.socket,)
    assert wiretight.SSLSocket.__mro__ == before


@pytest.mark.parametrize("kind", ["SSLSocket", "SSLObject", "SSLContext"])
def test_the_metaclass_may_be_that_of_another_class_that_is_a_base_later(kind: str) -> None:
    ours = getattr(wiretight, kind)

    class Plugin(metaclass=type(ours)):
        pass

    class Mine(ours, Plugin):
        pass

    assert issubclass(Mine, getattr(standard, kind))
    assert not issubclass(Plugin, getattr(standard, kind))


def test_a_base_with_our_metaclass_may_get_a_method_later(certificates: Certificates) -> None:
    class Plugin(metaclass=type(wiretight.SSLSocket)):
        pass

    class Mine(Plugin, wiretight.SSLSocket):
        pass

    context = certificates.client_context()
    context.sslsocket_class = Mine
    with tls_sockets(context, certificates.server_context()) as (near, _):
        Plugin.read = lambda *_: b"mine"  # type: ignore[attr-defined]
        assert near.recv(100) == b"mine"


@pytest.mark.parametrize("name", ["_counterpart", "_overridden", "__slots__"])
def test_no_name_in_a_class_of_a_program_makes_it_pass_for_ours(name: str) -> None:
    kind = type(wiretight.SSLSocket)("Mine", (wiretight.SSLSocket,), {name: ()})
    assert kind.__mro__ == (kind, *wiretight.SSLSocket.__mro__)


def test_a_half_close_past_the_tls_socket_leaves_tls_on_it(certificates: Certificates, version: Any) -> None:
    """As programs do that want no close_notify: super(ssl.SSLSocket, sock).shutdown(SHUT_WR)."""
    with tls_sockets(certificates.client_context(version), certificates.server_context(version)) as (near, far):
        super(wiretight.SSLSocket, near).shutdown(socket.SHUT_WR)
        far.sendall(b"the answer")
        assert near.recv(100) == b"the answer"
        assert near.version() is not None


def test_a_shutdown_of_reading_past_the_tls_socket_sends_no_plaintext(certificates: Certificates, version: Any) -> None:
    with tls_sockets(certificates.client_context(version), certificates.server_context(version)) as (near, far):
        super(wiretight.SSLSocket, near).shutdown(socket.SHUT_RD)
        near.sendall(b"the password")
        assert far.recv(100) == b"the password"


def test_accepting_past_the_tls_socket_gives_a_plain_one(certificates: Certificates) -> None:
    with socket.create_server((ADDRESS, 0)) as plain:
        address = plain.getsockname()
        with certificates.server_context().wrap_socket(plain, server_side=True) as listener:
            with socket.create_connection(address):
                accepted, _ = super(wiretight.SSLSocket, listener).accept()
                with accepted:
                    assert type(accepted) is socket.socket
