"""install() and uninstall(): make wiretight the whole program's `ssl`, and revert that."""

from __future__ import annotations

import sys
from os import register_at_fork
from threading import RLock
from typing import Any, NamedTuple

from wiretight._install import import_hook, older_contexts
from wiretight._install.origins import from_wiretight
from wiretight._install.patches import patches
from wiretight._install.references import (
    Stale,
    entries,
    namespaces,
    own_modules,
    replacement,
    replacements,
    stale_references,
)
from wiretight._standard.errors import HAS_STANDARD, standard

Replacements = dict[int, tuple[Any, Any]]
OwnNames = dict[int, tuple[dict[str, Any], set[str]]]  # a namespace by its id, and its names

_ABSENT = object()

# Passes are repeated until one finds nothing, because other threads may be importing, but not forever.
_MAX_PASSES = 10

# Names that a program may have set to its own function, which must stay in effect (PEP 476).
_HOOKS = {
    "_create_default_https_context": "create_default_context",
    "_create_stdlib_context": "_create_unverified_context",
}


class Rebound(NamedTuple):
    """A name in `namespace` that now refers to wiretight, and what it referred to before, if anything."""

    module: str
    name: str
    namespace: dict[str, Any]
    before: Any
    now: Any


class Installation:
    """What install() did. Since 0.1."""

    def __init__(self) -> None:
        self.rebound: list[Rebound] = []
        self.own: OwnNames = _own_names()

    def stale(self) -> list[Stale]:
        """References to the standard `ssl` that install() could not reach, as `python -m wiretight doctor` lists them.

        It searches every loaded module, which takes a moment. Since 0.1.
        """
        return stale_references()

    def __repr__(self) -> str:
        return f"<wiretight is installed as ssl; {len(self.rebound)} references rebound>"


_lock = RLock()
_installation: Installation | None = None


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = RLock()  # a thread of the parent may have held the old one


register_at_fork(after_in_child=_after_fork)


def install() -> Installation:
    """Makes wiretight this program's `ssl`, for modules imported later and for those already loaded.

    In loaded modules, names for `ssl` and for what they imported from it refer to wiretight afterwards. `stale()` of
    the result lists what cannot be reached: earlier subclasses, default arguments and contexts, and extension modules.
    Called first, before other imports, it reaches everything. The standard module stays as it is, and its contexts,
    earlier ones and those that such leftovers create, keep working, and verifying: its SSLContext is made to accept
    wiretight's MemoryBIOs too. It is for programs, not for libraries; a second call changes nothing.

    It takes effect as a whole or not at all: an exception leaves everything as it was. It accesses no attribute of a
    module, so that lazy modules are not loaded.

    Raises RuntimeError where something else (gevent, eventlet, truststore, a tracer) has already put its own classes,
    functions or methods into `ssl`, which may be what verifies: call install() before it. Since 0.1.
    """
    global _installation  # noqa: PLW0603
    with _lock:
        if _installation is None:
            _check_unpatched()
            installing = Installation()
            try:
                older_contexts.install()
                _rebind_all(replacements(), installing.rebound)
                import_hook.install()
                _installation = installing
            except BaseException:
                _installation = None
                _revert(installing)
                raise
        return _installation


def uninstall() -> None:
    """Restores the standard `ssl`, also in modules that were imported, or partly imported, meanwhile.

    Names that a module imported from `wiretight` itself stay, and so do those that others have replaced after
    install(). Existing contexts and connections of wiretight keep working. Without install() it does nothing.
    Since 0.1.
    """
    global _installation  # noqa: PLW0603
    with _lock:
        if _installation is not None:
            _revert(_installation)
            _installation = None


def _check_unpatched() -> None:
    if HAS_STANDARD and standard.SSLContext.__module__ != "ssl":
        raise RuntimeError(
            f"{standard.SSLContext.__module__} has already replaced ssl.SSLContext: call wiretight.install() before it"
        )
    if found := patches(kept=_HOOKS):
        raise RuntimeError(
            f"the program has replaced {', '.join(found)}, which would no longer be called:"
            " call wiretight.install() before that"
        )


def _own_names() -> OwnNames:
    """The names that already refer to wiretight, because a module imported it."""
    ours = {id(new): (new, new) for _, new in replacements().values()}
    found = {}
    for _, namespace in namespaces():
        if own := {name for name, value in entries(namespace) if replacement(value, ours) is not None}:
            found[id(namespace)] = namespace, own  # keeps it alive, so that its id is not reused
    return found


def _rebind_all(found: Replacements, rebound: list[Rebound]) -> None:
    own, low_level = own_modules()
    # First, so that imports in other threads get the new one meanwhile.
    for name, module in (("ssl", own), ("_ssl", low_level)):
        _rebind(rebound, "sys.modules", name, sys.modules, module)
    for name, default in _HOOKS.items() if HAS_STANDARD else ():
        hook = vars(standard).get(name)
        if hook is not None and hook is not vars(standard).get(default):
            _rebind(rebound, own.__name__, name, vars(own), replacement(hook, found) or hook)
    for _ in range(_MAX_PASSES):
        if not _rebind_globals(found, rebound):
            break


def _rebind_globals(found: Replacements, rebound: list[Rebound]) -> bool:
    count = len(rebound)
    for module_name, namespace in namespaces():
        for name, value in entries(namespace):
            new = replacement(value, found)
            if new is not None and namespace.get(name) is value:
                _rebind(rebound, module_name, name, namespace, new)
    return len(rebound) > count


def _rebind(rebound: list[Rebound], module: str, name: str, namespace: dict[str, Any], new: Any) -> None:
    rebound.append(Rebound(module, name, namespace, namespace.get(name, _ABSENT), new))  # first, for an interrupt
    namespace[name] = new


def _revert(installation: Installation) -> None:
    import_hook.uninstall()
    # sys.modules first here, too.
    for _, name, namespace, before, now in installation.rebound:
        if namespace.get(name) is not now:
            continue
        if before is _ABSENT:
            del namespace[name]
        else:
            namespace[name] = before
    older_contexts.uninstall()
    backwards = {id(new): (new, old) for old, new in replacements().values()}
    for _ in range(_MAX_PASSES):
        if not _restore_standard(backwards, installation.own):
            break


def _restore_standard(backwards: Replacements, own: OwnNames) -> bool:
    """Restores the standard objects in names bound to wiretight since install(). Returns whether it found any."""
    restored = False
    for _, namespace in namespaces():
        mine = own.get(id(namespace), (namespace, set()))[1]
        found = {
            name: (value, old)
            for name, value in entries(namespace)
            if name not in mine and (old := replacement(value, backwards)) is not None
        }
        for name in found.keys() - from_wiretight(namespace, set(found)) if found else ():
            value, old = found[name]
            if namespace.get(name) is value:
                namespace[name] = old
                restored = True
    return restored
