"""OpenSSL's own server and client, and curl, as processes. Ready means that they reported it or answered: no sleeps."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl as standard
import subprocess
import threading
from collections.abc import Mapping
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
    """A running program. Its output is collected all the time, so that it never blocks on a full pipe."""

    def __init__(
        self, *arguments: Argument, folder: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self.arguments = [str(argument) for argument in arguments]
        self.process = subprocess.Popen(
            self.arguments,
            cwd=folder,
            env=environment and {**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._output = bytearray()
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, name="output")
        self._reader.start()

    def _read(self) -> None:
        while data := self.process.stdout.read1(65536):
            with self._news:
                self._output += data
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def output(self) -> str:
        """Standard output and standard error so far."""
        with self._news:
            return self._output.decode(errors="replace")

    def line_with(self, text: str, nth: int = 1) -> str:
        """The first line of output that contains `text`, or the nth; waits for it."""
        wanted = text.encode()

        def found() -> bytes | None:
            complete = self._output if self._ended else self._output[: self._output.rfind(b"\n") + 1]
            lines = [line for line in complete.splitlines() if wanted in line] if wanted in complete else []
            return lines[nth - 1] if len(lines) >= nth else None

        with self._news:
            self._news.wait_for(lambda: found() is not None or self._ended, PATIENCE)
            line = found()
        assert line is not None, f"{self.arguments} has not said {text!r}, but:\n{self.output}"
        return line.decode(errors="replace")

    def says(self, data: bytes) -> bool:
        """Whether these bytes come, one after the other; waits for them, or for the end of the program."""
        with self._news:
            self._news.wait_for(lambda: data in self._output or self._ended, PATIENCE)
            return data in self._output

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
    """`openssl s_client`, which verifies the server's chain and name. It sends the given text."""

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
