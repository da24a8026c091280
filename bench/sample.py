"""One sample: one implementation does one measure once, in a fresh process, and says what it cost.

    python sample.py MEASURE MODULE FOLDER OPTIONS      OPTIONS is a JSON object; prints the sample as JSON

`take` starts such a process, or the C program in its place.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
LIMIT = "c"
SECONDS_ALLOWED = 120


class SampleError(Exception):
    """A sample could not be taken; the text says why."""


def _output(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def build_limit(folder: Path) -> None:
    """Compile limit.c into `folder`, against the OpenSSL that pkg-config names: the one wiretight builds against."""
    compiler = [os.environ.get("CC", "cc"), "-O2", "-pthread", "-o", str(folder / "limit"), str(HERE / "limit.c")]
    try:
        flags = _output(["pkg-config", "--cflags", "--libs", "openssl"]).split()
        _output([*compiler, *flags])
    except FileNotFoundError as error:
        raise SampleError(f"limit.c needs {error.filename}; install it, or leave the C row out with --rows") from None
    except subprocess.CalledProcessError as error:
        raise SampleError(f"limit.c does not build (leave the C row out with --rows): {error.stderr.strip()}") from None


def command_for(row: str, measure: str, folder: Path, options: dict[str, Any]) -> list[str]:
    """The command that takes one sample of `row`: a module with the interface of `ssl`, or "c" for the C program."""
    if row == LIMIT:
        # C has one way to read and one to write: what only Python distinguishes ("call") does not exist there.
        numbers = [str(value) for name, value in options.items() if name != "call"]
        return [str(folder / "limit"), measure, str(folder), *numbers]
    return [sys.executable, str(HERE / "sample.py"), measure, row, str(folder), json.dumps(options)]


def take(row: str, measure: str, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """Take one sample of `row` in a fresh process."""
    command = command_for(row, measure, folder, options)
    environment = {**os.environ, "OPENSSL_CONF": str(folder / "openssl.cnf")}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SECONDS_ALLOWED, check=False
        )
    except subprocess.TimeoutExpired:
        raise SampleError(f"{row}, {measure}: no result within {SECONDS_ALLOWED} s") from None
    if done.returncode:
        reason = done.stderr.strip() or f"ended with status {done.returncode} and no message"
        raise SampleError(f"{row}, {measure}: {reason}")
    sample: dict[str, Any] = json.loads(done.stdout)
    return sample


def main() -> None:
    measure, module, folder, options = sys.argv[1:]
    tls, sample = importlib.import_module(module), importlib.import_module(measure).sample
    print(json.dumps(sample(tls, Path(folder), **json.loads(options))))


if __name__ == "__main__":
    main()
