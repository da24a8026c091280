"""The picture of a run: one panel per measure, one bar per row, every sample as a dot."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def save_plot(results: dict[str, Any], path: Path) -> bool:
    """Write the plot; False where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        return False
    from matplotlib.figure import Figure

    measures = results["measures"]
    figure = Figure(figsize=(2.6 * len(measures), 3.4), layout="constrained")
    panels = figure.subplots(1, len(measures), squeeze=False)
    for panel, result in zip(panels[0], measures, strict=True):
        for place, (row, found) in enumerate(result["rows"].items()):
            panel.bar(place, found["median"], color="tab:blue" if row == results["subject"] else "lightgrey")
            panel.plot([place] * len(found["values"]), found["values"], ".", color="black", markersize=4)
        panel.set_xticks(range(len(result["rows"])), list(result["rows"]), rotation=30)
        panel.set_title(result["measure"].replace(", ", "\n", 1), fontsize=8)
        panel.set_ylabel(result["unit"])
    figure.savefig(path, metadata={"Date": None})
    return True
