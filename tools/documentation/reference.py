"""What the reference shows beside the source: docstrings of the native core, and links to where a fact comes from.

A .pyi file of the core has the types and no docstrings: those are asked of the installed package. mkdocs.yml names this
file as an extension of griffe, which reads the rest from the source.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from pathlib import Path
from typing import Any

import griffe

MANUAL = "https://docs.openssl.org/3.5/man3"
PAGES: dict[str, str] = json.loads(Path(__file__).with_name("manual-pages.json").read_text(encoding="utf-8"))

SIGNATURE = re.compile(r"\w+(?:\.\w+)*\(.*\).*\n*")  # that Cython writes before a docstring


def linked(text: str) -> str:
    """The docstring with links to OpenSSL's manual, to RFCs, to issues and to the standard library."""

    def manual_page(found: re.Match[str]) -> str:
        page = PAGES.get(found[1])
        return f"[{found[0]}]({MANUAL}/{page}/)" if page else found[0]

    def rfc(found: re.Match[str]) -> str:
        place = f"#section-{found[2]}" if found[2] else f"#appendix-{found[3]}" if found[3] else ""
        return f"[{found[0]}](https://www.rfc-editor.org/rfc/rfc{found[1]}{place})"

    text = re.sub(r"(?<![\[\w])(\w+)\(3\)", manual_page, text)
    text = re.sub(r"RFC (\d+)(?:,? section ([\d.]*\d)|, appendix ([A-Z][\d.]*\d|[A-Z]))?", rfc, text)
    text = re.sub(r"(?<!\[)\b(python/cpython|openssl/openssl)#(\d+)", r"[\1#\2](https://github.com/\1/issues/\2)", text)
    text = re.sub(r"`(ssl\.[A-Z][\w.]*)`", r"[`\1`](https://docs.python.org/3/library/ssl.html#\1)", text)
    text = re.sub(r"`(asyncio\.\w+)`", r"[`\1`](https://docs.python.org/3/library/asyncio-stream.html#\1)", text)
    return re.sub(
        r"`(loop\.\w+)`", r"[`\1`](https://docs.python.org/3/library/asyncio-eventloop.html#asyncio.\1)", text
    )


def document(described: griffe.Object | griffe.Alias, thing: Any) -> None:
    """Gives what has no docstring in its stub the one that it has when the program runs."""
    for name, member in described.members.items():
        if member.is_alias or not hasattr(thing, name):
            continue
        value = getattr(thing, name)
        if member.is_class:
            document(member, value)
        text = inspect.getdoc(value) if member.is_class or callable(value) or inspect.isdatadescriptor(value) else None
        if text and not member.docstring:
            found = SIGNATURE.match(text)
            member.docstring = griffe.Docstring(text[found.end() :] if found else text, parent=member)


def with_links(described: griffe.Object | griffe.Alias) -> None:
    """Links in every docstring below."""
    for member in described.members.values():
        if member.is_alias:
            continue
        if member.docstring:
            member.docstring.value = linked(member.docstring.value)
        with_links(member)


class Reference(griffe.Extension):
    """The extension: griffe calls it for each package that it has read."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Completes wiretight."""
        if pkg.name != "wiretight":
            return
        for module in self._stubs(pkg):
            document(module, importlib.import_module(module.path))
        self._add_exceptions(pkg)
        with_links(pkg)

    def _add_exceptions(self, package: griffe.Module) -> None:
        """As type checkers see them: when a program runs, the instances alone have more than those of `ssl`."""
        file = Path(str(package.filepath)).parent / "_tls" / "exceptions.py"
        code = file.read_text(encoding="utf-8").partition("\nelse:\n")[0]
        for name, member in griffe.visit(package.path, filepath=file, code=code, parent=package).members.items():
            if isinstance(member, griffe.Class):
                package.set_member(name, member)

    def _stubs(self, package: griffe.Module) -> list[griffe.Module]:
        found = []
        for module in package.members.values():
            if module.is_alias or not isinstance(module, griffe.Module):
                continue
            if isinstance(module.filepath, Path) and module.filepath.suffix == ".pyi":
                found.append(module)
            found += self._stubs(module)
        return found
