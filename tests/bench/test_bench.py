"""The benchmark runs and reports every row; how fast anything is, no test asserts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
TINY = ("--quick", "--rounds", "2", "--mib", "1", "--round-trips", "20", "--handshakes", "2")
ROWS = ("wiretight", "ssl", "c")


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCH / "run.py"), *arguments], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    done = bench(*TINY, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_measure_has_every_row_with_positive_numbers(results: dict[str, Any]) -> None:
    assert [measure["options"] for measure in results["measures"]]
    for measure in results["measures"]:
        assert tuple(measure["rows"]) == ROWS
        for row in measure["rows"].values():
            assert len(row["values"]) == 2
            assert 0 < row["min"] <= row["median"] <= row["max"]


def test_bulk_pingpong_and_handshake_are_all_there(results: dict[str, Any]) -> None:
    names = " ".join(measure["measure"] for measure in results["measures"])
    assert all(measure in names for measure in ("bulk", "ping-pong", "handshake"))


def test_the_goals_are_judged_by_the_median_of_the_ratios(results: dict[str, Any]) -> None:
    judged = [ratio for measure in results["measures"] for ratio in measure["ratios"].values() if "goal" in ratio]
    assert [ratio["goal"] for ratio in judged] == [0.85, 0.9]
    for ratio in judged:
        expected = "met" if ratio["median"] <= ratio["goal"] else "missed"
        assert ratio["verdict"] == ("not comparable" if ratio["differs"] else expected)


def test_every_row_says_what_it_ran_on(results: dict[str, Any]) -> None:
    for measure in results["measures"]:
        for row in measure["rows"].values():
            assert row["openssl"].startswith("OpenSSL ")
            assert (row["protocol"], row["cipher"]) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384")


def test_rows_on_different_openssl_are_not_called_a_fair_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))
    import report

    def samples(openssl: str) -> list[dict[str, Any]]:
        return [{"value": 1.0, "parts": {}, "openssl": openssl, "protocol": "TLSv1.3", "cipher": "x"}]

    measure = report.Measure("m", "bulk", "s", {}, {"ssl": 2.0})
    rows = {"wiretight": samples("OpenSSL 3.5.0"), "ssl": samples("OpenSSL 3.0.19")}
    found = report.summary(measure, rows, "wiretight")
    assert found["ratios"]["ssl"]["verdict"] == "not comparable"
    assert "not a fair comparison" in report.verdict(found["ratios"]["ssl"])


def test_a_pipe_gets_a_markdown_table() -> None:
    done = bench(*TINY, "--rounds", "1", "--rows", "ssl", "--only", "handshake")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("| measure | row |")


def test_a_missing_module_is_named_in_one_line() -> None:
    done = bench("--rows", "no_such_tls")
    assert done.returncode == 2
    assert "the module no_such_tls is not installed" in done.stderr.splitlines()[-1]
