"""demo: every way transfers the whole file, and any failure is noticed."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.command import COLOUR, COMMAND, assert_one_line, in_terminal, started, wiretight, wiretight_without
from wiretight._cli.demo import command as demo
from wiretight._cli.main import parser
from wiretight._cli.serve.fileserver import Fault

OUR_WAYS = ("blocking", "selectors", "memory-bio", "asyncio")
HALF_A_MEGABYTE = 512 * 1024


@pytest.mark.parametrize(("tls", "protocol"), [("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")])
def test_every_way_transfers_the_whole_file(tls: str, protocol: str) -> None:
    result = wiretight("demo", "--size", "2M", "--tls", tls, "--json")

    rows = {row["way"]: row for row in json.loads(result.stdout)}
    assert tuple(rows) == tuple(demo.WAYS)
    for way in OUR_WAYS:
        assert rows[way]["result"] == "ok"
        assert rows[way]["protocol"] == protocol
        assert rows[way]["handshake_ms"] > 0
        assert rows[way]["throughput_mib_s"] > 0
    for program in ("curl", "openssl"):
        assert rows[program]["result"] in ("ok", f"skipped: {program} is not installed")
        assert rows[program]["protocol"] in (protocol, "-")
    assert rows["selectors"]["connections"] == 50
    assert result.returncode == 0


def test_a_pipe_gets_an_aligned_table_without_escape_sequences() -> None:
    result = wiretight("demo", "--size", "64K", "--way", "blocking", "--way", "memory-bio")

    head, *rows = result.stdout.partition("\n\n")[0].splitlines()
    assert head.split("  ")[0] == "way"
    assert [row.split()[0] for row in rows] == ["blocking", "memory-bio"]
    assert {row.index("1.3") for row in rows} == {head.index("TLS")}
    assert all(row.endswith("ok") for row in rows)
    assert "\x1b" not in result.stdout + result.stderr
    assert result.stderr.splitlines()[:2] == ["blocking: 64 KiB ...", "blocking: ok"]


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
def test_the_table_fits_80_columns_and_two_sentences_follow(tls: str) -> None:
    lines = wiretight("demo", "--size", "64K", "--tls", tls).stdout.splitlines()

    assert [line for line in lines if len(line) > 80] == []
    said = " ".join(lines[lines.index("") + 1 :])
    assert said.startswith("64 KiB went over TLS in each of these ways, over up to 50 connections at once, and")
    assert said.endswith("with wiretight as its ssl.")


def test_a_way_that_is_left_out_is_explained_under_the_table() -> None:
    result = wiretight("demo", "--size", "64K", "--way", "curl", environment={"PATH": "/nowhere"})

    assert result.stdout.splitlines()[1].split()[::6] == ["curl", "skipped"]
    assert "curl was skipped: curl is not installed" in result.stdout.splitlines()


def test_a_disk_without_space_is_noticed_before_it_is_filled(tmp_path: Path) -> None:
    result = wiretight("demo", "--size", "9000000G", "--json", environment={"TMPDIR": str(tmp_path)})

    assert_one_line(result, f"{tmp_path} has ", " free: give a smaller --size, or set TMPDIR")
    assert set(json.loads(result.stdout)) == {"error"}


def test_a_terminal_gets_a_table_in_colour_and_a_bar() -> None:
    status, seen = in_terminal("demo", "--size", "64K", "--way", "blocking")

    assert COLOUR.search(seen)
    assert "blocking" in seen
    assert "64.0/64.0" in COLOUR.sub("", seen)
    assert " MiB/s" in COLOUR.sub("", seen)
    assert status == 0


@pytest.mark.parametrize("way", OUR_WAYS)
def test_a_changed_byte_is_noticed_and_located(way: str) -> None:
    (row,) = demo.move([way], HALF_A_MEGABYTE, connections=3, fault=Fault(flip=300_000))

    assert row.result == "MISMATCH"
    assert row.difference is not None
    assert "524288 bytes expected, 524288 got" in row.difference
    assert row.difference.endswith("first differing offset 300000")
    expected, got = (word for word in row.difference.replace(",", " ").split() if len(word) == 64)
    assert expected != got


@pytest.mark.parametrize("way", OUR_WAYS)
def test_a_missing_end_is_noticed(way: str) -> None:
    (row,) = demo.move([way], HALF_A_MEGABYTE, connections=1, fault=Fault(stop=300_000))

    assert row.result == "MISMATCH"
    assert row.difference is not None
    assert "524288 bytes expected, 300000 got" in row.difference


@pytest.mark.parametrize("way", ["curl", "openssl"])
def test_a_changed_byte_is_noticed_in_another_programs_download(way: str) -> None:
    (row,) = demo.move([way], HALF_A_MEGABYTE, fault=Fault(flip=0))

    if row.result.startswith("skipped"):
        pytest.skip(row.result)
    assert row.difference is not None
    assert row.difference.endswith("first differing offset 0")


def test_a_mismatch_is_reported_on_stderr_and_in_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    move = demo.move
    monkeypatch.setattr(demo, "move", lambda *arguments: move(*arguments, Fault(flip=7)))
    options = parser().parse_args(["demo", "--size", "64K", "--way", "blocking", "--json"])

    assert demo.run(options) == 1

    printed = capsys.readouterr()
    assert json.loads(printed.out)[0]["result"] == "MISMATCH"
    assert "wiretight: blocking: 65536 bytes expected, 65536 got" in printed.err


def test_a_file_smaller_than_the_number_of_connections_uses_fewer() -> None:
    (row,) = demo.move(["selectors"], 3, connections=50)

    assert (row.connections, row.result) == (3, "ok")


@pytest.mark.parametrize("size", ["1B", "16383B", "16384B", "16385B", "1M"])
def test_sizes_around_a_record_are_transferred_whole(size: str) -> None:
    result = wiretight("demo", "--size", size, "--way", "blocking", "--way", "selectors", "--connections", 2)

    assert result.returncode == 0, result.stderr


def test_a_full_disk_is_reported_in_one_line() -> None:
    # A limit on the size of files stops the same write() that a full disk would.
    result = subprocess.run(
        ["sh", "-c", 'ulimit -f 64; exec "$@"', "sh", *COMMAND, "demo", "--size", "1M"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert_one_line(result, "cannot keep its two files of 1048576 bytes", "too large")


def test_without_cryptography_the_demo_names_what_to_install() -> None:
    assert_one_line(wiretight_without("cryptography", "demo"), "pip install 'wiretight[demo]'")


def test_without_rich_the_demo_prints_plain_text() -> None:
    status, seen = in_terminal("demo", "--size", "64K", "--way", "blocking", without="rich")

    assert "blocking: ok" in seen
    assert "\x1b" not in seen
    assert status == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--size", "0"],
        ["--size", "many"],
        ["--size", "-1"],
        ["--connections", "0"],
        ["--connections", "1001"],
        ["--way", "pigeon"],
        ["--tls", "1.1"],
    ],
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    result = wiretight("demo", *arguments)

    assert "Traceback" not in result.stderr
    assert arguments[0] in result.stderr
    assert result.returncode == 2


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_demo_ends_quietly_and_leaves_nothing_behind(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    environment = {"TMPDIR": str(tmp_path)}
    with started("demo", "--size", "64M", "--connections", "1000", environment=environment) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "blocking: 64 MiB ...\n"
        process.send_signal(number)
        _, said = process.communicate()

    assert process.returncode == status, said
    assert "Traceback" not in said
    assert list(tmp_path.iterdir()) == []
