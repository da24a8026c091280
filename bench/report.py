"""From samples to a verdict: medians, ratios pair by pair, goals, and the table that says so."""

from __future__ import annotations

import importlib.util
import itertools
import statistics
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One line of the comparison: which measure, with which options, and what issue 2 expects of wiretight there."""

    name: str
    module: str
    unit: str
    options: dict[str, Any]
    goals: dict[str, float] = field(default_factory=dict)  # wiretight's cost / that row's cost, at most


@dataclass(frozen=True)
class Spread:
    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def spread(values: list[float]) -> Spread:
    """Median and quartiles: half of all values lie between `low` and `high`."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(statistics.median(values), low, high)


def summary(measure: Measure, samples: dict[str, list[dict[str, Any]]], subject: str) -> dict[str, Any]:
    """Everything known about one measure, ready for JSON; the ratios are `subject`'s cost over each row's."""
    return {
        "measure": measure.name,
        "unit": measure.unit,
        "options": measure.options,
        "rows": {row: _row(taken) for row, taken in samples.items()},
        "ratios": {
            row: _ratio(samples[subject], taken, measure.goals.get(row) if subject == "wiretight" else None)
            for row, taken in samples.items()
            if subject in samples and row != subject
        },
    }


def _row(taken: list[dict[str, Any]]) -> dict[str, Any]:
    values = [sample["value"] for sample in taken]
    parts = {name: statistics.median(sample["parts"][name] for sample in taken) for name in taken[0]["parts"]}
    facts = {name: taken[0].get(name) for name in ("openssl", "protocol", "cipher", "counters")}
    extremes = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {**extremes, "values": values, "parts": parts, **facts}


def _ratio(subject: list[dict[str, Any]], other: list[dict[str, Any]], goal: float | None) -> dict[str, Any]:
    found = spread([a["value"] / b["value"] for a, b in zip(subject, other, strict=True)])
    ratio: dict[str, Any] = {"median": found.median, "low": found.low, "high": found.high, "text": str(found)}
    ratio["differs"] = [
        name for name in ("openssl", "protocol", "cipher") if {a[name] for a in subject} != {b[name] for b in other}
    ]
    if goal is not None:
        ratio["goal"] = goal
        ratio["verdict"] = "not comparable" if ratio["differs"] else "met" if found.median <= goal else "missed"
    return ratio


def verdict(ratio: dict[str, Any] | None) -> str:
    """The last column of the table."""
    if ratio is None:
        return ""
    notes = [f"≤ {ratio['goal']:.2f}: {ratio['verdict']}"] if "goal" in ratio else []
    if ratio["differs"]:
        notes.append(f"not a fair comparison: other {', '.join(ratio['differs'])}")
    return "; ".join(notes)


HEADINGS = ("measure", "row", "median", "min to max", "{subject} / row", "goal")


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def lines(results: dict[str, Any]) -> list[tuple[str, ...]]:
    """The table's body: one tuple of cells per measure and row."""
    body: list[tuple[str, ...]] = []
    for result in results["measures"]:
        for row, found in result["rows"].items():
            ratio = result["ratios"].get(row)
            extremes = f"{number(found['min'])} to {number(found['max'])}"
            text = ratio["text"] if ratio else ""
            name = f"{result['measure']}: {result['unit']}"
            body.append((name, row, number(found["median"]), extremes, text, verdict(ratio)))
    return body


def headings(results: dict[str, Any]) -> tuple[str, ...]:
    return tuple(heading.format(subject=results["subject"]) for heading in HEADINGS)


def about(results: dict[str, Any]) -> list[str]:
    """What a reader must know to judge the numbers."""
    every = [(row, found) for result in results["measures"] for row, found in result["rows"].items()]
    versions = sorted({(row, found["openssl"]) for row, found in every})
    negotiated = sorted({f"{found['protocol']} {found['cipher']}" for _, found in every})
    return [
        f"{results['rounds']} rounds, interleaved; CPU time of both ends; each sample in a fresh process.",
        "Ratios are taken round by round: median, and in brackets the quartiles.",
        f"{results['python']}, {results['system']}, {results['cpus']} CPUs, load {results['load']:.1f}.",
        *(f"{row}: {version}" for row, version in versions),
        f"negotiated: {', '.join(negotiated)}",
    ]


def markdown(results: dict[str, Any]) -> str:
    rows = [headings(results), tuple("---" for _ in HEADINGS), *lines(results)]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    return table + "\n\n" + "\n".join(f"- {line}" for line in about(results)) + "\n"


def show(results: dict[str, Any], terminal: bool) -> None:
    """Print the table: with rich in a terminal, as Markdown in a pipe or without rich."""
    if not terminal or importlib.util.find_spec("rich") is None:
        print(markdown(results), end="")
        return
    from rich.console import Console
    from rich.table import Table

    colours = {"met": "green", "missed": "red"}
    table = Table(*headings(results))
    for name, rows in itertools.groupby(lines(results), key=lambda cells: cells[0]):
        # The name stands in the first line of its group, the unit in the second.
        labels = itertools.chain(name.split(": "), itertools.repeat(""))
        for label, cells in zip(labels, rows, strict=False):
            colour = next((colours[word] for word in colours if cells[-1].endswith(word)), "")
            table.add_row(label, *cells[1:-1], f"[{colour}]{cells[-1]}[/]" if colour else cells[-1])
        table.add_section()
    console = Console()
    console.print(table)
    for line in about(results):
        console.print(line, highlight=False)
