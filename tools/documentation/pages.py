"""The site's pages beside those of docs/, and links between all of them. mkdocs.yml names this file as a hook.

README.md and its neighbours stay where readers of the repository look for them; here they become pages. The changelog
is written from its fragments.
"""

from __future__ import annotations

import importlib
import posixpath
import re
import subprocess
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

sys.path.insert(0, str(Path(__file__).parent))

import diagrams
from links import (
    CHANGELOG,
    OUTSIDE,
    ROOT,
    is_relative,
    outside_fences,
    page_of,
    resolved,
    source_of,
    to_source,
    with_links,
)

PICTURES = "bench/results"
RELEASES = "<!-- towncrier release notes start -->"  # after which towncrier writes

# What a page may load: nothing of another host.
LOADED = re.compile(r'<(?:script|img|iframe|source)\b[^>]*\bsrc="(?:https?:)?//|<link\b[^>]*\bhref="(?:https?:)?//')


def changelog() -> str:
    """CHANGELOG.md as it would be if this were released now."""
    released = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition(RELEASES)[2]
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "not released yet", "--date", ""]
    drafted = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if drafted.returncode:
        raise PluginError(f"the changelog cannot be written: {drafted.stderr}")
    text = re.sub(r"^## not released yet .*$", "## Not released yet", drafted.stdout, flags=re.MULTILINE)
    return "# Changelog\n\n" + text[text.index("## ") :] + released


def title_of(source: str) -> str:
    """What its first heading says; its path, if it has none."""
    path = ROOT / source
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((line[2:] for line in lines if line.startswith("# ")), source)


def names_of(enum: str) -> str:
    """A table of an enum's members."""
    members = getattr(importlib.import_module("wiretight"), enum)
    rows = [f"| `{member.name}` | {member:d} |" for member in members]
    return "\n".join(["| name | number |", "| --- | --- |", *rows])


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """What of the configuration is code, so that mkdocs.yml is data."""
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")  # the anchors that GitHub makes
    config.mdx_configs["pymdownx.superfences"] = {
        "custom_fences": [{"name": "mermaid", "class": "diagram", "format": diagrams.fence}]
    }
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that docs/ does not have, and the pictures that pages show."""
    for page, source in OUTSIDE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, CHANGELOG, content=changelog()))
    for picture in sorted((ROOT / PICTURES).glob("*.png")):
        name = picture.relative_to(ROOT).as_posix()
        files.append(File.generated(config, name, abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links between files of the repository become links between pages, or lead to the source."""
    here = page.file.src_uri
    if here == "index.md":
        page.meta["hide"] = ["navigation"]

    def replace(label: str, target: str, picture: bool) -> str:
        mark = "!" if picture else ""
        if not is_relative(target):
            return f"{mark}[{label}]({target})"
        path, fragment = resolved(target, source_of(here))
        if not (ROOT / path).exists() and page_of(path) is None:
            raise PluginError(f"{source_of(here)}: there is no {target}")
        there = path if picture and path.startswith(PICTURES) else page_of(path)
        if there is None or files.get_file_from_path(there) is None:
            return to_source(label, path, fragment, picture=picture)
        if label in {path, target}:  # which means something in the repository only
            label = title_of(path)
        return f"{mark}[{label}]({posixpath.relpath(there, posixpath.dirname(here) or '.')}{fragment})"

    markdown = re.sub(r"<!-- names of (\w+) -->", lambda found: names_of(found[1]), markdown)
    return "".join(
        f"  {line}" if is_prose and re.match(r"  [|\S]", line) else line  # Python-Markdown asks for four spaces
        for line, is_prose in outside_fences(with_links(markdown, replace))
    )


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """The site works where no other host can be reached, and Markdown that was not understood is no text."""
    where = source_of(page.file.src_uri)
    found = LOADED.search(output)
    if found:
        raise PluginError(f"{where} loads from another host: {found[0]}")
    text = re.sub(r"<(pre|code)\b.*?</\1>", "", output, flags=re.DOTALL)
    broken = re.search(r"<p>(?:[-*] |\d\. |\| )|\| --- \||\]\([\w./#-]+\)", text)
    if broken:
        raise PluginError(f"{where}: not rendered: {text[broken.start() : broken.start() + 100]!r}")
    return output
