"""The origins of a module's names according to its source: `ssl`, or `wiretight` by name."""

from __future__ import annotations

from ast import AST, Constant, Expr, Import, ImportFrom, Name, Store, dump, parse, walk
from collections.abc import Iterator
from typing import Any

_STANDARD = ("ssl", "_ssl")


def from_wiretight(namespace: dict[str, Any], names: set[str]) -> set[str]:
    """Those of `names`, all of which refer to wiretight's objects, that the module imported from wiretight by name.

    If its source mentions wiretight, these are all but those that it clearly imports from `ssl`. Since 0.1.
    """
    source = _source(namespace)
    if "wiretight" not in source:
        return names & {"wiretight"}
    try:
        tree = parse(source)
        if "wiretight" not in _said(tree):
            return names & {"wiretight"}
    except (SyntaxError, ValueError, RecursionError):
        return names
    of_ssl = set(_imported(tree, _STANDARD))
    others = set(_imported(tree, ("wiretight",)))
    others.update(node.id for node in walk(tree) if isinstance(node, Name) and isinstance(node.ctx, Store))
    if "*" in others:
        return names
    return (names - (names if "*" in of_ssl else of_ssl)) | (names & others)


def _said(tree: AST) -> str:
    """Everything in a program but its comments and documentation."""
    for node in walk(tree):
        if isinstance(node, Expr) and isinstance(node.value, Constant):
            node.value.value = None
    return dump(tree)


def _imported(tree: AST, packages: tuple[str, ...]) -> Iterator[str]:
    for node in walk(tree):
        if isinstance(node, Import):
            for alias in node.names:
                package = alias.name.partition(".")[0]
                if package in packages:
                    yield alias.asname or package
        elif isinstance(node, ImportFrom) and not node.level and str(node.module).partition(".")[0] in packages:
            for alias in node.names:
                yield alias.asname or alias.name


def _source(namespace: dict[str, Any]) -> Any:
    spec: Any = namespace.get("__spec__")
    loader: Any = namespace.get("__loader__") if spec is None else spec.loader  # a script has no spec
    try:
        return loader.get_source(namespace["__name__"] if spec is None else spec.name) or ""
    except Exception:  # a foreign loader may raise anything
        return ""
