"""streams: a command whose stdin, stdout or stderr is closed, full, or has no reader."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import select
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import COMMAND, Result, assert_one_line, started
from tests.core.peer import until
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.sockets import receive_all
from tests.kit.threads import PATIENCE
from wiretight._cli.main import main

BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
BUFFERS = pytest.mark.parametrize(
    "environment", [BUFFERED, {**BUFFERED, "PYTHONUNBUFFERED": "1"}], ids=["buffered", "unbuffered"]
)


def redirected(arguments: str, redirections: str, environment: dict[str, str] = BUFFERED) -> Result:
    """The command as a shell starts it: stderr is in `stderr` unless it is redirected, too."""
    command = f"{shlex.join(COMMAND)} {arguments} {redirections}"
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=False, env=environment)


@BUFFERS
@pytest.mark.parametrize("arguments", ["--version", "--help", "cert --help", "info", "info --json"])
def test_output_that_cannot_be_written_is_one_line(arguments: str, environment: dict[str, str]) -> None:
    result = redirected(arguments, ">/dev/full", environment)

    assert_one_line(result, "the output cannot be written: No space left on device")


@BUFFERS
@pytest.mark.parametrize("arguments", ["--version", "cert --help", "info"])
def test_output_without_a_reader_ends_quietly(arguments: str, environment: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [*COMMAND, *arguments.split()]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False, env=environment)
    os.close(writing)

    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("redirections", ["2>/dev/full", "2>&-", "2</dev/null"])
class TestErrorsThatNobodyReads:
    """They change nothing else: neither the exit status, nor the result, nor what is on stdout."""

    @pytest.mark.parametrize("arguments", ["connect", "run", "run /no/such"])
    def test_wrong_usage_has_its_status(self, arguments: str, redirections: str) -> None:
        result = redirected(arguments, redirections)

        assert (result.returncode, result.stdout) == (2, "")

    def test_a_document_stays_one(self, redirections: str) -> None:
        result = redirected(f"connect {ADDRESS}:1 --json", redirections)

        assert "refused" in json.loads(result.stdout)["error"]
        assert result.returncode == 1

    def test_progress_goes_nowhere(self, redirections: str) -> None:
        pytest.importorskip("cryptography", reason="the demo makes a certificate: pip install 'wiretight[demo]'")
        result = redirected("demo --size 64K --way blocking --json", redirections)

        assert [row["result"] for row in json.loads(result.stdout)] == ["ok"]
        assert result.returncode == 0


def test_a_command_without_any_stream_does_its_work() -> None:
    result = redirected("doctor --json json", "<&- >&- 2>&-")

    assert result.returncode == 0


def test_a_closed_stdin_cannot_be_read() -> None:
    assert_one_line(redirected("cert -", "<&-"), "the standard input cannot be read: Bad file descriptor")


def test_a_server_serves_on_when_nobody_reads_its_notes(certificates: Certificates, tmp_path: Path) -> None:
    """As behind `2>&1 | head`."""
    server = certificates.server
    context = certificates.client_context()
    with started("serve", tmp_path, "--cert", server.chain, "--key", server.key, "--port", 0) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        port = int(process.stdout.readline().rstrip("/\n").rpartition(":")[2])
        process.stderr.close()
        try:
            answers = [get(context, port) for _ in range(2)]
        finally:
            process.terminate()

    assert [answer.split()[1] for answer in answers] == [b"200", b"200"]


def get(context: Any, port: int) -> bytes:
    with context.wrap_socket(socket.create_connection((ADDRESS, port), PATIENCE), server_hostname=HOST) as client:
        client.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        return receive_all(client)


@pytest.mark.parametrize("json_option", ["", "--json"], ids=["text", "json"])
@pytest.mark.parametrize("arguments", ["info", f"connect {ADDRESS}:1", f"trace {ADDRESS}:1"])
def test_what_the_system_refuses_is_not_said_of_the_output(arguments: str, json_option: str) -> None:
    result = redirected(arguments, json_option, {**BUFFERED, "SSLKEYLOGFILE": "/no/such/log"})

    assert_one_line(result, "cannot go on: No such file or directory (/no/such/log)")
    if json_option:
        assert "/no/such/log" in json.loads(result.stdout)["error"]


@pytest.mark.parametrize("arguments", ["run -c 'print([])'", "doctor --json json"])
def test_a_folder_that_was_removed_is_no_hindrance(arguments: str, tmp_path: Path) -> None:
    command = f"cd '{tmp_path}' && rmdir '{tmp_path}' && exec {shlex.join(COMMAND)} {arguments}"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stdout, result.stderr) == (0, "[]\n", "")


def test_a_program_in_a_folder_that_was_removed_cannot_be_read(tmp_path: Path) -> None:
    command = f"cd '{tmp_path}' && rmdir '{tmp_path}' && exec {shlex.join(COMMAND)} run program.py"
    result = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)

    assert_one_line(result, "program.py cannot be read: No such file or directory", status=2)


def run(program: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program that uses the streams."""
    program = f"import os, sys\nfrom wiretight._cli import streams\nfrom wiretight._cli.main import main\n{program}"
    command = [sys.executable, *options, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**BUFFERED, **environment})


def test_what_a_program_prints_before_it_calls_main_comes_before_it() -> None:
    done = run("print('before'); main(['info', '--json']); print('after', sys.stdout is sys.__stdout__)")

    assert done.stdout.startswith("before\n{")
    assert done.stdout.endswith("}\nafter True\n")


def test_a_stream_of_a_program_stays_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """This one has no descriptor."""
    print("before")
    main(["info", "--json"])
    print("after")

    assert capsys.readouterr().out.startswith("before\n{")


def test_a_stream_that_encodes_what_it_is_given_goes_on_doing_so(tmp_path: Path) -> None:
    """It has a descriptor, and what is written there is not the text."""
    with gzip.open(tmp_path / "out.gz", "wt") as file, contextlib.redirect_stdout(file):
        main(["info", "--json"])

    with gzip.open(tmp_path / "out.gz", "rt") as file:
        assert "OpenSSL" in file.read()


def test_unbuffered_output_is_written_at_once() -> None:
    program = "with streams.prepared(): print('out'); print('err', file=sys.stderr); os._exit(0)"
    done = run(program.replace(": ", ":\n  ", 1).replace("; ", "\n  "), "-u")

    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_a_closed_stdout_takes_any_text() -> None:
    ascii_alone = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = run("os.close(1)\nsys.stdout = None\nwith streams.prepared(): print('\\xfc')", **ascii_alone)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_pipe_that_does_not_block_loses_nothing() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    program = "from wiretight._cli import streams; \nwith streams.prepared(): print('x' * 1_000_000, flush=True)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE) as process:
        until(lambda: not select.select([], [writing], [], 0)[1], "the pipe is full")
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            assert len(pipe.read()) == 1_000_001
    assert process.returncode == 0
