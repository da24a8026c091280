"""handshake_executor as a setting of a context; what it does is in aio/test_handshake_executor.py."""

from __future__ import annotations

import sys
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

import pytest

from tests.kit.certificates import HOST
from tests.kit.changes import EXECUTOR
from tests.kit.pair import Pair
from tests.kit.servers import Server, echo
from tests.kit.subject import tls


class Unused(Executor):
    def submit(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("the executor was asked")


def test_there_is_none_until_it_is_set() -> None:
    context = tls.create_default_context()
    assert context.handshake_executor is None
    context.handshake_executor = EXECUTOR
    assert context.handshake_executor is EXECUTOR
    context.handshake_executor = None
    assert context.handshake_executor is None


def test_sockets_ignore_it(client_context: Any, server_context: Any) -> None:
    for context in (client_context, server_context):
        context.handshake_executor = Unused()
    with Server(server_context, echo) as server, server.connect(client_context) as client:
        client.sendall(b"echo")
        assert client.recv(4) == b"echo"
        client.unwrap()


def test_objects_ignore_it(client_context: Any, server_context: Any) -> None:
    for context in (client_context, server_context):
        context.handshake_executor = Unused()
    pair = Pair(client_context, server_context, server_hostname=HOST)
    pair.handshake()
    pair.server.write(b"data")
    pair.pump()
    assert pair.client.read() == b"data"


def test_anything_with_submit_will_do(client_context: Any) -> None:
    class Own:
        def submit(self, function: Any, /, *args: Any) -> Any: ...

    own = Own()
    client_context.handshake_executor = own
    assert client_context.handshake_executor is own


class OfAProgram(ProcessPoolExecutor):
    pass


def test_an_executor_of_processes_is_refused_and_nothing_changes(client_context: Any) -> None:
    client_context.handshake_executor = EXECUTOR
    with pytest.raises(TypeError, match="a ProcessPoolExecutor cannot be given a connection"):
        client_context.handshake_executor = OfAProgram.__new__(OfAProgram)
    assert client_context.handshake_executor is EXECUTOR


@pytest.mark.skipif(sys.version_info < (3, 14), reason="Python has had it since 3.14")
def test_an_executor_of_interpreters_is_refused(client_context: Any) -> None:
    from concurrent.futures import InterpreterPoolExecutor

    with InterpreterPoolExecutor(1) as executor, pytest.raises(TypeError, match="threads of this interpreter"):
        client_context.handshake_executor = executor
