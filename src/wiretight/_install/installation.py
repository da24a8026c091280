"""install() and uninstall(): the whole program's `ssl` becomes wiretight, and back again."""

from __future__ import annotations

import sys
from os import register_at_fork
from threading import RLock
from typing import Any, NamedTuple

from wiretight._install import import_hook, older_contexts
from wiretight._install.origins import chosen
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

# Until nothing is found: another thread may be in the middle of an import. But not for ever, should it go on like that.
_PASSES = 10

# Where a program may have put a function of its own, which then has to go on working (PEP 476).
_HOOKS = {
    "_create_default_https_context": "create_default_context",
    "_create_stdlib_context": "_create_unverified_context",
}


class Rebound(NamedTuple):
    """A name that stands for wiretight now: in `namespace`, where it was `before`, or nothing."""

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

        It looks through every loaded module, which takes a moment. Since 0.1.
        """
        return stale_references()

    def __repr__(self) -> str:
        return f"<wiretight is installed as ssl; {len(self.rebound)} references rebound>"


_lock = RLock()
_installation: Installation | None = None


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = RLock()  # another thread may have had it, and is not here


register_at_fork(after_in_child=_after_fork)


def install() -> Installation:
    """Makes wiretight this program's `ssl`: for what is imported later, and for what already was.

    Whatever a loaded module calls `ssl`, or has imported from it, stands for wiretight afterwards. What cannot be
    reached is said by `stale()` of the result: subclasses, default arguments and contexts made before, and extension
    modules. Call it first, before other imports, and nothing is. The standard module stays as it is, and contexts that
    it made, or that such leftovers make of it, go on working, and verifying: its SSLContext is made to take wiretight's
    MemoryBIOs too. It is for programs, not for libraries; a second call changes nothing.

    It is done as a whole or not at all: where an exception leaves it, everything is as it was. It asks no module for
    anything, so that none is loaded that loads itself when it is used.

    Raises RuntimeError where something else (gevent, eventlet, truststore, a tracer) has already put its own classes,
    functions or methods into `ssl`, which may be what verifies: call install() before it. Since 0.1.
    """
    global _installation  # noqa: PLW0603
    with _lock:
        if _installation is None:
            _refuse_a_patched_standard()
            installing = Installation()
            try:
                older_contexts.keep_working()
                _rebind_all(replacements(), installing.rebound)
                import_hook.install()
                _installation = installing
            except BaseException:
                _installation = None
                _take_back(installing)
                raise
        return _installation


def uninstall() -> None:
    """Gives the program the standard `ssl` back, also in modules that were imported, or half imported, meanwhile.

    A name that a module has from wiretight by wiretight's own name stays, and so does what others have put in place of
    what install() did. What was made with wiretight goes on working. Without install() it does nothing. Since 0.1.
    """
    global _installation  # noqa: PLW0603
    with _lock:
        if _installation is not None:
            _take_back(_installation)
            _installation = None


def _refuse_a_patched_standard() -> None:
    if HAS_STANDARD and standard.SSLContext.__module__ != "ssl":
        raise RuntimeError(
            f"ssl.SSLContext is that of {standard.SSLContext.__module__} already: call wiretight.install() before it"
        )
    if found := patches(kept=_HOOKS):
        raise RuntimeError(
            f"the program has replaced {', '.join(found)}, which would no longer be called:"
            " call wiretight.install() before that"
        )


def _own_names() -> OwnNames:
    """The names that stand for wiretight already, because a module wants it so."""
    ours = {id(new): (new, new) for _, new in replacements().values()}
    found = {}
    for _, namespace in namespaces():
        if own := {name for name, value in entries(namespace) if replacement(value, ours) is not None}:
            found[id(namespace)] = namespace, own  # itself, too: the number of one that is gone is given to another
    return found


def _rebind_all(found: Replacements, rebound: list[Rebound]) -> None:
    own, low_level = own_modules()
    # First, so that whatever another thread imports meanwhile gets the new one.
    for name, module in (("ssl", own), ("_ssl", low_level)):
        _rebind(rebound, "sys.modules", name, sys.modules, module)
    for name, default in _HOOKS.items() if HAS_STANDARD else ():
        hook = vars(standard).get(name)
        if hook is not None and hook is not vars(standard).get(default):
            _rebind(rebound, own.__name__, name, vars(own), replacement(hook, found) or hook)
    for _ in range(_PASSES):
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
    rebound.append(Rebound(module, name, namespace, namespace.get(name, _ABSENT), new))  # first: it may be interrupted
    namespace[name] = new


def _take_back(installation: Installation) -> None:
    import_hook.uninstall()
    # sys.modules comes first here, too.
    for _, name, namespace, before, now in installation.rebound:
        if namespace.get(name) is not now:
            continue
        if before is _ABSENT:
            del namespace[name]
        else:
            namespace[name] = before
    older_contexts.stop()
    backwards = {id(new): (new, old) for old, new in replacements().values()}
    for _ in range(_PASSES):
        if not _hand_back(backwards, installation.own):
            break


def _hand_back(backwards: Replacements, own: OwnNames) -> bool:
    """What has come to stand for wiretight since install() gets the standard objects; whether there was any."""
    handed_back = False
    for _, namespace in namespaces():
        mine = own.get(id(namespace), (namespace, set()))[1]
        found = {
            name: (value, old)
            for name, value in entries(namespace)
            if name not in mine and (old := replacement(value, backwards)) is not None
        }
        for name in found.keys() - chosen(namespace, set(found)) if found else ():
            value, old = found[name]
            if namespace.get(name) is value:
                namespace[name] = old
                handed_back = True
    return handed_back
