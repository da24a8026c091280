"""One sample: one implementation does one measure once, in a fresh process, and says what it cost.

    python sample.py MEASURE FAMILY ROW FOLDER OPTIONS      OPTIONS is a JSON object; prints the sample as JSON

`take` starts such a process, or the C program in its place.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from endpoints import GROUP
from rows import OWN, Row, row_named

HERE = Path(__file__).parent
# The options that say how much a sample does; a slow row does less.
COUNTS = ("mib", "round_trips", "handshakes")


class SampleError(Exception):
    """A sample could not be taken; the text says why."""


def _output(command: list[str], environ: dict[str, str] | None = None) -> str:
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout


def build_limit(folder: Path, own: str = "") -> None:
    """Compile limit/ into `folder`, against the OpenSSL that pkg-config names: the one wiretight builds against."""
    flags_of = {**os.environ, **({"PKG_CONFIG_PATH": OWN[own][1]} if own else {})}
    sources = sorted(str(path) for path in (HERE / "limit").glob("*.c"))
    compiler = [os.environ.get("CC", "cc"), "-O2", "-pthread", "-o", str(folder / f"limit{own}"), *sources]
    try:
        flags = _output(["pkg-config", "--cflags", "--libs", "openssl"], flags_of).split()
        _output([*compiler, *flags])
    except FileNotFoundError as error:
        raise SampleError(f"the C program needs {error.filename}") from None
    except subprocess.CalledProcessError as error:
        raise SampleError(f"the C program does not build: {error.stderr.strip()}") from None


def command_for(row: Row, family: str, module: str, folder: Path, options: dict[str, Any]) -> list[str]:
    """The command that takes one sample of `row`: this file again, or the C program."""
    options = {**options, **_fewer(row, options)}
    if row.variant:
        # C has one way to read and one to write: what only Python distinguishes ("call") it does not look at. It has
        # no asyncio: there it stands for the bare connection.
        settings = [f"{name}={int(value) if isinstance(value, bool) else value}" for name, value in options.items()]
        there = folder / options.get("chain", "")
        return [str(folder / f"limit{row.own}"), module.removeprefix("async_"), row.variant, str(there), *settings]
    return [row.python, str(HERE / "sample.py"), module, family, row.name, str(folder), json.dumps(options)]


def _fewer(row: Row, options: dict[str, Any]) -> dict[str, Any]:
    counts = {name: options[name] for name in COUNTS if name in options}
    return {name: max(1, int(count * row.factor)) for name, count in counts.items()}


def take(
    row: Row,
    family: str,
    module: str,
    folder: Path,
    options: dict[str, Any],
    patience: float,
    told: Callable[[str], object],
) -> dict[str, Any]:
    """Take one sample of `row` in a fresh process, within `patience` seconds; `told` is called with its progress."""
    command = command_for(row, family, module, folder, options)
    name = f"{row.name}, {module}"
    found: Any = None
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as errors,
        subprocess.Popen(command, env=environment(folder, options), stdout=subprocess.PIPE, stderr=errors) as process,
    ):
        try:
            for line in _lines(process, patience):
                found = json.loads(line)
                if isinstance(found, str):
                    told(found)
            status = process.wait()
        except TimeoutError:
            raise SampleError(f"{name}: no result within {patience} s") from None
        finally:
            process.kill()
        if status:
            errors.seek(0)
            # The last line of a traceback is the error itself.
            lines = errors.read().strip().splitlines() or [f"ended with status {status} and no message"]
            raise SampleError(f"{name}: {lines[-1]}")
    sample: dict[str, Any] = found
    return sample


def _lines(process: subprocess.Popen[bytes], patience: float) -> Iterator[bytes]:
    """Its output, as it comes; TimeoutError if that has not ended after `patience` seconds."""
    assert process.stdout is not None
    output, rest, end = process.stdout.fileno(), b"", time.monotonic() + patience
    while select.select([output], [], [], max(0, end - time.monotonic()))[0]:
        data = os.read(output, 65536)
        *lines, rest = (rest + data).split(b"\n")
        yield from lines
        if not data:
            yield from filter(None, [rest])
            return
    raise TimeoutError


def environment(folder: Path, options: dict[str, Any]) -> dict[str, str]:
    """Cipher suite and group for every OpenSSL, and the same default trust for every row."""
    settings = folder / f"{options.get('group', GROUP)}.cnf"
    roots = {"SSL_CERT_FILE": str(folder / "roots.pem"), "SSL_CERT_DIR": str(folder / "no-roots")}
    return {**os.environ, **roots, "OPENSSL_CONF": str(settings)}


def main() -> None:
    module, family, name, folder, options = sys.argv[1:]
    sample = importlib.import_module(f"measure.{module}").sample
    print(json.dumps(sample(row_named(family, name), Path(folder), **json.loads(options))), flush=True)
    # Thousands of connections need not be closed one by one.
    os._exit(0)


if __name__ == "__main__":
    main()
