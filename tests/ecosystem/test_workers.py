"""uvicorn with four workers: each has a context of wiretight's, made in it after install() or out of a pickle."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ecosystem.families.processes import PROGRAMS
from tests.kit.certificates import ADDRESS, Certificates, Credentials
from tests.kit.sockets import connect, free_port, receive_all
from tests.kit.threads import PATIENCE

uvicorn = pytest.importorskip("uvicorn", minversion="0.47", reason="pip install --group ecosystem")


def copy(credentials: Credentials, folder: Path) -> None:
    for source, name in zip(credentials, ("cert.pem", "key.pem"), strict=True):
        shutil.copy(source, folder / "new.pem")
        (folder / "new.pem").replace(folder / name)


@contextlib.contextmanager
def serving(folder: Path, way: str) -> Iterator[int]:
    """Its port, as soon as it listens."""
    shutil.copy(PROGRAMS / "uvicorn_workers.py", folder / "server.py")
    port = free_port()
    server = subprocess.Popen([sys.executable, "server.py", str(port), way], cwd=folder, start_new_session=True)
    try:
        yield port
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # its workers, too
        server.wait()


def met(context: Any, port: int) -> tuple[int, bytes]:
    """The number of the process that has answered, and its certificate."""
    with connect(context, (ADDRESS, port)) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return int(receive_all(client).rpartition(b"\n")[2]), client.getpeercert(True)


@pytest.mark.parametrize("way", ["installed", "pickled"])
def test_each_worker_of_uvicorn_serves_and_shows_what_was_renewed(
    certificates: Certificates, tmp_path: Path, way: str
) -> None:
    context = certificates.client_context()
    context.check_hostname = False
    copy(certificates.server, tmp_path)
    workers: dict[int, bytes] = {}
    end = time.monotonic() + 4 * PATIENCE
    with serving(tmp_path, way) as port:
        while len(workers) < 4:
            assert time.monotonic() < end, workers
            with contextlib.suppress(ConnectionRefusedError):
                workers.update([met(context, port)])
        [before] = set(workers.values())
        copy(certificates.many_names, tmp_path)
        while before in workers.values():  # until the files count as finished
            assert time.monotonic() < end, workers
            time.sleep(0.05)
            workers.update([met(context, port)])
        assert len(workers) == 4
        assert len(set(workers.values())) == 1
