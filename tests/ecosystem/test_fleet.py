"""The fleet of examples/fleet under a real Prometheus, for some seconds: the whole is scripts/fleet --prometheus."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.printed import ROOT
from tests.kit.programs import program
from tests.kit.threads import PATIENCE

FOLDER = ROOT / "examples" / "fleet"
ALERTS = ROOT / "examples" / "alerts.yml"

CONFIGURE = """
import sys
from pathlib import Path
from watch import configure

configure(Path(sys.argv[1]))
"""

RUN = """
import json, sys, time
from pathlib import Path
from watch import WatchedFleet, firing, load

def value(query):
    found = fleet.ask("query", query=query)["result"]
    return float(found[0]["value"][1]) if found else 0.0

with WatchedFleet(Path(sys.argv[1])) as fleet:
    began = time.time()
    load(fleet, fleet.certificate, 5, 40).wait()
    while value("sum(wiretight_resumptions_total{outcome='resumed'})") == 0 and time.time() < began + 60:
        time.sleep(0.2)
    print(json.dumps({
        "processes": fleet.scraped(),
        "resumed": value("sum(wiretight_resumptions_total{outcome='resumed'})"),
        "unknown": value("sum(wiretight_resumptions_total{outcome='unknown_key'})"),
        "firing": list(firing(fleet, began)),
    }))
"""


def run(text: str, folder: Path) -> str:
    command = [sys.executable, "-c", text, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(FOLDER)}
    result = subprocess.run(
        command, cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def needs(*names: str) -> None:
    for package in ("redis", "uvicorn"):
        pytest.importorskip(package, reason="pip install --group ecosystem")
    for name in names:
        program(name, name)


def times(rules: str) -> list[float]:
    """Every time in them, in seconds: windows, `for`, and how long before an end."""
    units = {"s": 1, "m": 60, "h": 3600}
    found = [int(number) * units[unit] for number, unit in re.findall(r"(?:\[|for: )(\d+)([smh])", rules)]
    ends: list[float] = []
    for text in re.findall(r"time\(\) < ([\d*/ ]+)", rules):
        factors, _, divisor = text.partition("/")
        end = 1 / float(divisor or 1)
        for factor in factors.split("*"):
            end *= float(factor)
        ends.append(end)
    return [*found, *ends]


def test_prometheus_of_the_fleet_is_configured_with_the_rules_as_they_are_but_faster(tmp_path: Path) -> None:
    needs("prometheus")
    run(CONFIGURE, tmp_path)
    command = [program("promtool", "prometheus"), "check", "config", tmp_path / "prometheus.yml"]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert checked.returncode == 0, checked.stderr
    shipped, faster = ALERTS.read_text(), (tmp_path / "alerts.yml").read_text()
    assert f"{len(re.findall('- (?:alert|record): ', shipped))} rules found" in checked.stdout
    assert len(times(shipped)) > 12
    assert times(faster) == pytest.approx([each / 60 for each in times(shipped)])


def test_prometheus_sees_eight_processes_resume_each_others_sessions_and_no_alert(tmp_path: Path) -> None:
    needs("prometheus", "haproxy", "redis-server")
    seen = json.loads(run(RUN, tmp_path))
    assert seen["processes"] == 8
    assert seen["resumed"] > 0
    assert seen["unknown"] == 0
    assert seen["firing"] == []


JUDGE = """
from run import judge, per_second
from collections import Counter

visit = {"kind": "visit", "time": 1.0, "returning": True, "resumed": True, "ticket": True}
broken = {"kind": "visit", "time": 1.0, "returning": True, "error": "ConnectionResetError"}
for reports in ([visit] * 1000 + [broken] * 9, [visit] + [broken] * 7000, [visit] * 900 + [broken] * 90,
                [visit] * 900 + [{**visit, "resumed": False}] * 100, []):
    print(judge(sum(per_second(reports), Counter())))
"""


def test_a_run_of_the_fleet_whose_visits_break_fails(tmp_path: Path) -> None:
    needs()
    assert run(JUDGE, tmp_path).splitlines() == [
        "None",
        "only 1 of 7001 visits were of clients that returned",
        "more than 1 % of the visits broke",
        "less than 99 % of the returning clients resumed",
        "nobody came",
    ]
