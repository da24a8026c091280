"""Invalid arguments raise the same errors on every loop, and leave the program's socket to the program."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

import wiretight
from tests.aio.protocols import Recorder
from tests.kit.certificates import HOST
from tests.kit.sockets import tcp_pair, unix_pair
from wiretight import asyncio as native


def datagrams():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)


def wrapped(context):
    near, far = tcp_pair()
    return context.wrap_socket(near, server_hostname=HOST, do_handshake_on_connect=False), far


TCP, UNIX, ACCEPTED = native.create_connection, native.create_unix_connection, native.connect_accepted_socket
TOGETHER = "can not be specified at the same time"


@pytest.mark.parametrize(
    ("method", "pair", "options", "error", "words"),
    [
        (TCP, tcp_pair, {"host": HOST, "port": 1}, ValueError, f"host/port and sock {TOGETHER}"),
        (TCP, tcp_pair, {"port": 1}, ValueError, f"host/port and sock {TOGETHER}"),
        (TCP, tcp_pair, {"server_hostname": None}, ValueError, "must set server_hostname"),
        (TCP, tcp_pair, {"server_hostname": None, "host": HOST}, ValueError, f"host/port and sock {TOGETHER}"),
        (TCP, tcp_pair, {"path": "/tmp/nothing"}, TypeError, "unexpected keyword argument 'path'"),
        (TCP, tcp_pair, {"no_such": 1}, TypeError, "unexpected keyword argument 'no_such'"),
        (TCP, tcp_pair, {"ssl": False}, TypeError, r"must be a wiretight\.SSLContext"),
        (TCP, tcp_pair, {"ssl_handshake_timeout": 0}, ValueError, "ssl_handshake_timeout should be a positive number"),
        (TCP, tcp_pair, {"ssl_shutdown_timeout": -1}, ValueError, "ssl_shutdown_timeout should be a positive number"),
        (TCP, datagrams, {}, ValueError, "A Stream Socket was expected"),
        (TCP, wrapped, {}, TypeError, "Socket cannot be of type SSLSocket"),
        (UNIX, unix_pair, {"path": "/tmp/nothing"}, ValueError, f"path and sock {TOGETHER}"),
        (UNIX, unix_pair, {"server_hostname": None}, ValueError, "have to pass server_hostname"),
        (UNIX, unix_pair, {"host": HOST}, TypeError, "unexpected keyword argument 'host'"),
        (UNIX, unix_pair, {"ssl_handshake_timeout": 0}, ValueError, "should be a positive number"),
        (UNIX, tcp_pair, {}, ValueError, "A UNIX Domain Stream Socket was expected"),
        (UNIX, datagrams, {}, ValueError, "A UNIX Domain Stream Socket was expected"),
        (ACCEPTED, tcp_pair, {"ssl_handshake_timeout": 0}, ValueError, "should be a positive number"),
        (ACCEPTED, datagrams, {}, ValueError, "A Stream Socket was expected"),
        (ACCEPTED, wrapped, {}, TypeError, "Socket cannot be of type SSLSocket"),
    ],
)
def test_a_refused_socket_is_left_unchanged(loops, ends, method, pair, options, error, words):
    options = {"ssl": ends.client_context(), "server_hostname": HOST, **options}
    if method is ACCEPTED:
        options.pop("server_hostname")
        options["ssl"] = ends.server_context()

    async def main():
        near, far = pair(ends.client_context()) if pair is wrapped else pair()
        with contextlib.closing(near), contextlib.closing(far):
            near.settimeout(5)
            with pytest.raises(error, match=words):
                await method(Recorder, sock=near, **options)
            assert near.fileno() >= 0
            assert near.gettimeout() == 5

    loops.run(main)


@pytest.mark.parametrize("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
def test_a_server_does_not_start_with_an_invalid_timeout(loops, ends, name):
    async def main():
        with pytest.raises(ValueError, match=f"{name} should be a positive number"):
            await native.create_server(Recorder, "127.0.0.1", 0, ssl=ends.server_context(), **{name: 0})

    loops.run(main)


def test_the_default_context_comes_from_the_package_s_current_create_default_context(monkeypatch):
    class Called(Exception):
        pass

    def corporate():
        raise Called

    monkeypatch.setattr(wiretight, "create_default_context", corporate)
    with pytest.raises(Called):
        asyncio.run(native.open_connection("127.0.0.1", 1))
