"""What a program writes, and where, as the kernel sees it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.kit.programs import program
from tests.kit.threads import PATIENCE

CALLS = "open,openat,openat2,creat,memfd_create,write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg"
FOR_WRITING = re.compile(r"\b(?:O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|O_TMPFILE)\b|^\d+ +(?:creat|memfd_create)\(")
PATH = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
OCTET = re.compile(r"\\x([0-9a-f]{2})")


class Trace(NamedTuple):
    output: str
    opened_for_writing: list[str]
    written: bytes  # all of it, to whatever


def traced(text: str, *arguments: str, data: bytes = b"", folder: Path) -> Trace:
    """Runs a Python program under strace, with `data` as its standard input; the trace is written to `folder`."""
    log = folder / "strace.log"
    strace = [program("strace", "strace"), "-f", "-qq", "-xx", "-s", "1000000", "-o", str(log), "-e", f"trace={CALLS}"]
    done = subprocess.run(
        [*strace, sys.executable, "-c", text, *arguments],
        input=data, capture_output=True, cwd=folder, timeout=2 * PATIENCE, check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    errors = done.stderr.decode(errors="replace")
    if "ptrace" in errors and "not permitted" in errors:
        pytest.skip("this machine forbids ptrace(), which strace needs")
    assert done.returncode == 0, errors
    opened, written = [], bytearray()
    for line in log.read_text().splitlines():
        strings = [bytes.fromhex("".join(OCTET.findall(found))) for found in PATH.findall(line)]
        if re.search(r"\b(?:open|creat|memfd_create)", line.partition("(")[0]):
            if FOR_WRITING.search(line) and " = -1 " not in line:
                opened.append(strings[0].decode())
        else:
            written += b"".join(strings)
    return Trace(done.stdout.decode(), opened, bytes(written))
