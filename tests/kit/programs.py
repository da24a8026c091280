"""OpenSSL's own server and client, and curl, as processes. Ready means that they said so or answered: nobody sleeps."""

from __future__ import annotations

import contextlib
import shutil
import ssl as standard
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.kit.certificates import ADDRESS, HOST, Credentials
from tests.kit.threads import PATIENCE

Argument = str | Path | int


def program(name: str, package: str) -> str:
    """Where the program is; the test is skipped where it is missing."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs the program {name}: apt-get install {package}")
    return found


def version_option(version: Any) -> str:
    """`version` in the spelling of `openssl s_server` and `s_client`."""
    return {standard.TLSVersion.TLSv1_2: "-tls1_2", standard.TLSVersion.TLSv1_3: "-tls1_3"}[version]


class Process:
    """A running program. Its output is collected line by line, so that it never blocks on a full pipe."""

    def __init__(self, *arguments: Argument, folder: Path | None = None) -> None:
        self.arguments = [str(argument) for argument in arguments]
        self.process = subprocess.Popen(
            self.arguments, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self._lines: list[bytes] = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, name="output")
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def output(self) -> str:
        """Standard output and standard error so far."""
        with self._news:
            return b"".join(self._lines).decode(errors="replace")

    def line_with(self, text: str) -> str:
        """The first line of output that contains `text`; waits for it."""
        wanted = text.encode()

        def found() -> bytes | None:
            return next((line for line in self._lines if wanted in line), None)

        with self._news:
            self._news.wait_for(lambda: found() or self._ended, PATIENCE)
            line = found()
        assert line is not None, f"{self.arguments} has not said {text!r}, but:\n{self.output}"
        return line.decode(errors="replace").rstrip("\r\n")

    def say(self, line: bytes) -> None:
        self.process.stdin.write(line)
        self.process.stdin.flush()

    def end_of_input(self) -> None:
        self.process.stdin.close()

    def wait(self) -> int:
        """The exit status, once the program has ended by itself and its output is complete."""
        status = self.process.wait(PATIENCE)
        self._reader.join()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(PATIENCE)
        self._reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                stream.close()


class OpenSSLServer(Process):
    """`openssl s_server`, listening on `port`. Give it `-rev` and it answers every line with the line reversed."""

    def __init__(
        self, credentials: Credentials, version: Any, *arguments: Argument, folder: Path | None = None
    ) -> None:
        super().__init__(
            *(program("openssl", "openssl"), "s_server", "-accept", f"{ADDRESS}:0", version_option(version)),
            *("-cert", credentials.chain, "-cert_chain", credentials.chain, "-key", credentials.key),
            *arguments,
            folder=folder,
        )
        try:
            self.port = int(self.line_with("ACCEPT").rpartition(":")[2])
        except BaseException:
            self.__exit__()
            raise
        self.address = (ADDRESS, self.port)


class OpenSSLClient(Process):
    """`openssl s_client`, which verifies the server's chain and name. It says what it is told to."""

    def __init__(
        self, port: int, ca_file: Path, version: Any, *arguments: Argument, server_hostname: str = HOST
    ) -> None:
        super().__init__(
            *(program("openssl", "openssl"), "s_client", "-connect", f"{ADDRESS}:{port}", version_option(version)),
            *("-CAfile", ca_file, "-verify_return_error"),
            *("-servername", server_hostname, "-verify_hostname", server_hostname),
            *arguments,
        )


def curl(url: str, *arguments: Argument, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Fetch `url` with curl; its exit status and output are the test's to judge. `data` is its standard input."""
    command = [program("curl", "curl"), "--silent", "--show-error", "--max-time", PATIENCE, *arguments, url]
    return subprocess.run(
        [str(part) for part in command], input=data, capture_output=True, timeout=2 * PATIENCE, check=False
    )
