"""docs/reliability.md from the results of runs: lines of JSON (scripts/fuzz, scripts/soak) and JUnit's XML (pytest)."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

HEAD = """\
# Reliability: what was run

Written by `scripts/reliability` from the results of the runs; nothing here is typed by hand.
[The incident pack](../tests/incidents/README.md) says what each family guarantees, [fuzz](../fuzz/README.md) what is
mutated. A run of the fuzzer or the soak that finds anything has no line here: it fails.
"""


def table(titles: list[str], rows: list[list[Any]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(
        "| " + " | ".join(f"{cell:,}" if type(cell) is int else str(cell) for cell in row) + " |" for row in lines
    )


def mutated(results: list[dict[str, Any]]) -> str:
    groups = defaultdict(list)
    for result in results:
        if "seed" in result:
            groups[result["target"], result["sanitized"]].append(result)
    rows = [
        [
            target,
            "AddressSanitizer, UBSan" if sanitized else "release",
            sum(result["count"] for result in group),
            f"{max(result['slowest'] for result in group) * 1000:.0f} ms",
            f"{max(result['growth'] for result in group) // 1024} KiB" if not sanitized else "not measured",
            sum(len(result["outcomes"]) > 0 for result in group),
        ]
        for (target, sanitized), group in sorted(groups.items())
    ]
    titles = ["target", "build", "inputs", "slowest input (CPU)", "most growth of a run", "runs"]
    return (
        "## Mutated inputs\n\nEach met without a crash, a hang, another error than documented, or growth.\n\n"
        + table(titles, rows)
    )


def soaked(results: list[dict[str, Any]]) -> str:
    runs = [result for result in results if result["target"] == "soak"]
    if not runs:
        return ""
    titles = [title for title in runs[0] if title not in {"target", "growth"}]
    rows = [[run[title] for title in titles] + [f"{run['growth'] / run['connections']:.1f} bytes"] for run in runs]
    return "## Soak\n\n" + table([*titles, "growth for each connection"], rows)


def families(files: list[Path]) -> str:
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    sources: dict[str, set[str]] = defaultdict(set)
    for path in files:
        for case in ET.parse(path).getroot().iter("testcase"):  # noqa: S314  # our own file
            family = case.get("classname", "").rpartition(".")[2]
            bad = case.find("failure") is not None or case.find("error") is not None
            outcomes[family]["failed" if bad else "skipped" if case.find("skipped") is not None else "passed"] += 1
            properties = [(entry.get("name"), entry.get("value", "")) for entry in case.iter("property")]
            # The last word of a test on its rounds counts: how many there really were.
            outcomes[family]["rounds"] += int(dict(properties).get("rounds", 1))
            sources[family] |= {value for name, value in properties if name == "reference"}
    rows = [
        [
            f"`{family}`",
            count["passed"],
            count["failed"],
            count["skipped"],
            count["rounds"],
            ", ".join(sorted(sources[family])),
        ]
        for family, count in sorted(outcomes.items())
    ]
    return "## Tests\n\n" + table(["family", "passed", "failed", "skipped", "rounds", "public references"], rows)


def main() -> None:
    files = [Path(name) for name in sys.argv[1:]]
    lines = [line for path in files if path.suffix != ".xml" for line in path.read_text().splitlines()]
    results = [json.loads(line) for line in lines]
    parts = [HEAD, mutated(results), soaked(results), families([path for path in files if path.suffix == ".xml"])]
    print("\n\n".join(part.strip("\n") for part in parts if part))


if __name__ == "__main__":
    main()
