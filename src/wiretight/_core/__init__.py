"""The native core, the only part of the package that knows OpenSSL.

All its modules live in one shared library, so that they share one OpenSSL and one error queue. Python finds a module by
its file name, and so cannot find several in one file: they are loaded here, each by its own PyInit function, in the
order of the list in meson.build.
"""

import sys
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from types import ModuleType

from wiretight._core.modules import MODULES


def _folder(qualified: str) -> ModuleType:
    """Creates the package of a folder without importing its empty __init__.py, which takes longer than a module."""
    spec = ModuleSpec(qualified, None, is_package=True)
    spec.submodule_search_locations = [f"{__path__[0]}/{qualified.rpartition('.')[2]}"]
    folder = module_from_spec(spec)
    sys.modules[qualified] = folder
    globals()[qualified.rpartition(".")[2]] = folder
    return folder


def _load() -> None:
    library = find_spec(f"{__name__}._native")
    if library is None or library.origin is None:
        raise ImportError(
            "wiretight's native library is missing for this Python; install the package (pip install .) "
            "instead of importing it from its source tree"
        )
    for name in MODULES:
        qualified = f"{__name__}.{name}"
        package, _, last = qualified.rpartition(".")
        folder = sys.modules.get(package) or _folder(package)
        loader = ExtensionFileLoader(qualified, library.origin)
        spec = spec_from_file_location(qualified, library.origin, loader=loader)
        if spec is None:
            raise ImportError(f"{library.origin} cannot be loaded as {qualified}")
        try:
            module = module_from_spec(spec)
            sys.modules[qualified] = module
            loader.exec_module(module)
        except BaseException as error:
            sys.modules.pop(qualified, None)
            if isinstance(error, ImportError) and "interpreter" in str(error):
                raise ImportError(
                    "wiretight supports only one interpreter per process, because they would share its OpenSSL: "
                    "use threads or processes instead of subinterpreters, or the standard ssl in them"
                ) from error
            raise
        setattr(folder, last, module)


_load()
