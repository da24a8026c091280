"""Where a module's names come from, as its source says: from `ssl`, or from wiretight by its own name."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

_STANDARD = ("ssl", "_ssl")


def chosen(namespace: dict[str, Any], names: set[str]) -> set[str]:
    """Those of `names`, all of which stand for something of wiretight, that the module has asked wiretight for.

    Where its source names wiretight, these are all but what it plainly imports from `ssl`. Since 0.1.
    """
    source = _source(namespace)
    if "wiretight" not in source:
        return names & {"wiretight"}
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return names
    of_ssl = set(_imported(tree, _STANDARD))
    others = set(_imported(tree, ("wiretight",)))
    others.update(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))
    return names if "*" in others else names - (names if "*" in of_ssl else of_ssl) | names & others


def _imported(tree: ast.AST, packages: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                package = alias.name.partition(".")[0]
                if package in packages:
                    yield alias.asname or package
        elif isinstance(node, ast.ImportFrom) and not node.level and str(node.module).partition(".")[0] in packages:
            for alias in node.names:
                yield alias.asname or alias.name


def _source(namespace: dict[str, Any]) -> Any:
    spec: Any = namespace.get("__spec__")
    loader: Any = namespace.get("__loader__") if spec is None else spec.loader  # a script has no spec
    try:
        return loader.get_source(namespace["__name__"] if spec is None else spec.name) or ""
    except Exception:  # whatever a loader of somebody's raises
        return ""
