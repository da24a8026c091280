"""`demo`: transfers a file from a TLS server on loopback in every way, and compares it byte by byte."""

import argparse
import re
import shutil
import statistics
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import wiretight as ssl
from wiretight._cli.arguments import whole_number
from wiretight._cli.demo import blocking, eventloop, memorybio, programs, selecting
from wiretight._cli.demo.download import shares
from wiretight._cli.demo.payload import Copy, Payload
from wiretight._cli.demo.way import NotInstalledError, Passage, Target, Way
from wiretight._cli.errors import CommandError, what_happened
from wiretight._cli.negotiated import UNKNOWN
from wiretight._cli.serve.authority import Authority
from wiretight._cli.serve.fileserver import HOST, Fault, file_server, limit_version
from wiretight._cli.terminal import MIB, Progress, clean, in_units, print_json, print_table

WAYS: dict[str, Way] = {
    "blocking": blocking.fetch,
    "selectors": selecting.fetch,
    "memory-bio": memorybio.fetch,
    "asyncio": eventloop.fetch,
    "curl": programs.fetch_with_curl,
    "openssl": programs.fetch_with_openssl,
}

_SERVER_NAME = "localhost"
_UNITS = {"": MIB, "B": 1, "K": 1024, "M": MIB, "G": 1024 * MIB}


@dataclass(frozen=True)
class Row:
    """The result of one way: ok, MISMATCH, FAILED: … or skipped: …; `difference` describes a mismatch or failure."""

    way: str
    connections: int
    protocol: str
    cipher: str
    group: str
    handshake_ms: float | None  # median over the connections
    throughput_mib_s: float | None  # from the first connect() to the last byte
    result: str
    difference: str | None = None


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "demo",
        help="move a file over TLS in every way and compare what arrives",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=textwrap.dedent("""\
            Starts a TLS server on loopback, with a certificate made on the spot, moves a
            file of random bytes through it in every way, and compares the SHA-256 digests.

            ways:
              blocking    one connection, calls that wait
              selectors   one thread driving many non-blocking connections at once, the
                          file shared out over them
              memory-bio  SSLObject and memory BIOs, for a transport of one's own
              asyncio     asyncio's own TLS, given our context
              curl        the program, if it is installed
              openssl     `openssl s_client`, if it is installed"""),
        epilog=textwrap.dedent("""\
            examples:
              wiretight demo                             256 MiB, every way
              wiretight demo --size 1G --way blocking    one way, a larger file
              wiretight demo --way selectors --connections 200
              wiretight demo --tls 1.2 --json | python -m json.tool

            handshake is the median over a way's connections; throughput counts from the
            first connect to the last byte. The exit status is 1 if anything arrived other
            than it was sent."""),
    )
    command.add_argument(
        "--size", type=_size, default=256 * MIB, help="size of the file: 64K, 1G, 256 (MiB; the default)"
    )
    command.add_argument(
        "--connections",
        metavar="N",
        type=whole_number(1, 1000),
        default=50,
        help="connections of the selectors way (default 50)",
    )
    command.add_argument(
        "--way", action="append", choices=WAYS, metavar="WAY", help="only this way; may be given again (default all)"
    )
    command.add_argument("--tls", choices=["1.2", "1.3"], help="only this version (default: the best that both know)")
    command.add_argument("--json", action="store_true", help="print the table as JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command; 1 if any way's copy differs from the file."""
    rows = move(options.way or list(WAYS), options.size, options.connections, options.tls)
    if options.json:
        print_json([asdict(row) for row in rows])
    else:
        _print(rows)
        _conclude(rows, options.size)
    bad = [row for row in rows if row.result != "ok" and not row.result.startswith("skipped")]
    for row in bad:
        print(f"wiretight: {row.way}: {row.difference}", file=sys.stderr)
    return 1 if bad else 0


def move(
    ways: Sequence[str], size: int, connections: int = 50, tls: str | None = None, fault: Fault | None = None
) -> list[Row]:
    """Transfer `size` bytes in each of `ways` from one server. `fault` makes that server damage them."""
    authority = Authority()
    try:
        with tempfile.TemporaryDirectory(prefix="wiretight-demo-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            _check_space(folder, size)
            ca_file = authority.write_certificate(folder / "ca.pem")
            certificate = authority.write_server(folder / "server.pem", _SERVER_NAME, HOST)
            payload = Payload(folder / "file", size)
            copy = Copy(folder / "copy", payload)
            context = ssl.create_default_context(cafile=str(ca_file))
            limit_version(context, tls)
            with file_server(payload.path, certificate, tls, fault or Fault()) as port, Progress(size) as progress:
                target = Target(HOST, port, _SERVER_NAME, context, ca_file, tls)
                return [_one(way, target, copy, connections, progress) for way in dict.fromkeys(ways)]
    except OSError as error:
        raise CommandError(f"the demo cannot keep its two files of {size} bytes: {error}") from error


def _check_space(folder: Path, size: int) -> None:
    """Before a disk is filled, which others use, too."""
    free = shutil.disk_usage(folder).free
    if free < 2 * size:
        raise CommandError(
            f"the demo keeps two files of {in_units(size)}, and {folder.parent} has {in_units(free)} free: "
            "give a smaller --size, or set TMPDIR to another folder"
        )


def _one(way: str, target: Target, copy: Copy, connections: int, progress: Progress) -> Row:
    parts = connections if way == "selectors" else 1
    downloads = shares(copy.fresh(), parts, progress.begin(way))
    begun = time.perf_counter()
    try:
        passage = WAYS[way](target, downloads)
    except NotInstalledError as absent:
        row = _row(way, len(downloads), Passage(), None, f"skipped: {absent}")
    except (OSError, EOFError) as error:
        sentence = f"the server {what_happened(error)}"
        row = _row(way, len(downloads), Passage(), None, f"FAILED: {sentence}", sentence)
    else:
        seconds = time.perf_counter() - begun
        received = sum(download.count for download in downloads)
        difference = copy.difference(received)
        row = _row(
            way, len(downloads), passage, received / MIB / seconds, "MISMATCH" if difference else "ok", difference
        )
    progress.end(way, row.result)
    return row


def _row(
    way: str, connections: int, passage: Passage, throughput: float | None, result: str, difference: str | None = None
) -> Row:
    agreed = passage.negotiated
    return Row(
        way,
        connections,
        agreed.protocol if agreed else UNKNOWN,
        agreed.cipher if agreed else UNKNOWN,
        agreed.group if agreed else UNKNOWN,
        statistics.median(passage.handshakes) * 1000 if passage.handshakes else None,
        throughput,
        result,
        difference,
    )


def _print(rows: Sequence[Row]) -> None:
    # Short words, so that it fits 80 columns: what a result means stands under the table.
    print_table(
        ["way", "TLS", "cipher", "group", "ms", "MiB/s", "result"],
        [
            [
                row.way,
                row.protocol.removeprefix("TLSv"),
                row.cipher,
                row.group,
                UNKNOWN if row.handshake_ms is None else f"{row.handshake_ms:.1f}",
                UNKNOWN if row.throughput_mib_s is None else f"{row.throughput_mib_s:.0f}",
                row.result.partition(":")[0],
            ]
            for row in rows
        ],
        numeric=frozenset({"ms", "MiB/s"}),
    )
    for row in rows:
        word, _, why = row.result.partition(": ")
        if why:
            print(f"{row.way} {'was ' if word == 'skipped' else ''}{word}: {clean(why)}")


def _conclude(rows: Sequence[Row], size: int) -> None:
    """What this has shown, and what to try next."""
    if any(row.result != "ok" and not row.result.startswith("skipped") for row in rows):
        return
    many = max(row.connections for row in rows)
    shown = (
        f"{in_units(size)} went over TLS in each of these ways{', over up to ' * (many > 1)}"
        f"{f'{many} connections at once' if many > 1 else ''}, and arrived unchanged; ms is the time of a handshake,"
        " and MiB/s are those of this machine, which is both ends."
    )
    following = (
        "Try `wiretight connect example.org` to look at a server, or `wiretight run program.py` to run a program of"
        " yours with wiretight as its ssl."
    )
    print()
    for sentence in (shown, following):
        print(textwrap.fill(sentence, 80))


def _size(text: str) -> int:
    found = re.fullmatch("([0-9]{1,15})([BKMG]?)", text.upper())
    size = int(found[1]) * _UNITS[found[2]] if found else 0
    if not size:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size: give a number of MiB, or one with B, K, M or G")
    return size
