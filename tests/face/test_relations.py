"""wiretight's objects pass for the standard library's, and the standard library's contexts for wiretight's."""

from __future__ import annotations

import copyreg
import functools
import gc
import inspect
import pickle
import socket
import ssl as standard
import subprocess
import sys
import weakref
from typing import Any, ClassVar

import pytest

import wiretight
from tests.kit.standard import beside_ssl

EXCEPTIONS = [
    "SSLError",
    "SSLZeroReturnError",
    "SSLWantReadError",
    "SSLWantWriteError",
    "SSLSyscallError",
    "SSLEOFError",
    "SSLCertVerificationError",
    "CertificateError",
    "socket_error",
]
ENUMS = ["AlertDescription", "Options", "Purpose", "SSLErrorNumber", "TLSVersion", "VerifyFlags", "VerifyMode"]
PRIVATE_ENUMS = ["_ASN1Object", "_SSLMethod", "_TLSAlertType", "_TLSContentType", "_TLSMessageType"]
PROPERTIES = [
    "hostname_checks_common_name",
    "maximum_version",
    "minimum_version",
    "options",
    "protocol",
    "verify_flags",
    "verify_mode",
    "_msg_callback",
]


@pytest.fixture
def context() -> wiretight.SSLContext:
    return wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)


@pytest.mark.parametrize("name", [*EXCEPTIONS, *ENUMS, *PRIVATE_ENUMS, "DefaultVerifyPaths"])
def test_it_is_the_standard_librarys_own_object(name: str) -> None:
    assert getattr(wiretight, name) is getattr(standard, name)


@beside_ssl
def test_a_context_is_an_instance_of_the_standard_context(context: Any) -> None:
    assert isinstance(context, standard.SSLContext)
    assert issubclass(wiretight.SSLContext, standard.SSLContext)


def test_the_class_of_a_context_makes_another_one(context: Any) -> None:
    assert type(context) is context.__class__ is wiretight.SSLContext
    assert type(context.__class__(context.protocol)) is wiretight.SSLContext


RECIPE = """
import copyreg, pickle
{preamble}
copyreg.pickle(ssl.SSLContext, lambda context: (context.__class__, (context.protocol,)))
copied = pickle.loads(pickle.dumps(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)))
print(type(copied).__module__, int(copied.protocol))
"""


@pytest.mark.parametrize("preamble", ["import wiretight as ssl", "import wiretight; wiretight.install(); import ssl"])
def test_the_recipe_with_which_programs_pickle_contexts_makes_one_of_ours(preamble: str) -> None:
    """That of many projects: it names the class by `__class__`."""
    program = RECIPE.format(preamble=preamble)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("wiretight 16\n", "")


def test_a_standard_context_is_an_instance_of_our_context() -> None:
    assert isinstance(standard.create_default_context(), wiretight.SSLContext)


def test_an_instance_of_a_standard_subclass_is_an_instance_of_our_context() -> None:
    class Theirs(standard.SSLContext):
        pass

    assert isinstance(Theirs(standard.PROTOCOL_TLS_CLIENT), wiretight.SSLContext)
    assert issubclass(Theirs, wiretight.SSLContext)


def test_a_standard_context_is_no_instance_of_a_subclass_of_ours(context: Any) -> None:
    class Ours(wiretight.SSLContext):
        pass

    assert not isinstance(standard.create_default_context(), Ours)
    assert not isinstance(context, Ours)
    ours = Ours(wiretight.PROTOCOL_TLS_CLIENT)
    assert isinstance(ours, Ours)
    assert isinstance(ours, wiretight.SSLContext)
    assert isinstance(ours, standard.SSLContext)


@pytest.mark.parametrize("other", [None, 3, "context", object(), socket.socket])
def test_anything_else_is_not_a_context(other: Any) -> None:
    assert not isinstance(other, wiretight.SSLContext)


def test_the_class_of_a_context_can_be_assigned(context: Any) -> None:
    class Ours(wiretight.SSLContext):
        extra = 1

    context.__class__ = Ours
    assert type(context) is Ours
    assert context.extra == 1
    assert isinstance(context, standard.SSLContext)


def test_the_class_that_a_context_had_can_be_put_back(context: Any) -> None:
    class Traced(wiretight.SSLContext):
        pass

    before = context.__class__
    context.__class__ = Traced
    context.__class__ = before
    assert type(context) is wiretight.SSLContext
    assert context.__class__ is before


class Hardened(wiretight.SSLContext):
    """Refers to itself by self.__class__, as a program's class may."""

    ciphers = "ECDHE+AESGCM"
    made = 0

    def __init__(self, *args: Any) -> None:
        super().__init__()
        self.set_ciphers(self.__class__.ciphers)
        self.__class__.made += 1

    def set_alpn_protocols(self, names: Any) -> None:
        super(self.__class__, self).set_alpn_protocols(list(names))


def test_a_subclass_is_its_own_class() -> None:
    before = Hardened.made
    context = Hardened(wiretight.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(("h2",))
    assert context.__class__ is Hardened
    assert Hardened.made == before + 1
    assert isinstance(context, standard.SSLContext)
    assert isinstance(context, wiretight.SSLContext)


def test_a_subclass_is_pickled_by_the_programs_reduce_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(copyreg.dispatch_table, Hardened, lambda context: (context.__class__, (context.protocol,)))
    copied = pickle.loads(pickle.dumps(Hardened(wiretight.PROTOCOL_TLS_CLIENT)))
    assert type(copied) is Hardened


def test_nested_subclasses_and_those_with_a_metaclass_are_pickled_too() -> None:
    class Registering(type(wiretight.SSLContext)):  # type: ignore[misc]
        known: ClassVar[list[type]] = []

        def __init__(cls, *args: Any) -> None:
            super().__init__(*args)
            cls.known.append(cls)

    class Registered(Hardened, metaclass=Registering):
        pass

    context = Registered(wiretight.PROTOCOL_TLS_CLIENT)
    assert context.__class__ is Registered
    assert Registering.known == [Registered]
    assert isinstance(context, standard.SSLContext)


@beside_ssl
def test_a_method_of_the_standard_class_changes_nothing_on_a_context_of_a_subclass() -> None:
    theirs: Any = standard.SSLContext
    with pytest.raises((AttributeError, TypeError)):
        theirs.options.__set__(Hardened(wiretight.PROTOCOL_TLS_CLIENT), 0)


@beside_ssl
def test_assigning_a_class_of_another_layout_is_refused(context: Any) -> None:
    class Theirs(standard.SSLContext):
        pass

    with pytest.raises(TypeError):
        context.__class__ = Theirs


def test_sockets_and_objects_are_of_subclasses_of_the_standard_ones() -> None:
    assert issubclass(wiretight.SSLSocket, standard.SSLSocket)
    assert issubclass(wiretight.SSLSocket, socket.socket)
    assert issubclass(wiretight.SSLObject, standard.SSLObject)


@beside_ssl
@pytest.mark.parametrize("kind", ["SSLSocket", "SSLObject"])
def test_no_method_is_inherited_from_the_standard_class(kind: str) -> None:
    ours, theirs = getattr(wiretight, kind), getattr(standard, kind)
    inherited = [
        name
        for name, value in vars(theirs).items()
        if (callable(value) or isinstance(value, (property, classmethod)))
        and getattr(ours, name) is getattr(theirs, name)
        and name not in {"_real_connect", "__class__"}
    ]
    assert not inherited


@pytest.mark.parametrize("kind", ["SSLSocket", "SSLObject"])
def test_programs_cannot_call_the_class_of_a_connection(kind: str) -> None:
    with pytest.raises(TypeError, match=f"{kind} does not have a public constructor"):
        getattr(wiretight, kind)()


@pytest.mark.parametrize("name", PROPERTIES)
def test_properties_of_a_context_are_python_properties_over_native_ones(name: str) -> None:
    assert isinstance(vars(wiretight.SSLContext)[name], property)
    if name == "hostname_checks_common_name":  # which is _host_flags below
        name = "_host_flags"
    native = getattr(super(wiretight.SSLContext, wiretight.SSLContext), name)
    assert inspect.isgetsetdescriptor(native) or hasattr(native, "__set__")


def test_the_native_descriptor_sets_what_the_property_shows(context: Any) -> None:
    # gevent, eventlet and truststore set options in this way.
    native = super(wiretight.SSLContext, wiretight.SSLContext).options
    native.__set__(context, context.options | wiretight.OP_NO_TICKET)
    assert context.options & wiretight.OP_NO_TICKET


def test_aiofastnet_is_told_not_to_read_our_memory(context: Any) -> None:
    assert context._aiofastnet_force_fallback_ssl is True


def test_a_context_is_true(context: Any) -> None:
    # Libraries ask `if not ssl_context`.
    assert context


def test_a_context_can_be_referenced_weakly_and_carry_attributes(context: Any) -> None:
    context.note = 1
    assert context.note == 1
    assert "SSLContext" in repr(context)


# --- What CPython keeps of a class ------------------------------------------------------------------------------------


class OfAProgram(wiretight.SSLContext):
    pass


KINDS = pytest.mark.parametrize("kind", [wiretight.SSLContext, OfAProgram])


@KINDS
@pytest.mark.parametrize("name", ["of_a_library", "__repr__", "__call__", "__len__"])
@pytest.mark.parametrize("is_known", [False, True], ids=["not-known-before", "known-before"])
def test_a_patch_of_the_standard_class_that_is_taken_back_leaves_nothing(
    kind: Any, name: str, is_known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lookup is answered from a cache, which holds no reference to what it has found."""
    context = kind(wiretight.PROTOCOL_TLS_CLIENT)
    kind.changed = True  # clears the cache
    del kind.changed
    if is_known:
        looked_up(context, name)
    method = lambda self: "patched"  # noqa: E731
    patched = weakref.ref(method)
    with monkeypatch.context() as patch:
        patch.setattr(standard.SSLContext, name, method, raising=False)
        del method
        assert looked_up(context, name).__func__ is patched()
    assert getattr(looked_up(context, name), "__func__", None) is None
    gc.collect()
    assert patched() is None


def looked_up(context: Any, name: str) -> Any:
    found = None
    for _ in range(100):  # it is in the cache, and in the instruction
        found = getattr(context, name, None)
    return found


def test_a_slot_that_the_standard_class_gets_is_used_and_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    context = OfAProgram(wiretight.PROTOCOL_TLS_CLIENT)
    with monkeypatch.context() as patch:
        patch.setattr(standard.SSLContext, "__len__", lambda self: 3, raising=False)
        assert len(context) == 3
    with pytest.raises(TypeError):
        len(context)


def test_a_class_of_a_program_is_collected() -> None:
    class Mine(wiretight.SSLContext):
        pass

    Mine(wiretight.PROTOCOL_TLS_CLIENT)
    gone = weakref.ref(Mine)
    del Mine
    gc.collect()
    assert gone() is None


def test_a_class_of_a_program_may_get_other_bases() -> None:
    class Mine(wiretight.SSLContext):
        pass

    class Base(wiretight.SSLContext):
        pass

    Mine.__bases__ = (Base,)
    context = Mine(wiretight.PROTOCOL_TLS_CLIENT)
    assert isinstance(context, Base)
    assert isinstance(context, standard.SSLContext)


def test_a_mix_in_of_a_program_may_get_other_bases() -> None:
    class Base:
        pass

    class Other:
        pass

    class MixIn(Base):
        pass

    class Mixed(MixIn, wiretight.SSLContext):
        pass

    MixIn.__bases__ = (Other,)

    class Mine(Mixed):
        pass

    assert Mine.__bases__ == (Mixed,)
    assert isinstance(Mine(wiretight.PROTOCOL_TLS_CLIENT), standard.SSLContext)
    Mixed.__bases__ = (MixIn, wiretight.SSLContext)
    assert isinstance(Mixed(wiretight.PROTOCOL_TLS_CLIENT), standard.SSLContext)


@beside_ssl
def test_the_standard_class_may_get_other_bases() -> None:
    native = standard.SSLContext.__base__
    standard.SSLContext.__bases__ = standard.SSLContext.__bases__
    assert native not in wiretight.SSLContext.__mro__
    assert wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT).protocol == wiretight.PROTOCOL_TLS_CLIENT
    wiretight.SSLContext.__bases__ = wiretight.SSLContext.__bases__
    assert native not in wiretight.SSLContext.__mro__
    assert issubclass(wiretight.SSLContext, standard.SSLContext)


REPLACED = """
import ssl
from unittest import mock
original = ssl.SSLContext
class Another(original):
    __slots__ = ("theirs",)
with mock.patch("ssl.SSLContext", {replacement}):
    import wiretight
    class Mine(wiretight.SSLContext): pass
class Later(wiretight.SSLContext): pass
kinds = wiretight.SSLContext, Mine, Later
print([isinstance(kind(wiretight.PROTOCOL_TLS_CLIENT), original) for kind in kinds])
print(hasattr(Mine(wiretight.PROTOCOL_TLS_CLIENT), "theirs"))
"""


@pytest.mark.parametrize("replacement", ["mock.MagicMock()", "lambda *_: None", "Another"])
def test_what_a_program_puts_in_place_of_the_standard_class_is_no_base(replacement: str) -> None:
    """As truststore and mock.patch() do, also before the import."""
    command = [sys.executable, "-c", REPLACED.format(replacement=replacement)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("[True, True, True]\nFalse\n", "")


def test_a_class_is_made_again_from_its_bases() -> None:
    """As decorators do that add slots."""
    again = type(OfAProgram)("Again", OfAProgram.__bases__, dict(vars(OfAProgram)))
    assert isinstance(again(wiretight.PROTOCOL_TLS_CLIENT), standard.SSLContext)


def test_the_metaclass_alone_makes_no_context() -> None:
    class Plugin(metaclass=type(wiretight.SSLContext)):
        pass

    assert not isinstance(Plugin(), standard.SSLContext)
    assert not issubclass(Plugin, standard.SSLContext)


def test_a_function_registered_for_the_standard_class_is_called_with_ours() -> None:
    named = functools.singledispatch(lambda given: "another")
    named.register(standard.SSLContext, lambda given: "context")
    assert [named(kind(wiretight.PROTOCOL_TLS_CLIENT)) for kind in (wiretight.SSLContext, OfAProgram)] == [
        "context"
    ] * 2


def test_a_native_method_of_the_standard_class_rejects_our_context(context: Any) -> None:
    members = vars(standard.SSLContext.__base__).values()
    natives = [member for member in members if hasattr(type(member), "__objclass__")]
    assert natives
    for native in natives:
        with pytest.raises(TypeError):
            native.__get__(context, type(context))()
