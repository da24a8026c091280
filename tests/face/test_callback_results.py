"""What every callback of a connection has in common: nobody awaits what it returns, and it may end the program."""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import gc
import socket
import types
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.kit.caches import Cache
from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import Pair, attempt
from tests.kit.sockets import tls_sockets
from tests.kit.subject import tls

# How a callback is set: what it is called, and a function of the contexts of client and server and the callback.
Setter = Callable[[Any, Any, Any], None]


def attribute(side: str, name: str) -> Setter:
    def put(client: Any, server: Any, callback: Any) -> None:
        setattr(client if side == "client" else server, name, callback)

    return put


def method(side: str, name: str, kind: Any, method: str) -> Setter:
    """Of a store or a cache that does the rest as it should."""

    def put(client: Any, server: Any, callback: Any) -> None:
        context = client if side == "client" else server
        if getattr(context, name) is None:
            setattr(context, name, kind())
        store = getattr(context, name)
        keeper = type("Keeper", (), {each: getattr(store, each, None) for each in ("put", "take", "get", "remove")})()
        setattr(keeper, method, callback)
        setattr(context, name, keeper)

    return put


OURS: dict[str, Setter] = {
    "alpn_callback": attribute("server", "alpn_callback"),
    "verify_callback": attribute("client", "verify_callback"),
    "new_session_callback": attribute("client", "new_session_callback"),
    "keylog_callback": attribute("client", "keylog_callback"),
    "handshake_callback": attribute("server", "handshake_callback"),
    "session_store.put()": method("client", "session_store", tls.MemorySessionStore, "put"),
    "session_store.take()": method("client", "session_store", tls.MemorySessionStore, "take"),
    "server_session_cache.put()": method("server", "server_session_cache", Cache, "put"),
    "server_session_cache.get()": method("server", "server_session_cache", Cache, "get"),
    "server_session_cache.remove()": method("server", "server_session_cache", Cache, "remove"),
}
AS_IN_SSL: dict[str, Setter] = {
    "sni_callback": attribute("server", "sni_callback"),
    "the callback for pre-shared keys": lambda _, server, callback: server.set_psk_server_callback(callback),
    "the callback for pre-shared keys, of a client": lambda client, _, callback: client.set_psk_client_callback(
        callback
    ),
}
THAT_MAY_WAIT: dict[str, Setter] = {
    "client_hello_callback": attribute("server", "client_hello_callback"),
    "client_credential_callback": attribute("client", "client_credential_callback"),
}
NO_ANSWER = ("new_session_callback", "keylog_callback", "handshake_callback", "session_store.put()")


@pytest.fixture
def contexts(certificates: Certificates, version: Any, request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Of a client and a server that have resumed before where they can, so that everything is asked."""
    client = certificates.client_context(version, alpn=["h2"])
    server = certificates.server_context(version, client_ca=certificates.ca_file)
    server.verify_mode = tls.CERT_OPTIONAL
    if "psk" in request.node.name or "pre-shared" in request.node.name:
        server = certificates.server_context(version)
        client.set_psk_client_callback(lambda _: ("me", b"key"))
        server.set_psk_server_callback(lambda _: b"key")
        client.set_ciphers("PSK")
        server.set_ciphers("PSK")
    return client, server


def visit(contexts: tuple[Any, Any], session: Any = None) -> Any:
    pair = Pair(*contexts, session=session)
    pair.handshake()
    pair.transfer(b"data", pair.server)
    return pair.client.session


def visit_with(contexts: tuple[Any, Any], name: str, callback: Any) -> None:
    """A connection that calls it."""
    session = None
    if name.startswith("server_session_cache"):
        contexts[1].server_session_cache = Cache()
        session = visit(contexts)
    {**OURS, **AS_IN_SSL, **THAT_MAY_WAIT}[name](*contexts, callback)
    if name == "server_session_cache.remove()" and not session.is_single_use:
        fail_with(contexts, session)
    elif name == "server_session_cache.put()":
        visit(contexts)
    else:
        visit(contexts, session)


def fail_with(contexts: tuple[Any, Any], session: Any) -> None:
    """A session of TLS 1.2 is removed when its connection fails."""
    pair = Pair(*contexts, session=session)
    pair.handshake()
    pair.client.write(b"data")
    pair.pump_altered(lambda record: record.damaged())
    with pytest.raises(tls.SSLError):
        pair.server.read()


async def later(*_: Any) -> None: ...


@types.coroutine
def legacy(*_: Any) -> Any:
    yield


async def one_by_one(*_: Any) -> Any:
    yield


@pytest.mark.parametrize("name", [*OURS, *AS_IN_SSL, *THAT_MAY_WAIT])
def test_a_coroutine_is_refused_and_nobody_waits_for_it(
    contexts: tuple[Any, Any], unraisable: list[Any], name: str
) -> None:
    called: list[Any] = []

    def make_one(*args: Any) -> Any:
        called.append(args)
        return later()

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # "was never awaited", which Python reports as unraisable
        try:
            visit_with(contexts, name, functools.partial(make_one))
        except (TypeError, tls.SSLError) as error:
            unraisable += [error, error.__context__]
        gc.collect()
    assert called
    sentences = {str(each) for each in unraisable if isinstance(each, TypeError)}
    expected = "nobody awaits" if name in THAT_MAY_WAIT else f"{name.partition(',')[0]} cannot be a coroutine function"
    assert len(sentences) == 1
    assert expected in sentences.pop()
    assert not [each for each in unraisable if isinstance(each, Warning)]


@pytest.mark.parametrize("name", OURS)
def test_a_coroutine_function_is_refused_when_it_is_set(contexts: tuple[Any, Any], name: str) -> None:
    with pytest.raises(TypeError, match="cannot be a coroutine function: nobody awaits it"):
        OURS[name](*contexts, later)


@pytest.mark.parametrize("name", NO_ANSWER)
def test_a_task_may_be_returned_where_the_answer_does_not_matter(
    contexts: tuple[Any, Any], unraisable: list[Any], name: str
) -> None:
    class Task:
        def __await__(self) -> Any: ...

    visit_with(contexts, name, lambda *_: Task())
    assert not unraisable


@pytest.mark.parametrize("method", ["load", "store"])
def test_so_it_is_with_a_store_of_ticket_keys(unraisable: list[Any], method: str) -> None:
    class Store:
        def load(self) -> Any: ...

        def store(self, data: bytes, version: object) -> bool:
            return True

    store: Any = Store()
    setattr(store, method, later)
    with pytest.raises(TypeError, match="cannot be a coroutine function"):
        tls.TicketKeys.shared(store, bytes(32))
    setattr(store, method, functools.partial(later))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match="cannot be a coroutine function"):
            tls.TicketKeys.shared(store, bytes(32)).rotate()
        gc.collect()
    assert not [each for each in unraisable if isinstance(each, Warning)]


class Task:
    def __await__(self) -> Any: ...


@pytest.mark.parametrize(
    "answer",
    [lambda: Task(), concurrent.futures.Future, lambda: legacy(), lambda: one_by_one(), object, str, lambda: 1.0],
    ids=["awaitable", "future", "types.coroutine", "async generator", "object", "str", "float"],
)
def test_only_none_and_a_number_say_whether_a_ticket_was_used(
    certificates: Certificates, unraisable: list[Any], answer: Callable[[], Any]
) -> None:
    version = tls.TLSVersion.TLSv1_3
    client, server = certificates.client_context(version), certificates.server_context(version)
    server.server_session_cache = Cache()
    session = visit((client, server))
    OURS["server_session_cache.remove()"](client, server, lambda _: answer())
    for _ in range(2):
        pair = Pair(client, server, session=session)
        pair.handshake()
        assert not pair.server.session_reused
    assert [type(error) for error in unraisable] == [TypeError, TypeError]


@pytest.mark.parametrize("answer", [None, "yes", concurrent.futures.Future()], ids=["None", "str", "future"])
def test_only_a_bool_says_whether_ticket_keys_are_stored(answer: Any) -> None:
    class Store:
        def load(self) -> Any: ...

        def store(self, data: bytes, version: object) -> Any:
            return answer

    with pytest.raises(TypeError, match=r"store\(\) of a TicketKeyStore must return a bool, not"):
        tls.TicketKeys.shared(Store(), bytes(32))


@pytest.mark.parametrize("name", NO_ANSWER)
def test_what_a_program_can_await_and_close_stays_open(
    contexts: tuple[Any, Any], unraisable: list[Any], name: str
) -> None:
    class Pool(Task):
        def close(self) -> None:
            raise AssertionError("it was closed")

    visit_with(contexts, name, lambda *_: Pool())
    assert not unraisable


@pytest.mark.parametrize("close", [5, None, len], ids=str)
def test_what_has_no_close_of_its_kind_does_not_hide_what_is_wrong(
    client_context: Any, server_context: Any, unraisable: list[Any], close: Any
) -> None:
    awaitable = type("Awaitable", (Task,), {"close": close})()
    visit_with((client_context, server_context), "session_store.take()", lambda *_: awaitable)
    assert ["session_store.take() cannot be a coroutine function" in str(error) for error in unraisable] == [True]


def test_a_coroutine_that_does_not_close_does_not_hide_it(
    client_context: Any, server_context: Any, unraisable: list[Any]
) -> None:
    class Stubborn(Coroutine[Any, Any, None]):
        def __await__(self) -> Any: ...

        def send(self, value: Any) -> Any: ...

        def throw(self, *_: Any) -> Any: ...

        def close(self) -> None:
            raise OSError("it does not close")

    visit_with((client_context, server_context), "session_store.take()", lambda *_: Stubborn())
    assert {type(error) for error in unraisable} == {OSError, TypeError}


@pytest.mark.parametrize("kind", ["types.coroutine", "async generator"])
@pytest.mark.parametrize("name", OURS)
def test_every_kind_of_coroutine_function_is_refused(
    contexts: tuple[Any, Any], unraisable: list[Any], name: str, kind: str
) -> None:
    function = legacy if kind == "types.coroutine" else one_by_one
    with pytest.raises(TypeError, match="cannot be a coroutine function: nobody awaits it"):
        OURS[name](*contexts, function)
    try:
        visit_with(contexts, name, functools.partial(function))
    except (TypeError, tls.SSLError) as error:
        unraisable += [error, error.__context__]
    assert [error for error in unraisable if "cannot be a coroutine function" in str(error)]


@pytest.mark.parametrize("name", OURS)
def test_a_callable_that_has_no_attributes_can_be_set(contexts: tuple[Any, Any], name: str) -> None:
    class Proxy:
        def __call__(self, *_: Any) -> None: ...

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(f"{name} of what is not there")

    OURS[name](*contexts, Proxy())


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("name", [*OURS, *AS_IN_SSL, *THAT_MAY_WAIT])
def test_what_ends_the_program_comes_out_of_the_call(
    contexts: tuple[Any, Any], unraisable: list[Any], name: str, kind: type[BaseException]
) -> None:
    def interrupt(*_: Any) -> Any:
        raise kind

    with pytest.raises(kind):
        visit_with(contexts, name, interrupt)
    assert not unraisable


@pytest.mark.parametrize("name", ["handshake_callback", "server_session_cache.put()", "server_session_cache.get()"])
def test_so_does_whatever_is_no_exception_from_a_callback_that_ssl_lacks(
    contexts: tuple[Any, Any], unraisable: list[Any], name: str
) -> None:
    class TimeoutOfGevent(BaseException): ...

    def run_out(*_: Any) -> Any:
        raise TimeoutOfGevent

    with pytest.raises(TimeoutOfGevent):
        visit_with(contexts, name, run_out)
    assert not unraisable


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_is_raised_after_it_is_behind_it(
    client_context: Any, server_context: Any, kind: type[BaseException]
) -> None:
    errors = [kind("first"), ValueError("second"), KeyError("third")]

    def fail(*_: Any) -> None:
        if errors:
            raised.append(errors.pop(0))
            raise raised[-1]

    raised: list[BaseException] = []
    client_context.keylog_callback = lambda *_: len(errors) == 3 and fail()
    client_context._msg_callback = lambda *_: len(errors) < 3 and fail()
    with pytest.raises(kind, match="first") as caught:
        visit((client_context, server_context))
    behind = []
    error = caught.value.__context__
    while error is not None:
        behind.append(error)
        error = error.__context__
    assert set(behind) & set(raised[1:])


def test_an_exception_that_two_callbacks_raise_is_not_behind_itself(client_context: Any, server_context: Any) -> None:
    """Whoever goes from one to the next would never end, as contextlib.ExitStack does."""
    only = KeyboardInterrupt()

    def interrupt(*_: Any) -> None:
        raise only

    client_context.handshake_callback = client_context._msg_callback = interrupt
    pair = Pair(client_context, server_context)
    for _ in range(5):
        with contextlib.suppress(KeyboardInterrupt):
            attempt(pair.client.do_handshake)
        attempt(pair.server.do_handshake)
        pair.pump()
    assert pair.client.version() is not None
    assert only.__context__ is not only


def test_an_exception_that_hides_its_context_is_put_behind_the_failure_too(
    client_context: Any, server_context: Any, unraisable: list[Any]
) -> None:
    class Hides(LookupError):
        @property
        def __context__(self) -> BaseException | None:
            raise RuntimeError("nobody may ask")

    def refuse(*_: Any) -> None:
        raise Hides

    client_context.verify_callback = refuse
    with pytest.raises(tls.SSLCertVerificationError) as caught:
        Pair(client_context, server_context).handshake()
    assert type(caught.value.__context__) is Hides
    assert not unraisable


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_what_was_behind_it_stays_there_beside_the_failure_of_the_call(
    client_context: Any, server_context: Any, kind: type[BaseException]
) -> None:
    def interrupt(*_: Any) -> None:
        error = kind()
        error.__context__ = LookupError()
        raise error

    client_context.verify_callback = interrupt
    with pytest.raises(kind) as caught:
        Pair(client_context, server_context).handshake()
    error, behind = caught.value.__context__, []
    while error is not None:
        behind.append(type(error))
        error = error.__context__
    assert behind == [LookupError, tls.SSLCertVerificationError]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_so_it_is_with_a_bio_of_the_program(
    certificates: Certificates, client_context: Any, kind: type[BaseException]
) -> None:
    class Outgoing:
        def write(self, data: bytes) -> None:
            raise OSError("no space")

    client_context._msg_callback = lambda *_: (_ for _ in ()).throw(kind("first"))
    client = client_context.wrap_bio(tls.MemoryBIO(), Outgoing(), server_hostname=HOST)
    with pytest.raises(kind, match="first"):
        client.do_handshake()


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_so_it_does_if_the_call_tells_of_no_failure(
    client_context: Any, server_context: Any, unraisable: list[Any], kind: type[BaseException]
) -> None:
    raised: list[BaseException] = []

    def interrupt(*_: Any) -> None:
        if raised:
            raise raised.pop()

    client_context._msg_callback = interrupt
    with tls_sockets(client_context, server_context) as (client, _):
        raised.append(kind())
        with pytest.raises(kind):
            client.shutdown(socket.SHUT_WR)
    assert not unraisable
