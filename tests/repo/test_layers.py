"""Imports run one way. The table below is the whole rule; ARCHITECTURE.md draws it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repo.source import CORE, PACKAGE, module_name, sources

# From the bottom up: a module may import from the lines below its own, not from its own line and not from above.
LAYERS = (
    {"_standard.typing", "_core.modules"},
    {"_standard.errors", "_tls.sendfile", "_standard.system", "_core.openssl", "_core.base.mutex", "_core"},
    {"_core.trust.places"},
    {"_core.base.tables", "_core.context.ciphers", "_core.x509.distrusted"},
    {"_core.base.errors", "_tls.enums"},
    {"_core.context.settings"},
    {"_core.context.defaults"},
    {
        "_core.wire.memorybio",
        "_core.base.random",
        "_core.x509.names",
        "_core.context.context",
        "_core.connection.backlog",
        "_core.wire.descriptor",
        "_core.wire.records",
        "_tls.constants",
    },
    {
        "_core.context.algorithms",
        "_core.wire.biopair",
        "_core.x509.certificate",
        "_core.session.terms",
        "_core.session.session",
    },
    {"_core.wire.wire"},
    {
        "_core.context.credentials",
        "_core.trust.trustedfile",
        "_core.connection.connection",
        "_core.connection.virtualhost",
    },
    {"_core.trust.truststore", "_core.callbacks.failures"},
    {"_core.connection.negotiated", "_core.callbacks.psk"},
    {"_core.callbacks.clienthello", "_core.drivers.driver"},
    {"_core.drivers.sslsocket"},
    {"_core.sslcontext", "_core.drivers.channel"},
    {"_tls.certificate", "_ssl"},
    {"_tls.negotiated", "_tls.streamonly"},
    {"_tls.overrides"},
    {"_tls.object", "_tls.socket"},
    {"_tls.context"},
    {"_tls.certificates", "_install.origins", "_install.references", "_tls.removed"},
    {"_asyncio", "_install.older_contexts"},
    {"_install.import_hook"},
    {"_install.installation"},
    {""},
    {"_cli", "asyncio"},
    {"__main__"},
)

# What else only one place may import.
ONLY = {
    "ssl": {"_standard.errors"},
    "_ssl": {"_core.context.defaults"},  # the defaults that this interpreter was built with
    "ctypes": set(),
    # "" only hands the name on.
    "socket": {"_tls.socket", "_tls.streamonly", "_asyncio", "_tls.certificates", "_cli", "asyncio", ""},
    "select": {"_cli"},
    "selectors": {"_cli"},
    "asyncio": {"_asyncio", "_cli", "asyncio"},
}

IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+)?c?import\s+(?:\(([^)]*)\)|(.+))$", re.MULTILINE)


def unit(name: str) -> str:
    """The entry of the table that a module belongs to: a folder listed there stands for its modules."""
    for folder in ("_asyncio", "_cli", "_core.openssl"):
        if name == folder or name.startswith(folder + "."):
            return folder
    return name


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.is_dir() or any(path.with_suffix(suffix).exists() for suffix in (".py", ".pyx", ".pxd"))


def from_imports(module: str, names: list[str]) -> Iterator[str]:
    """What `from module import names` depends on: its submodules, where the names are such."""
    for name in names:
        yield f"{module}.{name}" if is_module(f"{module}.{name}") else module


def python_imports(path: Path) -> Iterator[str]:
    """The modules that a Python file imports when it runs: what only a type checker reads is no dependency."""
    tree = ast.parse(path.read_text(), str(path))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
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


def imports(path: Path) -> set[str]:
    return set(python_imports(path) if path.suffix in (".py", ".pyi") else cython_imports(path))


FILES = sources(".py", ".pyx", ".pxd", ".pyi")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_the_layers_below_it(path: Path) -> None:
    own = unit(module_name(path))
    layers = {name: height for height, line in enumerate(LAYERS) for name in line}
    assert own in layers, f"wiretight.{own} is in no line of LAYERS: decide where it belongs"
    for imported in imports(path):
        if imported != "wiretight" and not imported.startswith("wiretight."):
            continue
        other = unit(imported.removeprefix("wiretight").removeprefix("."))
        assert other in layers, f"{path.name} imports {imported}, which is in no line of LAYERS"
        assert other == own or layers[other] < layers[own], f"{path.name} imports {imported}, which is not below it"


@pytest.mark.parametrize("module", ONLY)
def test_only_its_own_place_imports(module: str) -> None:
    importers = {unit(module_name(path)) for path in FILES if path.suffix != ".pyi" and module in imports(path)}
    assert importers <= ONLY[module]


def test_only_the_core_knows_openssl() -> None:
    knowing = [path for path in sources(".pyx", ".pxd", ".h") if "openssl" in path.read_text().lower()]
    assert knowing
    assert all(CORE in path.parents for path in knowing)


def test_the_table_names_no_module_that_does_not_exist() -> None:
    existing = {unit(module_name(path)) for path in FILES} | {""}
    assert set().union(*LAYERS) <= existing


def test_the_reader_of_cython_source_sees_every_kind_of_import(tmp_path: Path) -> None:
    source = tmp_path / "source.pyx"
    source.write_text(
        "import os\n"
        "from libc.string cimport memcpy  # not memmove\n"
        "from wiretight._core cimport errors, tables\n"
        "from wiretight._core.openssl.ssl cimport (\n    SSL, SSL_CTX,\n)\n"
        "cimport cython\n"
    )
    core = {"wiretight._core.base.errors", "wiretight._core.base.tables", "wiretight._core.openssl.ssl"}
    assert imports(source) == core | {"os", "libc.string", "cython"}
