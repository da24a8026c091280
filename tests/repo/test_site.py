"""The site has every page, and every link of a page leads somewhere: what `scripts/docs` finds, without building it."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

import wiretight
import wiretight.asyncio
import wiretight.selectors
from tests.repo.source import ROOT


def loaded(path: Path) -> ModuleType:
    """A module of tools/, which is no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


links = loaded(ROOT / "tools" / "documentation" / "links.py")

DOCS = sorted((ROOT / "docs").rglob("*.md"))
SOURCES = [path.relative_to(ROOT).as_posix() for path in (*DOCS, *(ROOT / source for source in links.OUTSIDE.values()))]
NAV = re.findall(r"([\w./-]+\.md)$", (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2], re.MULTILINE)


def targets(source: str) -> list[str]:
    """Where the page's links lead: paths from the root of the repository, with fragments."""
    found: list[str] = []

    def note(label: str, target: str, picture: bool) -> str:
        if links.is_relative(target):
            found.append("".join(links.resolved(target, source)))
        elif target.startswith("#"):
            found.append(source + target)
        return ""

    links.with_links((ROOT / source).read_text(encoding="utf-8"), note)
    return found


def anchors(source: str) -> set[str]:
    """The ids of a page's headings, as GitHub and the site make them."""
    made: set[str] = set()
    for line, is_prose in links.outside_fences((ROOT / source).read_text(encoding="utf-8")):
        if is_prose and re.match(r"#+ ", line):
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", line.lstrip("# ").strip())
            made.add(re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))
            made |= set(re.findall(r"\{ *#([\w-]+) *\}", line))
    return made


def test_every_page_is_in_the_navigation_once() -> None:
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in DOCS} | links.OUTSIDE.keys() | {links.CHANGELOG}
    assert sorted(NAV) == sorted(pages)


@pytest.mark.parametrize("source", SOURCES)
def test_every_link_of_a_page_leads_somewhere(source: str) -> None:
    for target in targets(source):
        path, _, fragment = target.partition("#")
        assert (ROOT / path).exists(), f"{source}: there is no {path}"
        if fragment and path.endswith(".md"):
            assert fragment in anchors(path), f"{source}: {path} has no heading #{fragment}"


def test_a_picture_of_a_page_is_one_that_the_site_has() -> None:
    for source in SOURCES:
        for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (ROOT / source).read_text(encoding="utf-8")):
            assert re.search(r"bench/results/[\w-]+\.png$|assets/", path), f"{source}: {path}"


def test_on_a_package_index_no_link_of_the_readme_is_relative() -> None:
    page = links.for_an_index((ROOT / "README.md").read_text(encoding="utf-8"), "README.md")
    left: list[str] = []
    links.with_links(page, lambda label, target, picture: left.append(target) or "")
    assert left
    assert [target for target in left if not re.match(r"https://|#", target)] == []


def test_with_an_address_of_the_repository_the_readme_of_an_index_links_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "source_url", lambda: "https://example.org/wiretight")
    readme = "[a](docs/a.md#b), `[c](c.md)`\n![p](bench/p.png)\n\n    [d](d.md)\n\n[e](https://example.com/) [f](#f)\n"
    assert links.for_an_index(readme, "README.md") == (
        "[a](https://example.org/wiretight/blob/main/docs/a.md#b), `[c](c.md)`\n"
        "![p](https://example.org/wiretight/raw/main/bench/p.png)\n\n"
        "    [d](d.md)\n\n[e](https://example.com/) [f](#f)\n"
    )


def test_without_an_address_the_label_of_a_link_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "source_url", lambda: None)
    assert links.for_an_index("see [docs/a.md](docs/a.md)\n![p](p.png)\n", "README.md") == "see docs/a.md\n\n"


def test_every_diagram_can_be_drawn() -> None:
    diagrams = loaded(ROOT / "tools" / "documentation" / "diagrams.py")
    drawn = [
        diagrams.graph(found)
        for path in DOCS
        for found in re.findall(r"^```mermaid\n(.*?)^```$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    ]
    assert len(drawn) >= 2
    assert all("->" in graph for graph in drawn)
    with pytest.raises(ValueError, match="no state and no transition"):
        diagrams.graph("stateDiagram-v2\nnote left of OPEN")


# --- The reference ----------------------------------------------------------------------------------------------------

REFERENCE = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "reference").glob("*.md"))
ON_A_PAGE = set(re.findall(r"^::: wiretight\.(\w+)$", REFERENCE, re.MULTILINE)) | set(re.findall(r"`(\w+)`", REFERENCE))
INTERNAL = {"HAS_STANDARD", "TYPE_CHECKING"}  # imported for the package itself


def test_every_public_name_is_on_a_page_of_the_reference() -> None:
    lazy = wiretight._LAZY
    names = {name for name in {*vars(wiretight), *lazy} if not name.startswith("_")} - INTERNAL
    assert "VerifyCode" in names
    assert names - ON_A_PAGE - {"asyncio", "selectors"} == set()


def test_every_public_name_of_a_submodule_is_on_a_page_of_the_reference() -> None:
    listed = set(re.findall(r"^ +- (\w+)$", REFERENCE, re.MULTILINE)) | ON_A_PAGE
    assert {*wiretight.asyncio.__all__, *wiretight.selectors.__all__} - listed == set()
