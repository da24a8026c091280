"""install() for asyncio: its event loops' TLS, at once or as soon as asyncio is imported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from os import register_at_fork
from threading import RLock
from typing import TYPE_CHECKING, Any

from wiretight._install.references import namespace

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_MODULE = "asyncio.selector_events"

_lock = RLock()
_wanted = False


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = RLock()  # another thread may have had it, and is not here


register_at_fork(after_in_child=_after_fork)


class _UntilImported:
    """Finds nothing itself, but is there when asyncio's loops are imported: asyncio is slow to import for nothing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's own, with a loader that goes on to what install() does there. Since 0.1."""
        if fullname != _MODULE:
            if _is_complete():  # it was being imported when install() was called, perhaps by another thread
                _install_there()
            return None
        for finder in [*sys.meta_path]:
            find = getattr(finder, "find_spec", None) if finder is not self else None
            spec: ModuleSpec | None = find(fullname, path, target) if find is not None else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _ThenInstall(spec.loader)  # type: ignore[assignment]  # Loader is slow to import
                return spec
        return None


class _ThenInstall:
    """Another loader, but for what follows when the module is loaded; the module itself has that other one."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        """Loads it, and does what install() does there. Since 0.1."""
        spec: Any = module.__spec__
        spec.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        if _is_there():  # a lazy loader has only made it ready to be loaded
            _install_there()


_waiting = _UntilImported()


def install() -> None:
    """Has asyncio's selector loops use the native transport for contexts of wiretight. Since 0.1."""
    global _wanted  # noqa: PLW0603
    _wanted = True
    if _is_complete():
        _install_there()
    else:
        _wait()


def uninstall() -> None:
    """The end of that. Since 0.1."""
    global _wanted  # noqa: PLW0603
    with _lock:
        _wanted = False
        _stop_waiting()
        event_loops: Any = sys.modules.get("wiretight._install.event_loops")
        if hasattr(event_loops, "uninstall"):  # it may be in the middle of its import, and then waits for this lock
            event_loops.uninstall()


def _is_there() -> bool:
    return "BaseSelectorEventLoop" in namespace(sys.modules.get(_MODULE))


def _is_complete() -> bool:
    spec = namespace(sys.modules.get(_MODULE)).get("__spec__")
    return _is_there() and not getattr(spec, "_initializing", False)


def _install_there() -> None:
    _stop_waiting()  # first: what follows imports more
    try:
        from wiretight._install import event_loops  # not with the lock: it waits for the imports of other threads
    except BaseException:
        _wait()
        raise
    with _lock:
        if _wanted:
            event_loops.install()


def _wait() -> None:
    with _lock:
        if _wanted and not any(finder is _waiting for finder in sys.meta_path):
            sys.meta_path.insert(0, _waiting)


def _stop_waiting() -> None:
    with suppress(ValueError):
        sys.meta_path.remove(_waiting)
