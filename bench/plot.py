"""The pictures of a run: a panel per measure with a bar per row and a dot per sample; the curves of growth; and, of
scale, how many cores a storm needs.

All measures are in one picture, and those that docs/performance.md speaks of together in one of their own.
"""

from __future__ import annotations

import importlib.util
import math
import statistics
import textwrap
from typing import TYPE_CHECKING, Any

from report import is_of_scale, number

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = 4
OURS, FAIR, OTHER = "tab:blue", "#b8b8b8", "#e4d3b5"
TOGETHER = {
    "clients": ("handshake-p256-x25519-client", "handshake-p384-x25519-client", "handshake-rsa-x25519-client"),
    "servers": ("handshake-p256-x25519-server", "handshake-rsa-x25519-server", "resumed"),
    "hybrid": (
        "handshake-p256-x25519mlkem768-client",
        "handshake-p384-x25519mlkem768-client",
        "handshake-p256-x25519mlkem768-server",
    ),
    "starts": ("start", "context-cold", "context-warm", "context-memory"),
    "transfers": ("bulk", "bulk-64k", "bulk-16k", "pingpong"),
    "asyncio": ("asyncio-echo", "asyncio-bulk-data", "asyncio-bulk", "asyncio-idle"),
}
STORM = 100_000  # connections per second
CURVES = (("KiB", "KiB per connection"), ("arrival µs", "CPU µs per arrival"), ("echo µs", "CPU µs per echo"))


def save_plots(results: dict[str, Any], folder: Path, name: str) -> bool:
    """Write NAME.png, and NAME-….png of what there is of TOGETHER, of growth and of scale; False without matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
    import matplotlib as mpl

    mpl.rcParams["font.size"] = 8
    there = [result for result in results["measures"] if result["rows"]]
    curves = [result for result in there if result["name"] == "growth"]
    storms = [result for result in there if is_of_scale(result)]
    bars = [result for result in there if result not in curves and result not in storms]
    figures = {name: _bars(bars, results["subject"])} if bars else {}
    for stem, names in TOGETHER.items():
        if len(together := [result for result in bars if result["name"] in names]) > 1:
            figures[f"{name}-{stem}"] = _bars(together, results["subject"])
    if curves:
        figures[f"{name}-growth"] = _growth(curves[0], results["subject"])
    if storms:
        figures[f"{name}-cores"] = _cores(storms, results["subject"])
    for stem, figure in figures.items():
        figure.savefig(folder / f"{stem}.png", dpi=110)
    return True


def _bars(measures: list[dict[str, Any]], subject: str) -> Any:
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(measures))
    lines = math.ceil(len(measures) / columns)
    figure = Figure(figsize=(3.6 * columns, 2.5 * lines), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).flatten()
    for panel, result in zip(panels, measures, strict=False):
        _panel(panel, result, subject)
    for panel in panels[len(measures) :]:
        panel.set_axis_off()
    figure.suptitle(
        "blue: wiretight; grey: on the same OpenSSL as a blue one; sand: on another TLS library, as installed",
        fontsize=9,
    )
    return figure


def _panel(panel: Any, result: dict[str, Any], subject: str) -> None:
    rows = result["rows"]
    medians = [found["median"] for found in rows.values()]
    libraries = {found.get("openssl") for row, found in rows.items() if subject in row} | {None}
    # A row far from all others would make them look alike: its bar is cut, its number tells.
    end = 1.1 * max(value for value in medians if value <= 5 * statistics.median(medians))
    for place, (row, found) in enumerate(rows.items()):
        colour = OURS if subject in row else FAIR if found.get("openssl") in libraries else OTHER
        panel.barh(place, min(found["median"], end), color=colour)
        panel.plot(found["values"], [place] * len(found["values"]), ".", color="black", markersize=3)
        panel.text(end, place, f" {number(found['median'])}", va="center", fontsize=7)
    panel.set_yticks(range(len(rows)), [row.replace(" with ", "\nwith ") for row in rows])
    panel.invert_yaxis()
    panel.set_xlim(0, end)
    better = ", more is better" if result["more_is_better"] else ""
    panel.set_title(textwrap.fill(result["measure"], 36), fontsize=9)
    panel.set_xlabel(f"{result['unit']}{better}")
    panel.spines[["top", "right"]].set_visible(False)


def _growth(result: dict[str, Any], subject: str) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained")
    for panel, (quantity, label) in zip(figure.subplots(1, len(CURVES)), CURVES, strict=True):
        for row, found in result["rows"].items():
            sizes = [point["connections"] for point in found["curve"]]
            width = 2.4 if row == subject else 1.2
            panel.plot(
                sizes, [point[quantity] for point in found["curve"]], "o-", markersize=3, linewidth=width, label=row
            )
        panel.set_xscale("log")
        panel.set_xticks([10, 100, 1000, 10000])
        panel.xaxis.set_major_formatter("{x:,.0f}")
        panel.xaxis.set_minor_formatter("")
        if quantity == "KiB":
            panel.set_yscale("log")
            panel.yaxis.set_major_formatter("{x:,.0f}")
            panel.yaxis.set_minor_formatter("{x:,.0f}")
        else:
            panel.set_ylim(bottom=0)
        panel.set_xlabel("connections of one asyncio server")
        panel.set_ylabel(label)
        panel.grid(alpha=0.3)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=len(result["rows"]))
    return figure


def _cores(storms: list[dict[str, Any]], subject: str) -> Any:
    """A panel per storm, a line per row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.7 * len(storms), 3.2), layout="constrained")
    panels = figure.subplots(1, len(storms), squeeze=False, sharey=True)[0]
    for panel, result in zip(panels, storms, strict=True):
        for row, found in result["rows"].items():
            cores = [found["parts"][part] * STORM / 1e6 for part in ("full µs", "resumed µs")]
            width = 2.4 if row == subject else 1.2
            panel.plot([0, 100], cores, linewidth=width, label=row)
        panel.set_title(result["measure"].partition(", ")[2], fontsize=9)
        panel.set_xlabel("% of the connections that are resumed")
        panel.set_xlim(0, 100)
        panel.grid(alpha=0.3)
    panels[0].set_ylim(0, 1.05 * panels[0].get_ylim()[1])
    panels[0].set_ylabel(f"cores for {STORM:,} connections/s")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
