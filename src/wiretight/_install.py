"""install() and uninstall(): the whole program's `ssl` becomes wiretight, and back again."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from wiretight._errors import HAS_STANDARD, standard

if TYPE_CHECKING:
    from wiretight._doctor import Stale

# Where a program may have put a function of its own, which then has to go on working (PEP 476).
_HOOKS = {
    "_create_default_https_context": "create_default_context",
    "_create_stdlib_context": "_create_unverified_context",
}


class Rebound(NamedTuple):
    """A name that stands for wiretight now: in `namespace`, it was `before`."""

    module: str
    name: str
    namespace: MutableMapping[str, Any]
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
        from wiretight._doctor import stale_references

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
            _installation = Installation(tuple(_rebind_all(replacements())), loaded)
        return _installation


def uninstall() -> None:
    """Gives the program the standard `ssl` back, also in the modules that were imported after install().

    What was made with wiretight goes on working. Without install() it does nothing. Since 0.1.
    """
    global _installation  # noqa: PLW0603
    with _lock:
        if _installation is None:
            return
        for rebound in reversed(_installation.rebound):
            if rebound.namespace.get(rebound.name) is rebound.now:
                rebound.namespace[rebound.name] = rebound.before
        _hand_back(_installation.loaded)
        _installation = None


def namespaces() -> Iterator[tuple[str, MutableMapping[str, Any]]]:
    """The globals of every loaded module but the standard `ssl` and wiretight. Since 0.1."""
    for name, module in list(sys.modules.items()):
        if isinstance(module, ModuleType) and module not in _standard_modules() and not _is_own(name):
            yield name, module.__dict__


def _is_own(module: str) -> bool:
    return module == "wiretight" or module.startswith("wiretight.")


def _standard_modules() -> tuple[ModuleType, ...]:
    return (standard, standard._ssl) if HAS_STANDARD else ()  # type: ignore[attr-defined]


def _own_modules() -> tuple[ModuleType, ...]:
    import wiretight
    from wiretight import _ssl

    return wiretight, _ssl


def _refuse_a_patched_standard() -> None:
    if HAS_STANDARD and standard.SSLContext.__module__ != "ssl":
        raise RuntimeError(
            f"ssl.SSLContext is that of {standard.SSLContext.__module__} already: call wiretight.install() before it"
        )


def replacements() -> dict[int, tuple[Any, Any]]:
    """By its id, every object of the standard `ssl` for which wiretight has another, with that one. Since 0.1."""
    pairs = [(theirs, ours) for theirs, ours in zip(_standard_modules(), _own_modules(), strict=False)]
    for theirs, ours in tuple(pairs):
        for name, old in vars(theirs).items():
            new = vars(ours).get(name, old)
            if new is not old and isinstance(old, (type, FunctionType, BuiltinFunctionType)):
                pairs.append((old, new))
    found: dict[int, tuple[Any, Any]] = {}
    for old, new in pairs:
        found.setdefault(id(old), (old, new))
    return found


def _rebind_all(replacements: dict[int, tuple[Any, Any]]) -> Iterator[Rebound]:
    own, low_level = _own_modules()
    # First, so that whatever another thread imports meanwhile gets the new one.
    for name, module in (("ssl", own), ("_ssl", low_level)):
        yield _rebind("sys.modules", name, sys.modules, module)
    for name, default in _HOOKS.items() if HAS_STANDARD else ():
        hook = getattr(standard, name)
        if hook is not getattr(standard, default):
            yield _rebind(own.__name__, name, vars(own), _replacement(hook, replacements) or hook)
    for module_name, namespace in namespaces():
        for name, value in namespace.copy().items():  # type: ignore[attr-defined]
            new = _replacement(value, replacements)
            if new is not None and namespace.get(name) is value:
                yield _rebind(module_name, name, namespace, new)


def _rebind(module: str, name: str, namespace: MutableMapping[str, Any], new: Any) -> Rebound:
    before = namespace.get(name)
    namespace[name] = new
    return Rebound(module, name, namespace, before, new)


def _replacement(value: Any, replacements: dict[int, tuple[Any, Any]]) -> Any:
    """What stands for `value` after install(), or None: a replaced object, or a tuple of such, for isinstance()."""
    if id(value) in replacements:
        return replacements[id(value)][1]
    if type(value) is tuple and any(id(item) in replacements for item in value):
        return tuple(replacements[id(item)][1] if id(item) in replacements else item for item in value)
    return None


def _hand_back(loaded: frozenset[str]) -> None:
    """Modules imported since install() get the standard objects, unless they ask for wiretight by its name."""
    backwards = {id(new): (new, old) for old, new in replacements().values()}
    for module_name, namespace in namespaces():
        if module_name in loaded:
            continue
        found = {
            name: old
            for name, value in namespace.copy().items()  # type: ignore[attr-defined]
            if (old := _replacement(value, backwards)) is not None
        }
        if found and "wiretight" not in _source(namespace):
            namespace.update(found)


def _source(namespace: MutableMapping[str, Any]) -> str:
    try:
        return namespace["__spec__"].loader.get_source(namespace["__spec__"].name) or ""
    except (AttributeError, ImportError, KeyError, OSError, SyntaxError, UnicodeError):
        return ""
