"""The benchmark runs and reports every row; how fast anything is, no test asserts."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import wiretight

BENCH = Path(__file__).parents[2] / "bench"
# What needs a competitor, wrk or many seconds is not in it.
ENDS = ("handshake-rsa-x25519-client", "handshake-rsa-x25519-server")
CHEAP = ("bulk", "pingpong", *ENDS, "resumed", "context-memory", "idle", "asyncio-echo", "start", "growth", "scale")
ASKED = "wiretight,ssl,C naive,asyncio,asyncio with wiretight's wrap_bio"


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(BENCH / "run.py"), *arguments], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def results() -> dict[str, Any]:
    done = bench("--quick", "--rounds", "1", "--only", ",".join(CHEAP), "--rows", ASKED, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules of bench/, as its programs see them."""
    monkeypatch.syspath_prepend(str(BENCH))


def test_every_measure_that_was_asked_for_is_there(results: dict[str, Any]) -> None:
    assert sorted(measure["name"] for measure in results["measures"]) == sorted(CHEAP)


def test_every_row_that_was_asked_for_has_positive_numbers(results: dict[str, Any]) -> None:
    for measure in results["measures"]:
        expected = {"asyncio"} if measure["name"] in {"asyncio-echo", "growth", "scale"} else {"wiretight", "ssl"}
        assert set(measure["rows"]) >= expected
        for row in measure["rows"].values():
            assert len(row["values"]) == 1
            assert 0 < row["min"] <= row["median"] <= row["max"]


def test_every_row_says_what_it_ran_on(results: dict[str, Any]) -> None:
    for measure in results["measures"]:
        for row in measure["rows"].values():
            assert row["openssl"].startswith("OpenSSL ")
            if measure["name"] in {"bulk", "pingpong", *ENDS, "resumed", "asyncio-echo", "start", "scale"}:
                assert (row["protocol"], row["cipher"]) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384")


def test_growth_has_a_curve(results: dict[str, Any]) -> None:
    (growth,) = (measure for measure in results["measures"] if measure["name"] == "growth")
    for row in growth["rows"].values():
        assert [point["connections"] for point in row["curve"]] == [10, 50]


def test_scale_has_all_its_numbers(results: dict[str, Any]) -> None:
    (found,) = (measure for measure in results["measures"] if measure["name"] == "scale")
    assert set(found["rows"]) == {"wiretight", "asyncio"}
    for row in found["rows"].values():
        parts = dict(row["parts"])
        assert parts.pop("connections") == 100
        assert math.isfinite(parts.pop("kernel KiB"))  # which is of the whole machine
        assert all(value > 0 for value in parts.values())
        assert {"arrival µs", "full µs", "full p99, ms", "resumed µs", "resumed p99, ms", "close µs"} <= set(parts)


def test_the_tables_of_scale_fit_a_terminal(results: dict[str, Any], modules: None) -> None:
    from report import scale

    tables = scale(results)
    assert [title.partition(": ")[0] for title, _, _ in tables] == ["100 connections, P-256"] * 2
    for title, headings, body in tables:
        longest = ("wiretight with a ring", *headings[1:])
        widths = [max(map(len, column)) for column in zip(headings, *body, longest, strict=True)]
        assert sum(widths) + 3 * len(widths) + 1 <= 80
        assert len(title) <= 80


def test_a_sample_of_scale_tells_its_progress(modules: None, tmp_path: Path) -> None:
    from chains import write_chains
    from endpoints import write_certificates
    from rows import RING, row_named
    from sample import SampleError, take

    write_certificates(tmp_path, "TLS_AES_256_GCM_SHA384")
    write_chains(tmp_path)
    told: list[str] = []
    what = (row_named("scale", RING), "scale", "scale", tmp_path, {"chain": "rsa", "connections": 40, "seconds": 0.1})
    assert take(*what, 60, told.append)["parts"]["connections"] == 40
    assert "40 of 40 connections" in told
    with pytest.raises(SampleError, match=r"no result within 0\.01 s"):
        take(*what, 0.01, told.append)


def test_a_sample_of_scale_fails_if_metrics_has_counted_something_else(modules: None) -> None:
    from measure.scale import agree

    context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
    agree(context, 0, 0, 0, closed=0)
    differences = "handshakes_done is 0, not 2, resumed is 0, not 2, connections_closed is 0, not 1"
    with pytest.raises(RuntimeError, match=differences):
        agree(context, 0, 0, 2, closed=1)


def test_the_page_of_scale_calculates_with_the_saved_run_and_shows_what_comes_of_it() -> None:
    page = (BENCH.parent / "docs" / "scale.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```\n\n```text\n(.*?)```", page, re.DOTALL)
    assert found is not None
    numbers: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(found[1], numbers)
    assert output.getvalue() == found[2]
    saved = json.loads((BENCH / "results" / "scale.json").read_text(encoding="utf-8"))
    ecdsa, rsa = (measure["rows"]["wiretight"]["parts"] for measure in saved["measures"])
    used = [numbers["KIB"], numbers["KERNEL_KIB"], numbers["PROCESS_MIB"], numbers["ECHO"] * 1e6]
    used += [seconds * 1e6 for key in ("P-256", "RSA 2048") for seconds in numbers["VISITS"][key]]
    measured = [ecdsa[name] for name in ("KiB", "kernel KiB", "process MiB", "echo µs")]
    measured += [parts[name] for parts in (ecdsa, rsa) for name in ("full µs", "resumed µs")]
    assert used == pytest.approx(measured, rel=0.02)


def test_where_the_limit_of_open_files_is_too_low_there_is_a_note(modules: None) -> None:
    from measure.scale import RESERVED, affordable

    assert affordable(1000, 1000 + RESERVED) == (1000, [])
    assert affordable(1000, 500) == (436, ["436 connections instead of 1,000: the limit of open files is 500"])


def test_every_measure_of_the_issue_has_a_goal(modules: None) -> None:
    from measures import MEASURES

    without = {measure.name for measure in MEASURES if not measure.goals}
    assert without == {"bulk-64k", "bulk-16k", "pingpong-4k", "growth", "scale", "scale-rsa"}


def test_the_ends_of_a_handshake_are_told_apart_and_shown_side_by_side(results: dict[str, Any], modules: None) -> None:
    from report import handshakes

    client, server = (measure for measure in results["measures"] if measure["name"] in ENDS)
    for row in ("wiretight", "ssl"):
        assert client["rows"][row]["median"] != server["rows"][row]["median"]
    headings, body = handshakes(results)
    assert headings[1:] == ("rsa, X25519",)
    assert {cells[0] for cells in body} >= {"wiretight", "ssl"}
    assert all(" / " in cells[1] for cells in body)


def test_a_handshake_with_another_group_is_left_out(modules: None, tmp_path: Path) -> None:
    from chains import write_chains
    from endpoints import write_certificates
    from measure.ends import sample
    from rows import row_named

    write_certificates(tmp_path, "TLS_AES_256_GCM_SHA384")
    write_chains(tmp_path)
    with pytest.raises(RuntimeError, match="it takes "):
        sample(row_named("blocking", "ssl"), tmp_path, chain="p256", group="X448", handshakes=1)


def test_what_is_no_name_stands_for_all_that_begin_with_it(modules: None) -> None:
    from measures import chosen

    assert [measure.name for measure in chosen(["bulk"])] == ["bulk"]
    assert {measure.name for measure in chosen(["handshake-rsa-x25519"])} == set(ENDS)
    assert chosen(["handsh"]) == []


def test_a_goal_of_another_row_is_judged_across_libraries(modules: None) -> None:
    from goals import Goal

    rows = {"wiretight": samples(9), "wiretight, OpenSSL 3.5": samples(1, openssl="OpenSSL 3.5.0"), "ssl": samples(2)}
    found = Goal(0.5, ("ssl",), row="wiretight, OpenSSL 3.5").judge(rows, "wiretight")
    assert (found["verdict"], found["measured"]) == ("met", "0.50 (0.50 to 0.50)")


def test_a_saved_run_names_the_commit(results: dict[str, Any], modules: None) -> None:
    from report import about

    assert "commit" in results
    assert "wiretight of commit 0123abc" in about({**results, "commit": "0123abc"})


def samples(*values: float, openssl: str = "OpenSSL 3.0.20") -> list[dict[str, Any]]:
    return [{"value": value, "parts": {}, "openssl": openssl} for value in values]


def test_a_goal_is_judged_by_the_median_of_the_ratios_round_by_round(modules: None) -> None:
    from goals import Goal

    found = Goal(0.5, ("ssl",)).judge({"wiretight": samples(1, 2, 9), "ssl": samples(2, 4, 10)}, "wiretight")
    assert (found["verdict"], found["value"]) == ("met", 0.5)
    found = Goal(0.5, ("ssl",)).judge({"wiretight": samples(1, 3, 9), "ssl": samples(2, 4, 10)}, "wiretight")
    assert (found["verdict"], found["value"]) == ("missed", 0.75)


def test_a_goal_beside_the_best_of_several_takes_the_best(modules: None) -> None:
    from goals import Goal

    rows = {"wiretight": samples(3), "asyncio": samples(9), "uvloop": samples(4)}
    found = Goal(0.8, ("asyncio", "uvloop", "aiofastnet")).judge(rows, "wiretight")
    assert (found["verdict"], found["measured"]) == ("met", "0.75 (0.75 to 0.75) of uvloop")


def test_a_goal_may_be_that_of_another_row_and_beside_one_without_tls(modules: None) -> None:
    from goals import Goal

    rows = {"wiretight": samples(3), "wiretight on uvloop": samples(4), "ssl": samples(2)}
    found = Goal(2, ("ssl",), at_least=True, row="wiretight on uvloop").judge(rows, "wiretight")
    assert (found["verdict"], found["value"]) == ("met", 2)
    assert found["goal"] == "wiretight on uvloop: ≥ 2 times ssl"
    rows["no TLS"] = [{"value": 6, "parts": {}}]
    assert Goal(0.5, ("no TLS",), at_least=True).judge(rows, "wiretight")["verdict"] == "met"


def test_a_goal_where_more_is_better_and_one_of_differences(modules: None) -> None:
    from goals import Goal

    rows = {"wiretight": samples(30), "C naive": samples(20)}
    assert Goal(1.6, ("C naive",), at_least=True).judge(rows, "wiretight")["verdict"] == "missed"
    assert Goal(1.5, ("C naive",), at_least=True).judge(rows, "wiretight")["verdict"] == "met"
    assert Goal(10, ("C naive",), added=True).judge(rows, "wiretight")["verdict"] == "met"
    assert Goal(9, ("C naive",), added=True).judge(rows, "wiretight")["verdict"] == "missed"


def test_rows_on_different_openssl_are_not_judged_and_stand_apart(modules: None) -> None:
    from goals import Goal
    from measures import Measure
    from report import fair, installed, summary

    rows = {"wiretight": samples(1, openssl="OpenSSL 3.5.0"), "ssl": samples(2)}
    measure = Measure("m", "m", "bulk", "s", ("wiretight", "ssl"), {}, goals=(Goal(2.0, ("ssl",)),))
    found = {"measures": [summary(measure, rows, "wiretight")]}
    assert found["measures"][0]["goals"][0]["verdict"] == "not comparable"
    assert [cells[1] for cells in fair(found)] == ["wiretight"]
    assert [cells[1] for cells in installed(found)] == ["ssl"]


@pytest.mark.parametrize("name", ["reference", "handshakes", "scale"])
def test_a_saved_run_prints_the_tables_that_lie_beside_it(modules: None, name: str) -> None:
    from report import markdown

    results = json.loads((BENCH / "results" / f"{name}.json").read_text(encoding="utf-8"))
    assert markdown(results) == (BENCH / "results" / f"{name}.md").read_text(encoding="utf-8")


def test_what_is_saved_has_no_counters_and_a_line_per_measure(results: dict[str, Any], modules: None) -> None:
    from report import saved

    text = saved(results)
    assert "counters" not in text
    assert len(text.splitlines()) == len(CHEAP) + 3


def test_a_pipe_gets_markdown_tables() -> None:
    done = bench("--quick", "--rounds", "1", "--rows", "ssl", "--only", "handshake-tcp")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("## Goals\n\n| measure | goal |")


def test_what_cannot_be_measured_is_left_out_with_one_line(modules: None, monkeypatch: pytest.MonkeyPatch) -> None:
    import rows

    monkeypatch.setattr(rows, "_installed", lambda name: name != "no_such_tls")
    assert rows.row_named("blocking", "no_such_tls").missing() == "no_such_tls"
    done = bench("--quick", "--rounds", "1", "--rows", "tlslite-ng", "--only", "handshake-tcp")
    assert done.returncode == 0, done.stderr
    if importlib.util.find_spec("tlslite") is None:
        assert "- left out: tlslite-ng: tlslite is not installed" in done.stdout.splitlines()


def test_an_unknown_row_is_named() -> None:
    done = bench("--rows", "no_such_tls")
    assert done.returncode == 2
    assert "no_such_tls" in done.stderr.splitlines()[-1]
