"""From samples to what a reader sees: medians, ratios row by row, verdicts, and the tables that say so."""

from __future__ import annotations

import importlib.util
import itertools
import json
import statistics
from typing import Any

from goals import Samples, spread
from measures import Measure

FACTS = ("openssl", "protocol", "cipher")
SCALE = {
    "KiB, the kernel's beside, and CPU µs of the server": {
        "KiB": "KiB",
        "kernel KiB": "kernel",
        "echo µs": "echo",
        "arrival µs": "stay",
        "full µs": "visit",
        "resumed µs": "again",
        "close µs": "close",
    },
    "ms of an echo (p99) and to close all; visits/s": {
        "quiet p99, ms": "quiet",
        "full p99, ms": "visits",
        "resumed p99, ms": "again",
        "full/s": "visits/s",
        "resumed/s": "again/s",
        "close ms": "close",
    },
}
COLOURS = {"met": "green", "missed": "red"}


def summary(measure: Measure, samples: Samples, subject: str) -> dict[str, Any]:
    """Everything known about one measure, ready for JSON; the ratios are `subject`'s number over each row's."""
    there = {row: taken for row, taken in samples.items() if taken}
    return {
        "name": measure.name,
        "measure": measure.title,
        "unit": measure.unit,
        "more_is_better": measure.more_is_better,
        "options": measure.options,
        "rounds": max((len(taken) for taken in there.values()), default=0),
        "rows": {row: _row(taken) for row, taken in there.items()},
        "ratios": {
            row: _ratio(there[subject], taken) for row, taken in there.items() if subject in there and row != subject
        },
        "goals": [goal.judge(there, subject) for goal in measure.goals],
    }


def _row(taken: list[dict[str, Any]]) -> dict[str, Any]:
    values = [sample["value"] for sample in taken]
    every = {name: [sample["parts"][name] for sample in taken] for name in taken[0]["parts"]}
    parts = {name: statistics.median(numbers) for name, numbers in every.items()}
    facts = {name: taken[0].get(name) for name in (*FACTS, "counters", "curve") if name in taken[0]}
    extremes = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {**extremes, "values": values, "parts": parts, "part_values": every, **facts}


def _ratio(subject: list[dict[str, Any]], other: list[dict[str, Any]]) -> dict[str, Any]:
    found = spread([a["value"] / b["value"] for a, b in zip(subject, other, strict=True)])
    differs = [name for name in FACTS if name in other[0] and name in subject[0] and other[0][name] != subject[0][name]]
    return {"median": found.median, "low": found.low, "high": found.high, "text": str(found), "differs": differs}


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def goals(results: dict[str, Any]) -> list[tuple[str, ...]]:
    """The table of goals."""
    return [
        (result["measure"], goal["goal"] + _unit(goal["goal"], result["unit"]), goal["measured"], goal["verdict"])
        for result in results["measures"]
        for goal in result["goals"]
    ]


def _unit(goal: str, unit: str) -> str:
    return (
        ""
        if "times" in f"{goal} {unit}"
        else f" {unit.removeprefix('CPU ').partition(', ')[0].removesuffix(' per end')}"
    )


def fair(results: dict[str, Any]) -> list[tuple[str, ...]]:
    """The rows on the subject's own OpenSSL (or on none, where a row has no TLS)."""
    return _body(results, installed=False)


def installed(results: dict[str, Any]) -> list[tuple[str, ...]]:
    """The rows that bring another TLS library: what a user gets, no comparison of the code around it."""
    return _body(results, installed=True)


def _body(results: dict[str, Any], installed: bool) -> list[tuple[str, ...]]:
    body = []
    for result in results["measures"]:
        if is_of_scale(result):  # which has tables of its own
            continue
        for row, found in result["rows"].items():
            ratio = result["ratios"].get(row, {"text": "", "differs": []})
            if ("openssl" in ratio["differs"]) is not installed:
                continue
            cells = (f"{result['measure']}: {result['unit']}", row, number(found["median"]))
            cells += (f"{number(found['min'])} to {number(found['max'])}", ratio["text"], _parts(found["parts"]))
            body.append(cells + ((_library(found, ratio),) if installed else ()))
    return body


def _parts(parts: dict[str, float]) -> str:
    return ", ".join(f"{name} {number(value)}" for name, value in parts.items())


def _library(found: dict[str, Any], ratio: dict[str, Any]) -> str:
    return f"{_short(found['openssl'])}{', ' + found['cipher'] if 'cipher' in ratio['differs'] else ''}"


def _short(version: str) -> str:
    """Without OpenSSL's date of release."""
    words = version.split()
    return " ".join(words[:2]) if words[0] == "OpenSSL" else version


def handshakes(results: dict[str, Any]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Headings and body: a line per row, and for each chain and group what the client and the server cost."""
    measured = {
        f"{result['options']['chain']}, {result['options']['group']}": result["rows"]
        for result in results["measures"]
        if "group" in result["options"]
    }
    rows = dict.fromkeys(row for found in measured.values() for row in found)
    body = [(row, *(_ends_of(found.get(row)) for found in measured.values())) for row in rows]
    return ("CPU µs: client / server", *measured), body


def _ends_of(found: dict[str, Any] | None) -> str:
    return "" if found is None else f"{number(found['parts']['client'])} / {number(found['parts']['server'])}"


def growth(results: dict[str, Any]) -> list[tuple[str, ...]]:
    return [
        (row, *(number(point[name]) for name in ("connections", "KiB", "arrival µs", "echo µs")))
        for result in results["measures"]
        for row, found in result["rows"].items()
        for point in found.get("curve", ())
    ]


def is_of_scale(result: dict[str, Any]) -> bool:
    return bool(result["name"].partition("-")[0] == "scale")


def scale(results: dict[str, Any]) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Two tables for each storm: a line per row, with what it costs, and what others notice."""
    found = []
    for result in filter(is_of_scale, results["measures"]):
        rows = {row: there["parts"] for row, there in result["rows"].items()}
        count = max((parts["connections"] for parts in rows.values()), default=0)
        for title, names in SCALE.items():
            body = [(row, *(number(parts[name]) for name in names)) for row, parts in rows.items()]
            found.append((f"{count:,.0f} {result['measure']}: {title}", ("row", *names.values()), body))
    return found


def tables(results: dict[str, Any]) -> list[tuple[str, tuple[str, ...], list[tuple[str, ...]]]]:
    """Title, headings and body of each table that has a body."""
    columns = ("measure", "row", "median", "min to max", f"{results['subject']} / row", "in it")
    points = ("row", "connections", "KiB each", "CPU µs to arrive", "CPU µs per echo")
    every = [
        ("Goals", ("measure", "goal", "measured", "verdict"), goals(results)),
        ("On the same OpenSSL", columns, fair(results)),
        (
            "As a user would install it: another TLS library, no comparison of the code",
            (*columns, "on"),
            installed(results),
        ),
        ("Full handshakes", *handshakes(results)),
        ("Growth: one asyncio server", points, growth(results)),
        *scale(results),
    ]
    return [table for table in every if table[2]]


def about(results: dict[str, Any]) -> list[str]:
    """What a reader must know to judge the numbers."""
    every = [(row, found) for result in results["measures"] for row, found in result["rows"].items()]
    versions = sorted({(_short(found["openssl"]), row) for row, found in every if "openssl" in found})
    negotiated = sorted({f"{found['protocol']} {found['cipher']}" for _, found in every if "cipher" in found})
    rounds = sorted({result["rounds"] for result in results["measures"]})
    counts = f"{rounds[0]} to {rounds[-1]}" if len(rounds) > 1 else "".join(map(str, rounds))
    ends = "the server" if all(map(is_of_scale, results["measures"])) else "both ends"
    return [
        f"{counts} rounds, interleaved; CPU time of {ends}; each sample in a fresh process.",
        "Ratios are taken round by round: median, and in brackets the quartiles.",
        f"{results['python']}, {results['system']}, {results['cpus']} CPUs, load {results['load']:.1f} before it.",
        *([f"wiretight of commit {results['commit']}"] if results.get("commit") else []),
        *(
            f"{version}: {', '.join(row for _, row in rows)}"
            for version, rows in itertools.groupby(versions, key=lambda pair: pair[0])
        ),
        *([f"negotiated: {', '.join(negotiated)}"] if negotiated else []),
        *results["left_out"],
    ]


def markdown(results: dict[str, Any]) -> str:
    parts = []
    for title, headings, body in tables(results):
        rows = [headings, tuple("---" for _ in headings), *body]
        parts.append(f"## {title}\n\n" + "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n\n")
    return "".join(parts) + "\n".join(f"- {line}" for line in about(results)) + "\n"


def saved(results: dict[str, Any]) -> str:
    """JSON of what the tables and pictures need: six digits of each number, no counters, one line per measure."""
    lines = ",\n".join(json.dumps(_short_numbers(result), ensure_ascii=False) for result in results["measures"])
    about_it = {name: value for name, value in results.items() if name != "measures"}
    return f'{{"measures": [\n{lines}\n],\n{json.dumps(_short_numbers(about_it), ensure_ascii=False)[1:]}\n'


def _short_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _short_numbers(inner) for name, inner in value.items() if name != "counters"}
    if isinstance(value, list):
        return [_short_numbers(inner) for inner in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def show(results: dict[str, Any], terminal: bool) -> None:
    """Print the tables: with rich in a terminal, as Markdown in a pipe or without rich."""
    if not terminal or importlib.util.find_spec("rich") is None:
        print(markdown(results), end="")
        return
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for title, headings, body in tables(results):
        table = Table(*headings, title=title, title_justify="left")
        for name, rows in itertools.groupby(body, key=lambda cells: cells[0]):
            # The name stands in the first line of its group, the unit in the second.
            labels = itertools.chain(name.split(": "), itertools.repeat(""))
            for label, cells in zip(labels, rows, strict=False):
                colour = COLOURS.get(cells[-1])
                table.add_row(label, *cells[1:-1], f"[{colour}]{cells[-1]}[/]" if colour else cells[-1])
            table.add_section()
        console.print(table)
    for line in about(results):
        console.print(line, highlight=False)
