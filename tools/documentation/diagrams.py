"""State diagrams of the pages, drawn by Graphviz when the site is built: a browser needs to load no library for them.

It reads as much of Mermaid's stateDiagram-v2 as the pages use: names of states, and transitions with a label.
"""

from __future__ import annotations

import html
import re
import subprocess
import textwrap
from typing import Any

NAME = re.compile(r"^(\w+): (.+)$")
TRANSITION = re.compile(r"^(\S+) --> (\S+?)(?:: (.+))?$")
LABEL_WIDTH = 22

STYLE = """
    rankdir=TB; bgcolor="transparent"; nodesep=0.6; ranksep=0.55; pad=0.1;
    node [shape=box, style=rounded, fontname="Helvetica", fontsize=13, margin="0.2,0.08"];
    edge [fontname="Helvetica", fontsize=11, arrowsize=0.7];
"""


def graph(diagram: str) -> str:
    """The diagram in the language of Graphviz. Raises ValueError for a line that it cannot read."""
    title, *lines = [line.strip() for line in diagram.strip().splitlines() if line.strip()]
    if title != "stateDiagram-v2":
        raise ValueError(f"only a stateDiagram-v2 can be drawn, not {title!r}")
    names: dict[str, str] = {}
    edges = []
    for line in lines:
        if found := TRANSITION.match(line):
            edges.append(found.groups())
        elif found := NAME.match(line):
            names[found[1]] = found[2]
        else:
            raise ValueError(f"no state and no transition: {line!r}")
    drawn = [STYLE]
    drawn += [f'"{name}" [label="{text}"];' for name, text in names.items()]
    for begin, end, label in edges:
        beginning = "begin" if begin == "[*]" else begin
        ending = "end" if end == "[*]" else end
        text = "".join(rf"&#160;{part}\l" for part in textwrap.wrap(label or "", LABEL_WIDTH))
        drawn.append(f'"{beginning}" -> "{ending}" [label="{text}"];')
    drawn.append('begin [shape=circle, style=filled, fillcolor=black, label="", width=0.15];')
    drawn.append('end [shape=doublecircle, style=filled, fillcolor=black, label="", width=0.1];')
    return "digraph {" + "\n".join(drawn) + "}"


def svg(diagram: str) -> str:
    """The picture, in the colours of the text around it."""
    drawn = subprocess.run(["dot", "-Tsvg"], input=graph(diagram), capture_output=True, text=True, check=True).stdout
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<!--.*?-->|<title>.*?</title>", "", drawn, flags=re.DOTALL)
    return drawn.replace('"black"', '"currentColor"')


def fence(source: str, language: str, css_class: str, options: dict[str, Any], md: Any, **kwargs: Any) -> str:
    """What stands in the page for a block of ```mermaid."""
    described = html.escape(" ".join(source.split()))
    return f'<figure class="{css_class}" role="img" aria-label="{described}">{svg(source)}</figure>'
