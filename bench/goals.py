"""What the project aims at, and whether a run has met it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

Samples = dict[str, list[dict[str, Any]]]


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


@dataclass(frozen=True)
class Goal:
    """wiretight's number, as such or beside that of the best of the rows `of`, is at most (or at least) `limit`."""

    limit: float
    of: tuple[str, ...] = ()
    added: bool = False  # their difference counts, not their ratio
    at_least: bool = False  # and more is better: the best of the rows is the highest
    row: str = ""  # whose number it is, if not the subject's; it may be on another OpenSSL than the rows `of`

    def judge(self, samples: Samples, subject: str) -> dict[str, Any]:
        """The goal, what was measured against it, and "met", "missed", "not measured" or "not comparable"."""
        subject = self.row or subject
        rivals = [row for row in self.of if samples.get(row)]
        if not samples.get(subject) or (self.of and not rivals):
            return self._told(None, "", "not measured")
        if not self.of:
            return self._judged(spread([sample["value"] for sample in samples[subject]]), "")
        best = (max if self.at_least else min)(rivals, key=lambda row: _median(samples[row]))
        ours, theirs = samples[subject], samples[best]
        found = spread([self._compared(a["value"], b["value"]) for a, b in zip(ours, theirs, strict=True)])
        # A row without TLS has none, and whoever names a row means it.
        if not self.row and theirs[0].get("openssl", ours[0]["openssl"]) != ours[0]["openssl"]:
            return self._told(found, best, "not comparable")
        return self._judged(found, best)

    def _compared(self, ours: float, theirs: float) -> float:
        return ours - theirs if self.added else ours / theirs

    def _judged(self, found: Spread, best: str) -> dict[str, Any]:
        met = found.median >= self.limit if self.at_least else found.median <= self.limit
        return self._told(found, best, "met" if met else "missed")

    def _told(self, found: Spread | None, best: str, verdict: str) -> dict[str, Any]:
        measured = "" if found is None else str(found)
        if len(self.of) > 1 and best:
            measured += f" of {best}"
        return {
            "goal": str(self),
            "measured": measured,
            "value": found and found.median,
            "limit": self.limit,
            "verdict": verdict,
        }

    def __str__(self) -> str:
        sign = f"{self.row}: ".removeprefix(": ") + ("≥" if self.at_least else "≤")
        rows = f"the best of {', '.join(self.of)}" if len(self.of) > 1 else "".join(self.of)
        if self.added:
            return f"{sign} {rows} + {self.limit:g}"
        return f"{sign} {self.limit:g} times {rows}" if rows else f"{sign} {self.limit:g}"


def _median(taken: list[dict[str, Any]]) -> float:
    return statistics.median(sample["value"] for sample in taken)
