"""install() for asyncio: hooks its event loops at once, or when asyncio is imported."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from os import register_at_fork
from threading import RLock
from typing import TYPE_CHECKING, Any

from wiretight._install.references import namespace

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_MODULE = "asyncio.selector_events"

_lock = RLock()
_is_installed = False


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = RLock()  # a thread of the parent may have held the old one


register_at_fork(after_in_child=_after_fork)


class _ImportHook:
    """A finder that waits for the import of asyncio's loops, because importing asyncio here would be slow."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's spec, with a loader that then installs ours. Since 0.1."""
        if fullname != _MODULE:
            if _is_imported():  # install() was called during its import, perhaps in another thread
                _install_in_loops()
            return None
        for finder in [*sys.meta_path]:
            find = getattr(finder, "find_spec", None) if finder is not self else None
            spec: ModuleSpec | None = find(fullname, path, target) if find is not None else None
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _InstallingLoader(spec.loader)  # type: ignore[assignment]  # Loader is slow to import
                return spec
        return None


class _InstallingLoader:
    """Wraps the module's loader, which the module itself gets, and installs ours once it has loaded the module."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        """Loads the module, and installs ours. Since 0.1."""
        spec: Any = module.__spec__
        spec.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        if _has_loops():  # a lazy loader has only prepared it
            _install_in_loops()


_hook = _ImportHook()


def install() -> None:
    """Makes asyncio's selector loops use the native transport for contexts of wiretight. Since 0.1."""
    global _is_installed  # noqa: PLW0603
    _is_installed = True
    if _is_imported():
        _install_in_loops()
    else:
        _add_hook()


def uninstall() -> None:
    """Reverts install(). Since 0.1."""
    global _is_installed  # noqa: PLW0603
    with _lock:
        _is_installed = False
        _remove_hook()
        event_loops: Any = sys.modules.get("wiretight._install.event_loops")
        if hasattr(event_loops, "uninstall"):  # if it is still being imported, that import waits for this lock
            event_loops.uninstall()


def _has_loops() -> bool:
    return "BaseSelectorEventLoop" in namespace(sys.modules.get(_MODULE))


def _is_imported() -> bool:
    spec = namespace(sys.modules.get(_MODULE)).get("__spec__")
    return _has_loops() and not getattr(spec, "_initializing", False)


def _install_in_loops() -> None:
    _remove_hook()  # first, because the next line imports more
    try:
        from wiretight._install import event_loops  # without the lock: it waits for imports in other threads
    except BaseException:
        _add_hook()
        raise
    with _lock:
        if _is_installed:
            event_loops.install()


def _add_hook() -> None:
    with _lock:
        if _is_installed and not any(finder is _hook for finder in sys.meta_path):
            sys.meta_path.insert(0, _hook)


def _remove_hook() -> None:
    with _lock:
        left = sys.meta_path
        others = _without_hook(left)
        if len(others) == len(left):
            return
        # Not in place: a thread that goes through the list, for an import of its own, would miss a finder.
        before, sys.meta_path = [*others], others
        now = _without_hook(left)
        if now != before:  # another thread has changed the list until it was left
            others[:] = now


def _without_hook(finders: list[Any]) -> list[Any]:
    return [finder for finder in finders if finder is not _hook]
