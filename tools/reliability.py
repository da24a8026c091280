"""docs/reliability.md from the results of runs: lines of JSON (scripts/fuzz, scripts/soak) and JUnit's XML (pytest).

A section for which there are no results stays as it is.
"""

from __future__ import annotations

import json
import re
import sys
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/reliability.md"
sys.path.insert(0, str(ROOT))

from builders import fail  # noqa: E402

from tests.incidents.references import link  # noqa: E402

HEAD = """\
# Reliability: what was run

Written by `scripts/reliability` from the results of the runs; nothing here is typed by hand. A run of the fuzzer or of
the soak that finds anything has no line here: it fails, and what it found is fixed first. How wiretight gets on with
other implementations is in [interoperation.md](interoperation.md).
"""
FAMILIES = """\
## The incident pack

What has gone wrong in TLS socket layers, as guarantees: [tests/incidents](../tests/incidents/README.md). A case is one
test with one set of parameters, of which TLS 1.2 and 1.3 is nearly always one. Tries are how often the cases that
repeat themselves did so: rounds, calls that were made to fail one after the other, mutated inputs. `full` is
`WIRETIGHT_INCIDENTS=full`, `bounded` the selection that runs with every change; `all` is a family that does not repeat
itself. The full counts of
`test_hostile_bytes`, and the soak, have tables of their own.
"""
MUTATED = """\
## Hostile bytes: mutated inputs

Each was met without a crash, a hang, more than a second of computing, an exception that is not documented, a wrong
byte, or growth: [fuzz](../fuzz/README.md). Seeds are fixed. Answers are the different ways in which inputs were met:
refused for one of OpenSSL's reasons, waited out, or accepted.
"""
GUIDED = """\
## Hostile bytes: guided by coverage

libFuzzer, with OpenSSL and the core built to count their edges and with AddressSanitizer. Edges are those that the
corpus reached.
"""
SOAKED = """\
## Soak

Connections one after the other under a signal every millisecond: `scripts/soak`. Growth is the slope over all
connections after the first quarter of the time: of what was allocated and not freed, of which 16 bytes are allowed, and
of what the process had resident, part of which malloc() keeps for later.
"""
MACHINES = """\
## Bare machines

The README's two commands where nothing was but Python: `scripts/machines`, on systems as debootstrap unpacks them. A
user who may install nothing hears which packages are missing; root gets them, and then everything is built and tested.
"""
PLATFORMS = """\
## Other platforms

What was built and run for platforms other than x86-64 Linux with CPython: `scripts/platforms`. What each row shows, and
what it does not, is in [platforms.md](platforms.md).
"""
SOURCES = """\
## The public references of each family

"""
SUITES = """\
## Other projects' suites

Libraries' own tests of TLS, sockets and asyncio, with the standard `ssl` and after `install()`: `scripts/suites`, from
their source packages, with what their tests require. `install()` is called before anything else, also in the processes
that tests start. Outcomes are compared test by test.
"""


def table(titles: list[str], rows: Iterable[list[Any]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(
        "| " + " | ".join(f"{cell:,}" if type(cell) is int else str(cell) for cell in row) + " |" for row in lines
    )


# --- Tests ------------------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """One test with one set of parameters, as JUnit's XML tells of it."""

    outcome: str
    reason: str  # for which it was skipped
    selection: str
    rounds: int | None
    references: frozenset[str]


def cases(runs: list[ET.Element]) -> dict[str, dict[str, Case]]:
    """By family and name. Of several runs of a case the last full one counts, or else the last."""
    found: dict[str, dict[str, Case]] = defaultdict(dict)
    for run in runs:
        for entry in run.iter("testcase"):
            family = "/".join(entry.get("classname", "").split(".")[-2:])
            name = entry.get("name", "")
            case, before = case_of(entry), found[family].get(name)
            if before is None or before.selection != "full" or case.selection == "full":
                found[family][name] = case
    return found


def case_of(entry: ET.Element) -> Case:
    skipped = entry.find("skipped")
    outcome = "passed" if skipped is None else "skipped"
    if entry.find("failure") is not None or entry.find("error") is not None:
        outcome = "failed"
    properties = [(item.get("name"), item.get("value", "")) for item in entry.iter("property")]
    said = dict(properties)  # the last word of a test on its rounds counts: how many there really were
    return Case(
        outcome,
        "" if skipped is None else skipped.get("message", ""),
        said.get("selection", "all"),
        int(said["rounds"]) if "rounds" in said else None,
        frozenset(value for name, value in properties if name == "reference"),
    )


def guarantees() -> Iterator[tuple[str, str]]:
    """Each family of the pack, as "room/name", and what it guarantees: the table of its README."""
    for line in (ROOT / "tests/incidents/README.md").read_text().splitlines():
        if row := re.fullmatch(r"\| (?:`|\[\.\./(?!interop)(\w+)/)(\w+)\.py\S* \| (.+) \|", line):
            yield f"{row[1] or 'incidents'}/{row[2]}", row[3]


def families(runs: list[ET.Element]) -> str:
    found = cases(runs)
    titles = ["family", "what is guaranteed", "run", "cases", "tries", "failed", "skipped"]
    rows = [
        [f"[{name.partition('/')[2]}](../tests/{name}.py)", text, *family(found.get(name, {}))]
        for name, text in guarantees()
    ]
    reasons = Counter(case.reason for name, _ in guarantees() for case in found.get(name, {}).values() if case.reason)
    skipped = [f"- {count} skipped: {reason}" for reason, count in sorted(reasons.items())]
    return "\n\n".join([FAMILIES.strip() + circumstances(runs), table(titles, rows), "\n".join(skipped)]).strip()


def circumstances(runs: list[ET.Element]) -> str:
    """When the tests ran, and with what."""
    suites = [suite for run in runs for suite in run.iter("testsuite")]
    days = sorted({suite.get("timestamp", "").partition("T")[0] for suite in suites})
    builds = {item.get("value", "") for suite in suites for item in suite.iterfind("properties/property[@name='with']")}
    return "".join(
        f"\n{word} {', '.join(found)}." for word, found in (("Run on", days), ("With", sorted(builds))) if found
    )


def family(ran: dict[str, Case]) -> list[Any]:
    """The numbers of one family."""
    if not ran:
        return ["not run", "", "", "", ""]
    count = Counter(case.outcome for case in ran.values())
    runs = Counter(case.selection for case in ran.values())
    tries = [case.rounds for case in ran.values() if case.rounds is not None and case.outcome == "passed"]
    return [
        next(iter(runs)) if len(runs) == 1 else ", ".join(f"{number} {name}" for name, number in sorted(runs.items())),
        len(ran),
        sum(tries) if tries else "",
        count["failed"],
        count["skipped"],
    ]


def sources(runs: list[ET.Element]) -> str:
    found = cases(runs)
    lines = []
    for name, _ in guarantees():
        references = sorted({source for case in found.get(name, {}).values() for source in case.references})
        if references:
            lines.append(
                f"- {name.partition('/')[2]}: " + ", ".join(f"[{source}]({link(source)})" for source in references)
            )
    return SOURCES + "\n".join(lines) if lines else ""


# --- Lines of JSON ----------------------------------------------------------------------------------------------------


def mutated(results: list[dict[str, Any]]) -> str:
    groups = defaultdict(list)
    for result in results:
        if "seed" in result:
            groups[result["target"], result["sanitized"], result["openssl"]].append(result)
    rows = [
        [
            f"`{target}`",
            f"AddressSanitizer, UBSan; {openssl}" if sanitized else openssl,
            sum(result["count"] for result in group),
            len({answer for result in group for answer in result["outcomes"]}),
            f"{max(result['slowest'] for result in group) * 1000:.0f} ms",
            "not counted" if sanitized else f"{growth_of_input(group):.2f} bytes",
            "; ".join(numbers(group)),
        ]
        for (target, sanitized, openssl), group in sorted(groups.items())
    ]
    titles = [
        "target",
        "build",
        "inputs",
        "answers",
        "slowest input (CPU)",
        "growth for each input",
        "inputs by number",
    ]
    return MUTATED.strip() + "\n\n" + table(titles, rows) if rows else ""


def growth_of_input(group: list[dict[str, Any]]) -> float:
    """In bytes, over all runs; memory is read when a quarter of a run has settled it."""
    return sum(result["growth"] for result in group) / sum(result["count"] * 3 // 4 for result in group)


def numbers(group: list[dict[str, Any]]) -> Iterator[str]:
    """Which inputs those were, runs that follow each other as one: what repeats them."""
    for seed in sorted({result["seed"] for result in group}):
        spans: list[list[int]] = []
        for result in sorted((result for result in group if result["seed"] == seed), key=lambda run: run["start"]):
            if spans and spans[-1][1] == result["start"]:
                spans[-1][1] += result["count"]
            else:
                spans.append([result["start"], result["start"] + result["count"]])
        yield f"seed {seed}: " + ", ".join(f"{first:,} to {last - 1:,}" for first, last in spans)


def listed(results: list[dict[str, Any]], kind: str, head: str) -> str:
    """The runs of a kind as they are: what their lines say, in their order. Those that say the same share a table."""
    runs = [result for result in results if result["target"].partition(":")[0] == kind]
    tables: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for run in runs:
        tables[tuple(run)].append(run)
    parts = [head.strip()] if runs else []
    for columns, alike in tables.items():
        titles = [title for title in columns if title != "target" or kind == "guided"]
        named = sorted({run["target"] for run in alike} - {kind}) if kind != "guided" else []
        parts += [f"{', '.join(f'`{name}`' for name in named)}:"] if named else []
        parts.append(table(titles, ([cell(run[title]) for title in titles] for run in alike)))
    return "\n\n".join(parts)


def cell(value: Any) -> Any:
    """What table() does not know."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {count:,}" for name, count in value.items())
    return value


def kept(page: str, new: list[str]) -> list[str]:
    """The sections in `new`, in their order; those of `page` in place of the empty ones, which have only a title."""
    old = {part.partition("\n")[0]: part for part in re.split(r"^(?=## )", page, flags=re.MULTILINE)}
    return [part if "\n" in part else old.get(part, "") for part in new]


def main() -> None:
    tests: list[ET.Element] = []
    results: list[dict[str, Any]] = []
    for name in sys.argv[1:]:
        try:
            if name.endswith(".xml"):
                tests.append(ET.parse(name).getroot())  # noqa: S314  # our own file
            else:
                results += map(json.loads, Path(name).read_text().splitlines())
        except (OSError, ValueError, ET.ParseError) as error:
            fail(f"{name} cannot be read as results: {error}; scripts/reliability --help says what makes them")
    parts = {
        HEAD: HEAD,
        FAMILIES: families(tests) if tests else "",
        MUTATED: mutated(results),
        GUIDED: listed(results, "guided", GUIDED),
        SOAKED: listed(results, "soak", SOAKED),
        MACHINES: listed(results, "machines", MACHINES),
        PLATFORMS: listed(results, "platforms", PLATFORMS),
        SUITES: listed(results, "suites", SUITES),
        SOURCES: sources(tests),
    }
    page = PAGE.read_text() if PAGE.exists() else ""
    found = kept(page, [part or head.partition("\n")[0] for head, part in parts.items()])
    print("\n\n".join(part.strip("\n") for part in found if part))


if __name__ == "__main__":
    main()
