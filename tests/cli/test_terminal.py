"""terminal: how wide what a command prints is."""

from __future__ import annotations

import os

import pytest

from wiretight._cli import terminal


class Stream:
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_a_console_follows_the_width_of_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    console = terminal._console(Stream())  # type: ignore[arg-type]
    assert console is not None
    for columns in (100, 60):
        # Of the descriptors 0 to 2, which are the test's own.
        monkeypatch.setattr(os, "get_terminal_size", lambda *_, columns=columns: os.terminal_size((columns, 24)))
        assert console.width == columns
