"""install() and uninstall(): the whole program's `ssl` becomes wiretight, and back again."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from wiretight import _loops
from wiretight._errors import HAS_STANDARD, standard
from wiretight._older import keep_working
from wiretight._references import Stale, namespaces, own_modules, replacement, replacements, stale_references

# Where a program may have put a function of its own, which then has to go on working (PEP 476).
_HOOKS = {
    "_create_default_https_context": "create_default_context",
    "_create_stdlib_context": "_create_unverified_context",
}


class Rebound(NamedTuple):
    """A name that stands for wiretight now: in `namespace`, it was `before`."""

    module: str
    name: str
    namespace: dict[str, Any]
    before: Any
    now: Any


@dataclass(frozen=True)
class Installation:
    """What install() did. Since 0.1."""

    rebound: tuple[Rebound, ...]
    loaded: frozenset[str]

    def stale(self) -> list[Stale]:
        """References to the standard `ssl` that install() could not reach, as `python -m wiretight doctor` lists them.

        It looks through every loaded module, which takes a moment. Since 0.1.
        """
        return stale_references()

    def __repr__(self) -> str:
        return f"<wiretight is installed as ssl; {len(self.rebound)} references rebound>"


_lock = threading.RLock()
_installation: Installation | None = None


def install() -> Installation:
    """Makes wiretight this program's `ssl`: for what is imported later, and for what already was.

    Whatever a loaded module calls `ssl`, or has imported from it, stands for wiretight afterwards. The standard module
    itself is not changed, and contexts that it made go on working, and verifying. What cannot be reached is said by
    `stale()` of the result: subclasses, default arguments and contexts made before, and extension modules. Call it
    first, before other imports, and nothing is. It is for programs, not for libraries; a second call changes nothing.

    Raises RuntimeError where something else (gevent, eventlet, truststore) has already put its own classes into `ssl`:
    call install() before it. Since 0.1.
    """
    global _installation  # noqa: PLW0603
    with _lock:
        if _installation is None:
            _refuse_a_patched_standard()
            loaded = frozenset(sys.modules)
            keep_working()
            _installation = Installation(tuple(_rebind_all(replacements())), loaded)
            _loops.install()
        return _installation


def uninstall() -> None:
    """Gives the program the standard `ssl` back, also in the modules that were imported after install().

    What was made with wiretight goes on working. Without install() it does nothing. Since 0.1.
    """
    global _installation  # noqa: PLW0603
    with _lock:
        if _installation is None:
            return
        _loops.uninstall()
        for rebound in reversed(_installation.rebound):
            if rebound.namespace.get(rebound.name) is not rebound.now:
                continue
            if rebound.before is None:
                del rebound.namespace[rebound.name]
            else:
                rebound.namespace[rebound.name] = rebound.before
        _hand_back(_installation.loaded)
        _installation = None


def _refuse_a_patched_standard() -> None:
    if HAS_STANDARD and standard.SSLContext.__module__ != "ssl":
        raise RuntimeError(
            f"ssl.SSLContext is that of {standard.SSLContext.__module__} already: call wiretight.install() before it"
        )


def _rebind_all(replacements: dict[int, tuple[Any, Any]]) -> Iterator[Rebound]:
    own, low_level = own_modules()
    # First, so that whatever another thread imports meanwhile gets the new one.
    for name, module in (("ssl", own), ("_ssl", low_level)):
        yield _rebind("sys.modules", name, sys.modules, module)
    for name, default in _HOOKS.items() if HAS_STANDARD else ():
        hook = getattr(standard, name)
        if hook is not getattr(standard, default):
            yield _rebind(own.__name__, name, vars(own), replacement(hook, replacements) or hook)
    for module_name, namespace in namespaces():
        for name, value in namespace.copy().items():
            new = replacement(value, replacements)
            if new is not None and namespace.get(name) is value:
                yield _rebind(module_name, name, namespace, new)


def _rebind(module: str, name: str, namespace: dict[str, Any], new: Any) -> Rebound:
    before = namespace.get(name)
    namespace[name] = new
    return Rebound(module, name, namespace, before, new)


def _hand_back(loaded: frozenset[str]) -> None:
    """Modules imported since install() get the standard objects, unless they ask for wiretight by its name."""
    backwards = {id(new): (new, old) for old, new in replacements().values()}
    for module_name, namespace in namespaces():
        if module_name in loaded:
            continue
        found = {
            name: old for name, value in namespace.copy().items() if (old := replacement(value, backwards)) is not None
        }
        if found and "wiretight" not in _source(namespace):
            namespace.update(found)


def _source(namespace: dict[str, Any]) -> str:
    try:
        return namespace["__spec__"].loader.get_source(namespace["__spec__"].name) or ""
    except (AttributeError, ImportError, KeyError, OSError, SyntaxError, UnicodeError):
        return ""
