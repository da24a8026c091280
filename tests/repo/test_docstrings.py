"""Every public name documents its meaning and first version; every native function, its OpenSSL manual page."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import wiretight
from tests.repo.source import CORE, functions, sources

SINCE = re.compile(r"\bSince \d+\.\d+\b")
MANUAL_PAGE = re.compile(r"OpenSSL: \w+\(\d\w*\)")

# Called by the interpreter: the class has the docstring.
DUNDER = re.compile(r"__\w+__")

# Reading the error queue and giving things back is part of every function: no page of it helps a reader.
UPKEEP = re.compile(r"ERR_\w+|OPENSSL_free|\w+_free|\w+_up_ref|\w+_pop_free")


def ours(value: Any) -> bool:
    """Not the standard library's own objects, which wiretight re-exports with their own documentation."""
    return str(getattr(value, "__module__", "")).startswith("wiretight")


def public_objects() -> Iterator[tuple[str, Any]]:
    public = [name for name in vars(wiretight) if not name.startswith("_")]
    for name in (*public, "install", "uninstall"):
        value = getattr(wiretight, name)
        if not ours(value) or not (inspect.isclass(value) or callable(value)):
            continue
        yield name, value
        if inspect.isclass(value):
            for base in value.__mro__:
                if ours(base):
                    members = {n: m for n, m in vars(base).items() if not n.startswith("_") and n in dir(value)}
                    yield from ((f"{name}.{n}", m) for n, m in members.items() if callable(m) or is_descriptor(m))


def is_descriptor(member: Any) -> bool:
    return isinstance(member, (property, classmethod, staticmethod)) or inspect.isdatadescriptor(member)


def native_functions() -> list[Any]:
    """The Python-visible functions of the core that call OpenSSL. A setter shares its getter's docstring."""
    declarations = "\n".join(path.read_text() for path in sources(".pxd", under=CORE / "openssl"))
    openssl = {name for name in re.findall(r"\b([A-Za-z]\w*_\w+)\s*\(", declarations) if not UPKEEP.fullmatch(name)}
    return [
        pytest.param(path, function, id=f"{path.name}:{function.name}")
        for path in sources(".pyx", under=CORE)
        for function in functions(path.read_text())
        if function.keyword != "cdef" and not function.setter and not DUNDER.fullmatch(function.name)
        if openssl.intersection(re.findall(r"\b(\w+)\(", function.code))
    ]


@pytest.mark.parametrize(("name", "value"), list(public_objects()))
def test_a_public_name_has_a_docstring_and_its_first_version(name: str, value: Any) -> None:
    documentation = inspect.getdoc(getattr(value, "__func__", value)) or ""  # of a class method, the function's
    assert documentation, f"wiretight.{name} has no docstring"
    assert SINCE.search(documentation), f"the docstring of wiretight.{name} does not say since when: 'Since 0.1.'"


@pytest.mark.parametrize(("path", "function"), native_functions())
def test_a_native_function_names_its_manual_page(path: Path, function: Any) -> None:
    assert MANUAL_PAGE.search(function.docstring), (
        f"{path}:{function.line}: {function.name} calls OpenSSL; "
        "end its docstring with the manual page, in a line like 'OpenSSL: SSL_read_ex(3)'"
    )


def test_the_reader_of_cython_source_finds_functions_and_what_they_call() -> None:
    source = '''
cdef int count(const char *text,
               int size) except -1:
    """Counts.

    OpenSSL: SSL_count(3)
    """
    return SSL_count(text)      # not SSL_other(text)

cdef int value = number(1)

cdef class Thing(Base):
    @property
    def name(self):
        return SSL_name()

    @name.setter
    def name(self, value):
        SSL_set_name(value)
'''
    count, name, set_name = functions(source)
    assert (count.keyword, count.name, count.setter) == ("cdef", "count", False)
    assert (name.keyword, name.name, name.setter) == ("def", "name", False)
    assert (set_name.keyword, set_name.name, set_name.setter) == ("def", "name", True)
    assert "SSL_count(3)" in count.docstring
    assert "SSL_count(text)" in count.code
    assert "SSL_other" not in count.code
    assert not name.docstring
    assert "SSL_name()" in name.code
