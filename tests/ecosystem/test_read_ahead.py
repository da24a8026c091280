"""Clients of which docs/sockets.md says that they may read ahead, and why those with pools may not."""

from __future__ import annotations

import http.client
import os
import socket
import ssl as standard
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ecosystem.families import postgresql, redis
from tests.ecosystem.terms import HANDED, Terms
from tests.interop.test_http import https_server
from tests.kit.certificates import HOST, Certificates
from tests.kit.servers import Server
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE

LARGE = os.urandom(300_000)

timeouts = pytest.mark.parametrize("timeout", [None, PATIENCE], ids=["blocking", "timeout"])


@pytest.fixture
def context(certificates: Certificates, version: standard.TLSVersion) -> Any:
    context = certificates.client_context(version)
    context.read_ahead = True
    return context


@pytest.fixture
def redis_port(certificates: Certificates) -> Iterator[int]:
    pytest.importorskip("redis", reason="pip install --group ecosystem")
    with redis.server(Terms(HANDED, tls, certificates, certificates.server, None)) as port:
        yield port


@timeouts
def test_redis(redis_port: int, context: Any, timeout: float | None) -> None:
    """Questions one by one, many at once, and messages that come by themselves."""
    import redis

    class Connection(redis.SSLConnection):
        def _wrap_socket_with_ssl(self, sock: Any) -> Any:
            return context.wrap_socket(sock, server_hostname=self.host)

    pool = redis.ConnectionPool(connection_class=Connection, host=HOST, port=redis_port, socket_timeout=timeout)
    with redis.Redis(connection_pool=pool) as database:
        database.set("large", LARGE)
        for number in range(50):
            database.set(str(number), number)
            assert database.get(str(number)) == b"%d" % number
        with database.pipeline() as pipeline:
            for number in range(1000):
                pipeline.get("large" if number % 100 == 0 else str(number % 50))
            assert pipeline.execute()[::100] == [LARGE] * 10
        with database.pubsub(ignore_subscribe_messages=True) as listening:
            listening.subscribe("channel")
            assert listening.get_message(timeout=PATIENCE) is None
            for number in range(20):
                database.publish("channel", number)
            messages = [listening.get_message(timeout=PATIENCE) for _ in range(20)]
            assert [message and message["data"] for message in messages] == [b"%d" % number for number in range(20)]
    pool.disconnect()


@timeouts
def test_pg8000(certificates: Certificates, context: Any, timeout: float | None) -> None:
    native = pytest.importorskip("pg8000.native", reason="pip install --group ecosystem")
    port = postgresql.running(certificates.server, certificates.ca_file, False)
    terms = {"host": HOST, "port": port, "database": "postgres", "ssl_context": context, "timeout": timeout}
    with native.Connection(postgresql.USER, **terms) as connection:
        for number in range(50):
            assert connection.run("SELECT :number :: int", number=number) == [[number]]
        assert len(connection.run("SELECT repeat('x', 1000) FROM generate_series(1, 2000)")) == 2000


def test_http_client(certificates: Certificates, context: Any) -> None:
    server_context = certificates.server_context()
    server_context.read_ahead = True
    with https_server(server_context) as port:
        connection = http.client.HTTPSConnection(HOST, port, context=context, timeout=PATIENCE)
        for size in (0, 1, 5000, 100_000) * 5:
            connection.request("POST", "/", LARGE[:size])
            assert connection.getresponse().read() == LARGE[:size]
        connection.close()


def answer_and_goodbye(sock: Any) -> None:
    """In one segment."""
    while not sock.recv(65536).endswith(b"\r\n\r\n"):
        pass
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    sock.close_notify()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
    sock.recv(1)


@pytest.mark.skipif(not hasattr(socket, "TCP_CORK"), reason="only Linux glues two sends together on demand")
@pytest.mark.parametrize("ahead", [False, True], ids=["truth", "ahead"])
def test_a_pool_that_asks_select_does_not_see_a_goodbye_that_was_read_ahead(
    certificates: Certificates, context: Any, ahead: bool
) -> None:
    urllib3 = pytest.importorskip("urllib3", reason="pip install --group ecosystem")
    context.read_ahead = ahead
    with (
        Server(certificates.server_context(), answer_and_goodbye, errors_ok=True) as server,
        urllib3.PoolManager(ssl_context=context, retries=False, timeout=PATIENCE) as pool,
    ):
        address = f"https://{HOST}:{server.port}/"
        assert pool.request("GET", address).data == b"ok"
        if ahead:
            with pytest.raises(urllib3.exceptions.ProtocolError):
                pool.request("GET", address)
        else:
            assert pool.request("GET", address).data == b"ok"
