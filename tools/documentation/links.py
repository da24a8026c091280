"""Links of the repository's Markdown, for readers elsewhere: on the site, and on the page of a package index."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Page of the site: file of the repository.
OUTSIDE = {
    "index.md": "README.md",
    "security.md": "SECURITY.md",
    "architecture.md": "ARCHITECTURE.md",
    "contributing.md": "CONTRIBUTING.md",
    "conduct.md": "CODE_OF_CONDUCT.md",
    "project/tests.md": "tests/README.md",
    "project/incidents.md": "tests/incidents/README.md",
    "project/bench.md": "bench/README.md",
    "project/fuzz.md": "fuzz/README.md",
    "project/measurements.md": "bench/results/reference.md",
    "project/handshakes.md": "bench/results/handshakes.md",
    "project/scale.md": "bench/results/scale.md",
}
CHANGELOG = "changelog.md"

FENCE = re.compile(r"^ *(```|~~~)")
# A link or picture: "!" if it is one, label, target. Code is skipped, so that what looks like a link there stays.
LINK = re.compile(r"(?P<code>`+)(?s:.+?)(?P=code)|(?P<picture>!?)\[(?P<label>[^\[\]]*)\]\((?P<target>[^()\s]+)\)")

# Given the label, the target and whether it is a picture, what stands there instead.
Replace = Callable[[str, str, bool], str]


def source_of(page: str) -> str:
    """The file of the repository that a page is made of."""
    return "CHANGELOG.md" if page == CHANGELOG else OUTSIDE.get(page, f"docs/{page}")


def page_of(source: str) -> str | None:
    """The page that is made of a file of the repository, or None."""
    if source in ("changelog", "CHANGELOG.md"):
        return CHANGELOG
    for page, outside in OUTSIDE.items():
        if outside == source:
            return page
    return source.removeprefix("docs/") if source.startswith("docs/") else None


def outside_fences(markdown: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether it is prose: not a line of a block of code, nor the fence around one."""
    fence = ""
    for line in markdown.splitlines(keepends=True):
        found = FENCE.match(line)
        if found and not fence:
            fence = found[1]
        elif found and found[1] == fence:
            fence = ""
        else:
            yield line, not fence and not line.startswith("    ")
            continue
        yield line, False


def with_links(markdown: str, replace: Replace) -> str:
    """The text with its links replaced, wherever the lines are broken."""
    text, prose = [], []

    def replaced(found: re.Match[str]) -> str:
        if found["code"]:
            return found[0]
        return replace(found["label"], found["target"], bool(found["picture"]))

    def flush() -> None:
        text.append(LINK.sub(replaced, "".join(prose)))
        prose.clear()

    for line, is_prose in outside_fences(markdown):
        if is_prose and line.strip():
            prose.append(line)
        else:
            flush()
            text.append(line)
    flush()
    return "".join(text)


def is_relative(target: str) -> bool:
    """Whether it leads to a file of the repository, and not to another host or a place on the same page."""
    return not re.match(r"[a-z]+:|#|/", target)


def resolved(target: str, page: str) -> tuple[str, str]:
    """Path from the root of the repository and fragment (with its "#") of what `page`, such a path, links to."""
    path, _, fragment = target.partition("#")
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), path)), fragment and f"#{fragment}"


def source_url() -> str | None:
    """Where the repository can be read: `Source` of `[project.urls]`; None as long as it has no public address."""
    found = re.search(r'^Source = "([^"]+?)/?"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    return found and found[1]


def to_source(label: str, path: str, fragment: str, *, picture: bool) -> str:
    """A link to a file of the repository by its address, or the label alone if there is no such address yet."""
    url = source_url()
    if url is None:
        return "" if picture else label
    kind = "raw" if picture else "blob"
    return f"{'!' if picture else ''}[{label}]({url}/{kind}/main/{path}{fragment})"


def for_an_index(markdown: str, page: str) -> str:
    """The page as a package index shows it: nothing in it is relative."""

    def replace(label: str, target: str, picture: bool) -> str:
        if is_relative(target):
            return to_source(label, *resolved(target, page), picture=picture)
        return f"{'!' if picture else ''}[{label}]({target})"

    return with_links(markdown, replace)
