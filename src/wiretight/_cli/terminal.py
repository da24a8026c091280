"""Output: tables, facts and progress, with rich on a terminal and as aligned plain text anywhere else."""

import json
import re
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TextIO
from unicodedata import combining, east_asian_width

if TYPE_CHECKING:
    import rich.console

MIB = 1024 * 1024

# Styles of rich that can be read on white and on black, in the palettes of xterm and its successors: yellow and cyan
# cannot on white, and blue cannot on black unless it is bold.
GOOD, CAUTION, BAD, NOTE, FAINT = "green", "bold magenta", "bold red", "bold blue", "dim"

_PIPE = 80
_NARROWEST = 20  # a terminal that says less, or 0, wraps the lines itself


def clean(text: str) -> str:
    """`text` with every control and invisible character escaped: a certificate must not control the user's terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def columns(text: str) -> int:
    """How many columns of a terminal `text` takes: two for a wide letter, as Chinese ones are, none for an accent."""
    return sum(2 if east_asian_width(c) in "WF" else 0 if combining(c) else 1 for c in text)


def shortened(text: str, most: int) -> str:
    """`text`, or what of it fits into so many columns."""
    if columns(text) <= most:
        return text
    kept = list(text)
    while columns("".join(kept)) >= most:
        kept.pop()
    return "".join(kept) + "…"


def width(stream: TextIO, most: int | None = None) -> int:
    """The columns of the terminal, up to `most`; 80 in a pipe."""
    found = max(_NARROWEST, shutil.get_terminal_size((_PIPE, 24)).columns) if stream.isatty() else _PIPE
    return found if most is None else min(found, most)


def in_units(size: int) -> str:
    """A number of bytes, such as "1.5 GiB"."""
    for power, unit in ((1 << 40, "TiB"), (1 << 30, "GiB"), (MIB, "MiB"), (1 << 10, "KiB")):
        if size >= power:
            return f"{size / power:,.4g} {unit}" if size < 1000 * power else f"{size / power:,.0f} {unit}"
    return f"{size} B"


def print_json(value: object) -> None:
    """`value` for a machine, on stdout."""
    print(json.dumps(value, indent=2))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], numeric: frozenset[str] = frozenset()) -> None:
    """One table on stdout; the columns named in `numeric` are right-aligned."""
    rows = [[clean(cell) for cell in row] for row in rows]
    console = _console(sys.stdout)
    if console is None:
        widths = [max(columns(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
        for row in [headings, *rows]:
            cells = []
            for heading, cell, width in zip(headings, row, widths, strict=True):
                space = " " * (width - columns(cell))
                cells.append(space + cell if heading in numeric else cell + space)
            print("  ".join(cells).rstrip())
        return
    import rich.box
    import rich.table
    import rich.text

    table = rich.table.Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(rich.text.Text(cell, style=_style(cell)) for cell in row))
    console.print(table)


def print_facts(title: str, facts: Sequence[tuple[str, str]]) -> None:
    """A heading and, under it, `name  value` lines on stdout. A line break in a value starts another value line.

    On a terminal, long values are wrapped at spaces; in a pipe each stays one line.
    """
    print_styled([(title, "bold")], sys.stdout)
    names = max(len(name) for name, _ in facts)
    room = max(20, width(sys.stdout) - names - 4) if sys.stdout.isatty() else None
    for name, value in facts:
        lines = [part for line in value.split("\n") for part in (_wrapped(clean(line), room) if room else [line])]
        for number, line in enumerate(lines):
            label = "" if number else name
            print_styled([(f"  {label:<{names}}  ", FAINT), *verdict(line, value)], sys.stdout)


def verdict(line: str, value: str) -> list[tuple[str, str]]:
    """The parts, for print_styled(), of a line of `value`: a no is red as a whole, of a yes only the word is green."""
    good = _YES.match(line) if value.startswith(line) else None
    if good:
        return [(good[0], GOOD), (line[good.end() :], "")]
    return [(line, BAD if _NO.match(value) else "")]


_YES, _NO = re.compile(r"(yes|ok)\b"), re.compile(r"(NO|FAILED|MISMATCH)\b")


def _wrapped(text: str, room: int) -> list[str]:
    # What is copied from a terminal, such as a path or a digest, stays whole. Leading spaces are an indent.
    indent = " " * (len(text) - len(text.lstrip()))
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False, subsequent_indent=indent) or [""]


def print_styled(parts: Sequence[tuple[str, str]], stream: TextIO) -> None:
    """A line of (text, style of rich) parts."""
    console = _console(stream)
    if console is None:
        print(clean("".join(text for text, _ in parts)).rstrip(), file=stream, flush=True)
        return
    import rich.text

    console.print(rich.text.Text.assemble(*((clean(text), style) for text, style in parts)), soft_wrap=True)


def prepare(stream: TextIO) -> None:
    """Load what print_styled() needs, for those who measure time between two lines."""
    if _console(stream) is not None:
        import rich.text  # noqa: F401


class Progress:
    """The progress of a transfer, on stderr: a bar on a terminal, otherwise a line at its beginning and its end."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._step = max(1, total // 100)  # redrawing for every record would distort the measured time
        self._unshown = self._received = 0
        self._begun = 0.0
        self._bar: Any = None  # rich.progress.Progress, or None
        self._task: Any = None
        console = _console(sys.stderr)
        if console is not None:
            import rich.progress

            self._bar = rich.progress.Progress(
                rich.progress.TextColumn("{task.description:<12}"),
                rich.progress.BarColumn(bar_width=14),
                rich.progress.DownloadColumn(binary_units=True),
                rich.progress.TextColumn("{task.fields[rate]}", justify="right"),
                rich.progress.TimeRemainingColumn(compact=True, elapsed_when_finished=True),
                rich.progress.TextColumn("{task.fields[result]}", markup=False),
                console=console,
                refresh_per_second=5,  # each refresh delays the transfer being timed
            )

    def __enter__(self) -> "Progress":  # noqa: PYI034  # Self came with Python 3.11
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, name: str) -> Callable[[int], None]:
        """Announce `name`; returns the function to call with each number of received bytes."""
        if self._bar is None:
            print(f"{name}: {in_units(self._total)} ...", file=sys.stderr, flush=True)
            return lambda _count: None
        self._unshown = self._received = 0
        self._task = self._bar.add_task(name, total=self._total, rate="", result="")
        self._begun = time.monotonic()
        return self._arrived

    def end(self, name: str, result: str) -> None:
        """Report how `name`, the last to begin, ended."""
        if self._bar is None:
            print(f"{name}: {result}", file=sys.stderr, flush=True)
            return
        self._bar.update(self._task, advance=self._unshown, result=clean(result))
        self._bar.stop_task(self._task)

    def _arrived(self, count: int) -> None:
        self._unshown += count
        if self._unshown >= self._step:
            self._received += self._unshown
            rate = self._received / MIB / (time.monotonic() - self._begun or 1)
            self._bar.update(self._task, advance=self._unshown, rate=f"{rate:,.0f} MiB/s")
            self._unshown = 0


class Steps:
    """The steps of something that takes a while, on stderr: in one place on a terminal, otherwise a line for each."""

    def __init__(self, count: int) -> None:
        self._count, self._number = count, 0
        self._live: Any = None  # rich.status.Status, or None
        console = _console(sys.stderr)
        if console is not None:
            self._live = console.status("", refresh_per_second=4)  # each one delays what is being timed

    def __enter__(self) -> "Steps":  # noqa: PYI034  # Self came with Python 3.11
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def begin(self, name: str) -> None:
        """Announce the next one."""
        self._number += 1
        text = f"{name} ({self._number} of {self._count})"
        if self._live is None:
            print(f"{text} ...", file=sys.stderr, flush=True)
        else:
            self._live.update(text)


def _console(stream: TextIO) -> "rich.console.Console | None":
    """A console of rich if the terminal supports it; None means plain text."""
    if not stream.isatty():
        return None
    try:
        import rich.console
        import rich.theme
    except ImportError:  # an extra
        return None
    theme = rich.theme.Theme(dict.fromkeys(("progress.remaining", "progress.elapsed", "progress.download"), FAINT))
    console = rich.console.Console(file=stream, highlight=False, theme=theme)
    if console.width < _NARROWEST:  # only then: one of a given width does not follow its terminal
        console = rich.console.Console(file=stream, highlight=False, theme=theme, width=_NARROWEST)
    return None if console.is_dumb_terminal else console


def _style(cell: str) -> str:
    return GOOD if _YES.match(cell) else BAD if _NO.match(cell) else ""
