"""The native core, the only part of the package that knows OpenSSL.

All its modules live in one shared library, so that they share one OpenSSL and one error queue. Python finds a module by
its file name, and so cannot find several in one file: they are loaded here, each by its own PyInit function, in the
order of the list in meson.build.
"""

import sys

# The home of what importlib.machinery re-exports: importing that would take longer than ten of the modules.
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader
from types import ModuleType


def _library() -> ModuleType:
    """The module that the library is named after: where the library is, and what else is in it."""
    try:
        return __import__(f"{__name__}._native", fromlist=["MODULES"])
    except ModuleNotFoundError as error:
        archive = getattr(__spec__.loader, "archive", None)
        if archive is not None:
            raise ImportError(
                f"wiretight cannot be imported from the archive {archive}, because no system loads a native library "
                "from one: install it outside of the archive, or make one that unpacks itself, as shiv and pex do"
            ) from error
        raise ImportError(
            "wiretight's native library is missing for this Python; install the package (pip install .) "
            "instead of importing it from its source tree"
        ) from error


def _folder(qualified: str) -> ModuleType:
    """Creates the package of a folder without importing its empty __init__.py, which takes longer than a module."""
    last = qualified.rpartition(".")[2]
    folder = ModuleType(qualified)
    folder.__package__ = qualified
    folder.__path__ = [f"{__path__[0]}/{last}"]
    folder.__spec__ = ModuleSpec(qualified, None, is_package=True)
    folder.__spec__.submodule_search_locations = folder.__path__
    globals()[last] = sys.modules[qualified] = folder
    return folder


def _load(qualified: str, library: str) -> ModuleType:
    """Imports a module from a library of several, as importlib would from one of its own."""
    loader = ExtensionFileLoader(qualified, library)
    spec = ModuleSpec(qualified, loader, origin=library)
    spec.has_location = True
    module = loader.create_module(spec)
    module.__spec__ = spec
    sys.modules[qualified] = module
    loader.exec_module(module)
    return module


def _load_all(native: ModuleType) -> None:
    """Imports all modules of the library, in their order, or leaves none of them behind."""
    try:
        for name in native.MODULES:
            package, _, last = f"{__name__}.{name}".rpartition(".")
            room = sys.modules.get(package) or _folder(package)
            setattr(room, last, _load(f"{package}.{last}", str(native.__file__)))
    except BaseException:
        # Ctrl+C, or no memory. The next attempt would take the folders for complete, and miss modules in them.
        for name in list(sys.modules):
            if name.startswith(f"{__name__}."):
                sys.modules.pop(name, None)
        raise


_native = _library()
MODULES: tuple[str, ...] = _native.MODULES
_load_all(_native)
