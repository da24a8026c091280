"""install() for asyncio: its event loops' TLS, at once or as soon as asyncio is imported."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_MODULE = "asyncio.selector_events"


class _UntilImported(MetaPathFinder):
    """Finds nothing itself, but is there when asyncio's loops are imported: asyncio is slow to import for nothing."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """The module's own, whose loader goes on with the hook. Since 0.1."""
        if fullname != _MODULE:
            return None
        _stop_waiting()
        spec = importlib.util.find_spec(fullname)
        loader: Any = spec.loader if spec is not None else None
        if loader is not None:
            run = loader.exec_module

            def run_and_hook(module: ModuleType) -> None:
                run(module)
                _hook().install()

            loader.exec_module = run_and_hook
        return spec


_waiting = _UntilImported()


def install() -> None:
    """Has asyncio's selector loops use the native transport for contexts of wiretight. Since 0.1."""
    if hasattr(sys.modules.get(_MODULE), "BaseSelectorEventLoop"):
        _hook().install()
    elif _waiting not in sys.meta_path:
        sys.meta_path.insert(0, _waiting)


def uninstall() -> None:
    """The end of that. Since 0.1."""
    _stop_waiting()
    if "wiretight._asyncio.hook" in sys.modules:
        _hook().uninstall()


def _stop_waiting() -> None:
    if _waiting in sys.meta_path:
        sys.meta_path.remove(_waiting)


def _hook() -> Any:
    from wiretight._asyncio import hook

    return hook
