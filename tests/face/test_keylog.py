"""The key log: to a file readable by its owner only, or to anything else that is writable."""

from __future__ import annotations

import errno
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import Certificates
from tests.kit.pair import Pair
from tests.kit.subject import tls
from tests.kit.threads import Task


@pytest.fixture
def context(certificates: Certificates, version: Any) -> Any:
    return certificates.client_context(version)


def logged(context: Any, certificates: Certificates) -> None:
    Pair(context, certificates.server_context()).handshake()


def are_secrets(lines: str, version: Any) -> bool:
    label = "CLIENT_RANDOM " if version == tls.TLSVersion.TLSv1_2 else "CLIENT_HANDSHAKE_TRAFFIC_SECRET "
    return any(line.startswith(label) and len(line.split()) == 3 for line in lines.splitlines())


@pytest.fixture(params=[0o000, 0o022, 0o277, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_new_file_is_readable_by_its_owner_only(
    context: Any, certificates: Certificates, version: Any, tmp_path: Path
) -> None:
    context.keylog_filename = tmp_path / "keys"
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o600
    logged(context, certificates)
    lines = (tmp_path / "keys").read_text()
    assert lines.startswith("# TLS secrets log file")
    assert are_secrets(lines, version)


def test_an_existing_file_is_appended_to_and_keeps_its_mode(
    context: Any, certificates: Certificates, version: Any, tmp_path: Path
) -> None:
    path = tmp_path / "keys"
    path.write_text("# mine\n")
    path.chmod(0o640)
    context.keylog_filename = path
    logged(context, certificates)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.read_text().startswith("# mine\n")
    assert "log file" not in path.read_text()
    assert are_secrets(path.read_text(), version)


def test_a_link_to_a_missing_file_creates_it(
    context: Any, certificates: Certificates, version: Any, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "keys")
    context.keylog_filename = tmp_path / "link"
    logged(context, certificates)
    assert are_secrets((tmp_path / "keys").read_text(), version)


def test_a_pipe_accepts_it(context: Any, certificates: Certificates, version: Any) -> None:
    reading, writing = os.pipe()
    context.keylog_filename = f"/dev/fd/{writing}"
    os.close(writing)
    logged(context, certificates)
    assert are_secrets(os.read(reading, 65536).decode(), version)
    context.keylog_filename = None
    os.set_blocking(reading, False)
    assert os.read(reading, 1) == b"", "the context has closed its end"
    os.close(reading)


def test_a_fifo_accepts_it(context: Any, certificates: Certificates, version: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    reading = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    context.keylog_filename = tmp_path / "fifo"
    logged(context, certificates)
    assert are_secrets(os.read(reading, 65536).decode(), version)
    os.close(reading)


def test_a_fifo_without_a_reader_is_an_error_at_once(context: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    context.keylog_filename = before = tmp_path / "keys"
    with pytest.raises(OSError, match="nobody reads from this FIFO") as caught:
        context.keylog_filename = tmp_path / "fifo"
    assert caught.value.errno == errno.ENXIO
    assert context.keylog_filename == before


def test_a_socket_accepts_it(context: Any, certificates: Certificates, version: Any) -> None:
    """Whole lines, also where it has no room for the next one yet."""
    near, far = socket.socketpair()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    context.keylog_filename = f"/dev/fd/{near.fileno()}"
    near.close()
    with far, far.makefile() as file:
        reading = Task(file.read)
        for _ in range(20):
            logged(context, certificates)
        context.keylog_filename = None
        lines = reading.result()
    assert are_secrets(lines, version)
    assert all(len(line.split()) == 3 for line in lines.splitlines())
    assert len(lines.splitlines()) % 20 == 0


@pytest.mark.parametrize("kind", ["pipe", "socket", "file"])
def test_standard_error_accepts_it(certificates: Certificates, kind: str, tmp_path: Path) -> None:
    program = (
        "import sys, wiretight as ssl; client = ssl.create_default_context(cafile=sys.argv[1]);"
        "server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); server.load_cert_chain(*sys.argv[2:4]);"
        "from tests.kit.pair import Pair; Pair(client, server).handshake()"
    )
    near, far = os.pipe() if kind == "pipe" else (end.detach() for end in socket.socketpair())
    if kind == "file":
        os.close(far)
        far = os.open(tmp_path / "errors", os.O_WRONLY | os.O_CREAT)
    subprocess.run(
        [sys.executable, "-c", program, certificates.ca_file, *certificates.server],
        env={**os.environ, "SSLKEYLOGFILE": "/dev/stderr"}, stderr=far, check=True,
    )  # fmt: skip
    os.close(far)
    text = (tmp_path / "errors").read_text() if kind == "file" else os.read(near, 65536).decode()
    os.close(near)
    assert are_secrets(text, tls.TLSVersion.TLSv1_3)


def test_a_folder_cannot_accept_it(context: Any, tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        context.keylog_filename = tmp_path
