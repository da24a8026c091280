"""Imports run one way. The table below is the whole rule; ARCHITECTURE.md draws it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.repo.source import CORE, PACKAGE, module_name, sources

# From the bottom up: a room may import from the lines below its own, not from another of its line and not from above.
LAYERS = (
    {"_core.openssl", "_standard"},
    {"_core"},
    {"_core.base"},
    {"_core.wire"},
    {"_core.x509"},
    {"_core.context"},
    {"_core.trust"},
    {"_core.session"},
    {"_core.connection"},
    {"_core.callbacks", "_core.drivers"},
    {"_core.sslcontext"},
    {"_tls"},
    {"_asyncio", "_ssl", "selectors"},
    {"_install", "asyncio"},
    {""},
    {"_cli", "_pyinstaller"},
    {"__main__"},
)

# What else only one place may import.
ONLY = {
    "ssl": {"_standard.errors"},
    "_ssl": {"_core.context.defaults"},  # the defaults that this interpreter was built with
    "ctypes": set(),
    # "" only hands the name on.
    "socket": {"_standard.system", "_tls", "_asyncio", "_cli", "asyncio", ""},
    "select": {"_cli"},
    "selectors": {"_cli", "selectors"},
    "asyncio": {"_asyncio", "_cli", "_install", "asyncio"},
}

# Circles for a type checker alone. A context makes connections, and a connection has a `context`, whose type a program
# relies on: `connection.context.handshake_timeout` is ours; and openmetrics() takes contexts. A ClientHello has
# fingerprints, which are made of it.
# ARCHITECTURE.md says so.
FOR_CHECKERS = {
    ("_tls.fingerprints", "_tls.clienthello"),
    ("_tls.object", "_tls.context"),
    ("_tls.openmetrics", "_tls.context"),
    ("_tls.socket", "_tls.context"),
}

IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+)?c?import\s+(?:\(([^)]*)\)|(.+))$", re.MULTILINE)


def room(name: str) -> str:
    """The entry of the table that a module belongs to: a folder, or the module itself if it is in none."""
    top, _, rest = name.partition(".")
    if top != "_core":
        return top
    return f"{top}.{rest.partition('.')[0]}" if rest else top


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.is_dir() or any(path.with_suffix(suffix).exists() for suffix in (".py", ".pyx", ".pxd"))


def from_imports(module: str, names: list[str]) -> Iterator[str]:
    """What `from module import names` depends on: its submodules, where the names are such."""
    for name in names:
        yield f"{module}.{name}" if is_module(f"{module}.{name}") else module


def python_imports(path: Path, *, typing: bool) -> Iterator[str]:
    """The modules that a Python file imports; with `typing` also those that it imports for a type checker alone."""
    tree = ast.parse(path.read_text(), str(path))
    for_checkers = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in for_checkers and not typing:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}:{node.lineno}: a relative import"
            assert not node.level, f"{path}:{node.lineno}: a relative import"
            yield from from_imports(node.module, [alias.name for alias in node.names])


def cython_imports(path: Path) -> Iterator[str]:
    for module, several, rest in IMPORT.findall(path.read_text()):
        names = [part.split()[0] for part in re.sub(r"#.*", "", several or rest).split(",") if part.split()]
        yield from from_imports(module, names) if module else names


def imports(path: Path, *, typing: bool = True) -> set[str]:
    return set(python_imports(path, typing=typing) if path.suffix in {".py", ".pyi"} else cython_imports(path))


def own_imports(path: Path) -> set[str]:
    """Those of wiretight, by their names below it."""
    found = (name for name in imports(path) if name == "wiretight" or name.startswith("wiretight."))
    return {name.removeprefix("wiretight").removeprefix(".") for name in found} - {module_name(path)}


FILES = sources(".py", ".pyx", ".pxd", ".pyi")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_from_the_layers_below_it(path: Path) -> None:
    own = room(module_name(path))
    layers = {name: height for height, line in enumerate(LAYERS) for name in line}
    assert own in layers, f"wiretight.{own} is in no line of LAYERS: decide where it belongs"
    for imported in own_imports(path):
        other = room(imported)
        assert other in layers, f"{path.name} imports {imported}, which is in no line of LAYERS"
        assert other == own or layers[other] < layers[own], f"{path.name} imports {imported}, which is not below it"


def test_no_module_imports_itself_through_others() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        own = module_name(path)
        graph.setdefault(own, set()).update(other for other in own_imports(path) if (own, other) not in FOR_CHECKERS)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' < '.join(error.args[1])}")


def test_imports_for_type_checkers_are_not_run_time_imports() -> None:
    files = {module_name(path): path for path in FILES if path.suffix == ".py"}
    for module, imported in FOR_CHECKERS:
        assert f"wiretight.{imported}" in imports(files[module])
        assert f"wiretight.{imported}" not in imports(files[module], typing=False)


@pytest.mark.parametrize("module", ONLY)
def test_only_its_own_room_imports(module: str) -> None:
    importers = {module_name(path) for path in FILES if path.suffix != ".pyi" and module in imports(path, typing=False)}
    assert all(name in ONLY[module] or room(name) in ONLY[module] for name in importers), importers


def test_what_was_negotiated_needs_no_wire() -> None:
    below = {"connection", "negotiated", "peer", "resumption", "virtualhost"}
    paths = [path for path in FILES if module_name(path) in {f"_core.connection.{name}" for name in below}]
    paths += [path for path in FILES if room(module_name(path)) == "_core.callbacks"]
    needed = {name for path in paths for name in own_imports(path)}
    assert {name for name in needed if name.startswith("_core.wire.")} == {"_core.wire.descriptor"}
    assert not needed & {"_core.connection.backlog", "_core.connection.stream"}


def test_only_the_core_knows_openssl() -> None:
    knowing = [path for path in sources(".pyx", ".pxd", ".h") if "openssl" in path.read_text().lower()]
    assert knowing
    assert all(CORE in path.parents for path in knowing)


def test_the_table_names_no_room_that_does_not_exist() -> None:
    existing = {room(module_name(path)) for path in FILES} | {""}
    assert set().union(*LAYERS) <= existing


def test_the_reader_of_cython_source_sees_every_kind_of_import(tmp_path: Path) -> None:
    source = tmp_path / "source.pyx"
    source.write_text(
        "import os\n"
        "from libc.string cimport memcpy  # not memmove\n"
        "from wiretight._core.base cimport errors, tables\n"
        "from wiretight._core.openssl.ssl cimport (\n    SSL, SSL_CTX,\n)\n"
        "cimport cython\n"
    )
    core = {"wiretight._core.base.errors", "wiretight._core.base.tables", "wiretight._core.openssl.ssl"}
    assert imports(source) == core | {"os", "libc.string", "cython"}
