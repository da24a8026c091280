#!/usr/bin/env python3
"""trace_picture.py: docs/assets/trace-light.png and -dark.png, from what `wiretight trace` prints in a terminal.

Needs Chromium, and wiretight with the demo extra; the picture in the repository has OpenSSL 3.5 or newer, whose
handshakes are post-quantum.
"""

from __future__ import annotations

import html
import os
import pty
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PORT = 8443
WIDTH, ROWS = 96, 40  # of the terminal
COMMAND = (sys.executable, "-m", "wiretight")

# The colours of the page of a handshake (src/wiretight/_cli/serve/pagestyle.py).
THEMES = {
    "light": "--paper: #f7f6f2; --card: #fffefb; --ink: #1d2126; --soft: #5d646d; --line: #e2dfd6; --accent: #0b7a6b;"
    " --received: #2f5bb7; --bad: #b3261e;",
    "dark": "--paper: #101418; --card: #171c22; --ink: #e6e9ec; --soft: #98a2ad; --line: #29313a; --accent: #4fd1b8;"
    " --received: #8ab4f8; --bad: #f28b82;",
}
STYLE = """
body { margin: 0; padding: 28px; background: var(--paper); color: var(--ink); }
pre {
  margin: 0; padding: 22px 26px; background: var(--card); border: 1px solid var(--line); border-radius: 14px;
  font: 15px/1.5 "DejaVu Sans Mono", monospace;
}
.c1 { font-weight: 700; } .c2 { color: var(--soft); } .c31 { color: var(--bad); }
.c32 { color: var(--accent); } .c34 { color: var(--received); }
"""


def main() -> None:
    """Write both."""
    with tempfile.TemporaryDirectory() as folder:
        lines = traced(Path(folder))
        for theme, colours in THEMES.items():
            page = Path(folder, "page.html")
            page.write_text(
                f"<meta charset=utf-8><style>:root {{ {colours} }} {STYLE}</style><pre>{marked_up(lines)}</pre>",
                encoding="utf-8",
            )
            picture = ROOT / "docs/assets" / f"trace-{theme}.png"
            height = 2 * 28 + 2 * 23 + int(22.5 * len(lines)) + 1
            options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
            subprocess.run(
                ["chromium", *options, f"--window-size=1000,{height}", f"--screenshot={picture}", page.as_uri()],
                check=True, capture_output=True, timeout=120,
            )  # fmt: skip


def traced(folder: Path) -> list[str]:
    """The lines of a terminal in which the command was run, with its colours."""
    subprocess.run([*COMMAND, "ca", "certs"], cwd=folder, check=True, capture_output=True)
    server = [*COMMAND, "serve", "--cert", "certs/server.pem", "--port", str(PORT), "certs"]
    trace = f"trace localhost:{PORT} --cafile certs/ca.pem"
    with subprocess.Popen(server, cwd=folder, stdout=subprocess.PIPE) as serving:
        try:
            next(iter(serving.stdout or ()))  # by then it listens
            in_terminal([*COMMAND, *trace.split()], folder)  # the first handshake warms the server up
            seen = in_terminal([*COMMAND, *trace.split()], folder)
        finally:
            serving.terminate()
    return [f"\x1b[2m$\x1b[0m \x1b[1mwiretight {trace}\x1b[0m", *seen.rstrip().splitlines()]


def in_terminal(command: list[str], folder: Path) -> str:
    """What a terminal would have been sent."""
    ours, theirs = pty.openpty()
    variables = {"TERM": "xterm-256color", "COLUMNS": str(WIDTH), "LINES": str(ROWS)}
    variables = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | variables
    seen = b""
    with subprocess.Popen(command, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=variables) as process:
        os.close(theirs)
        try:
            while data := os.read(ours, 65536):
                seen += data
        except OSError:  # how Linux reports the end of a terminal
            pass
    os.close(ours)
    if process.returncode:
        raise SystemExit(seen.decode())
    return seen.decode()


def marked_up(lines: list[str]) -> str:
    """The same as HTML."""
    shown = []
    for part in re.split(r"(\x1b\[[0-9;]*m)", "\n".join(lines)):
        codes = re.fullmatch(r"\x1b\[([0-9;]*)m", part)
        if codes is None:
            shown.append(html.escape(part))
        elif codes[1] in ("", "0"):
            shown.append("</span>")
        else:
            shown.append(f'<span class="{" ".join(f"c{code}" for code in codes[1].split(";"))}">')
    return "".join(shown)


if __name__ == "__main__":
    main()
