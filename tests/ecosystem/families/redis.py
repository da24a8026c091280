"""redis-py, with and without asyncio, and the redis-server of the system."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from typing import Any

from tests.ecosystem.terms import Terms
from tests.kit.certificates import ADDRESS, HOST
from tests.kit.programs import Process, program
from tests.kit.sockets import free_port

KEY = "data"


@contextlib.contextmanager
def server(terms: Terms) -> Iterator[int]:
    chain, key = terms.credentials
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        command = (program("redis-server", "redis-server"), "--bind", ADDRESS, "--port", 0, "--tls-port", port)
        storage = ("--dir", folder, "--save", "", "--appendonly", "no")
        tls = ("--tls-cert-file", chain, "--tls-key-file", key, "--tls-ca-cert-file", terms.certificates.ca_file)
        clients = ("--tls-auth-clients", "yes" if terms.ca_file else "no")
        with Process(*command, *storage, *tls, *clients) as process:
            process.line_with("Ready to accept connections")
            yield port


def _files(terms: Terms) -> dict[str, Any]:
    chain, key = terms.credentials or (None, None)
    return {"ssl_ca_certs": str(terms.ca_file), "ssl_certfile": chain and str(chain), "ssl_keyfile": key and str(key)}


def client(terms: Terms, port: int, data: bytes) -> bytes:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    class Connection(redis.SSLConnection):
        def _wrap_socket_with_ssl(self, sock: Any) -> Any:
            return terms.client_context.wrap_socket(sock, server_hostname=self.host)

    kind, options = (redis.SSLConnection, _files(terms)) if terms.of_files else (Connection, {})
    pool = redis.ConnectionPool(connection_class=kind, host=HOST, port=port, retry=Retry(NoBackoff(), 0), **options)
    with contextlib.closing(pool), redis.Redis(connection_pool=pool) as database:
        database.set(KEY, data)
        return database.get(KEY)


def asyncio_client(terms: Terms, port: int, data: bytes) -> bytes:
    import redis.asyncio
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    class Connection(redis.asyncio.SSLConnection):
        def _connection_arguments(self) -> Any:
            return {**super()._connection_arguments(), "ssl": terms.client_context}

    async def talk() -> bytes:
        kind, files = (redis.asyncio.SSLConnection, _files(terms)) if terms.of_files else (Connection, {})
        options = {"host": HOST, "port": port, "retry": Retry(NoBackoff(), 0), **files}
        pool = redis.asyncio.ConnectionPool(connection_class=kind, **options)
        async with redis.asyncio.Redis.from_pool(pool) as database:
            await database.set(KEY, data)
            return await database.get(KEY)

    return asyncio.run(talk())
