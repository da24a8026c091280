"""asyncpg and the PostgreSQL of the system."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ecosystem.terms import Terms
from tests.kit.certificates import ADDRESS, HOST, Credentials
from tests.kit.programs import Process, program
from tests.kit.sockets import free_port

USER = "tester"
WITH_PASSWORD = "authenticated"  # a user who does not exist until a test makes it

# PostgreSQL refuses to run as root; its Debian package makes this user.
ACCOUNT = "postgres"


@functools.cache
def binary(name: str) -> str:
    """Debian keeps the server's programs out of PATH, in a folder for each version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}")) or [shutil.which(name)]
    if found[-1] is None:
        pytest.skip(f"needs the program {name}: apt-get install postgresql")
    return str(found[-1])


def as_account() -> tuple[str, ...]:
    if os.geteuid() != 0:
        return ()
    return (program("setpriv", "util-linux"), f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", "--")


@contextlib.contextmanager
def server(terms: Terms) -> Iterator[int]:
    yield running(terms.credentials, terms.certificates.ca_file, terms.ca_file is not None)


# A PostgreSQL takes a second to start, so those that have are used again; who runs the tests has to close this.
kept = contextlib.ExitStack()


@functools.cache
def running(credentials: Credentials, ca_file: Path, asks_for_client: bool) -> int:
    folder = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="postgresql-")))
    data, access, port = folder / "data", folder / "access.conf", free_port()
    shutil.copytree(empty_cluster(), data)
    access.write_text(
        f"hostssl all {WITH_PASSWORD} {ADDRESS}/32 scram-sha-256\n"
        f"hostssl all all {ADDRESS}/32 trust {'clientcert=verify-ca' if asks_for_client else ''}\n"
    )
    settings = {
        "listen_addresses": ADDRESS, "port": port, "unix_socket_directories": "", "fsync": "off", "hba_file": access,
        "ssl": "on", "ssl_ca_file": copy(ca_file, folder),
        "ssl_cert_file": copy(credentials.chain, folder), "ssl_key_file": copy(credentials.key, folder),
    }  # fmt: skip
    own(folder)
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    process = kept.enter_context(Process(*as_account(), binary("postgres"), "-D", data, *options))
    process.line_with("ready to accept connections")
    return port


@functools.cache
def empty_cluster() -> Path:
    """Made once, copied for every server."""
    folder = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="postgresql-")))
    own(folder)
    data = folder / "data"
    options = ("-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
    with Process(*as_account(), binary("initdb"), "-D", data, *options, folder=folder) as process:
        assert process.wait() == 0, process.output
    return data


def copy(file: Path, folder: Path) -> Path:
    """PostgreSQL wants its key to be its own, and nobody else's."""
    copied = folder / file.name
    shutil.copyfile(file, copied)
    copied.chmod(0o600)
    return copied


def own(folder: Path) -> None:
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, ACCOUNT, ACCOUNT)


def client(terms: Terms, port: int, data: bytes) -> bytes:
    import asyncpg

    async def talk() -> bytes:
        options = {"host": HOST, "port": port, "user": USER, "database": "postgres"}
        if terms.of_files:
            dsn = f"postgresql:///?sslmode=verify-full&sslrootcert={terms.ca_file}"
            if terms.credentials:
                dsn += f"&sslcert={terms.credentials.chain}&sslkey={terms.credentials.key}"
            connection = await asyncpg.connect(dsn, **options)
        else:
            connection = await asyncpg.connect(ssl=terms.client_context, **options)
        try:
            return await connection.fetchval("SELECT $1::bytea", data)
        finally:
            await connection.close()

    return asyncio.run(talk())
