"""The repository, for its own tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "wiretight"
CORE = PACKAGE / "_core"


def sources(*suffixes: str, under: Path = PACKAGE) -> list[Path]:
    """Every file below `under` with one of these suffixes, but for what programs leave there."""
    found = (path for path in sorted(under.rglob("*")) if path.suffix in suffixes)
    return [path for path in found if "__pycache__" not in path.parts]


def meson_list(meson_build: Path, variable: str) -> list[str]:
    """The strings of `variable = ['a', 'b']` in a meson.build."""
    found = re.search(rf"^{variable} = \[(.*?)\]", meson_build.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{meson_build} has no list {variable}"
    return re.findall(r"'([^']+)'", found[1])


def module_name(path: Path) -> str:
    """Its name below wiretight: "_core.wire.wire". A package has the name of its folder; wiretight itself is ""."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class Function(NamedTuple):
    """One def, cdef or cpdef of a .pyx file."""

    keyword: str
    name: str
    line: int
    setter: bool
    docstring: str
    code: str  # its lines, without docstring and comments


DEFINITION = re.compile(r"( *)(def|cdef|cpdef) (?!class |struct |enum )[^=(]*?(\w+)\(")
DOCSTRING = re.compile(r'\s*"""(.*?)"""', re.DOTALL)


def functions(text: str) -> Iterator[Function]:
    """The functions of Cython source. It reads no grammar: indentation and balanced parentheses are enough here."""
    lines = [re.sub(r"(^|\s)#.*", "", line) for line in text.split("\n")]
    for number, line in enumerate(lines):
        found = DEFINITION.match(line)
        if not found:
            continue
        body = number + 1
        while (signature := " ".join(lines[number:body])).count("(") > signature.count(")") and body < len(lines):
            body += 1
        if not signature.rstrip().endswith(":"):
            continue  # a variable, or a declaration without a body
        end = body
        while end < len(lines) and (not lines[end].strip() or lines[end].startswith(found[1] + " ")):
            end += 1
        block = "\n".join(lines[body:end])
        docstring = DOCSTRING.match(block)
        code = block[docstring.end() :] if docstring else block
        setter = number > 0 and lines[number - 1].strip() == f"@{found[3]}.setter"
        yield Function(found[2], found[3], number + 1, setter, docstring[1] if docstring else "", code)
