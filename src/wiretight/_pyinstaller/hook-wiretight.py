"""PyInstaller reads Python source, and finds what that imports; of the rest it has to be told."""

# mypy: ignore-errors
# PyInstaller has no types.

from PyInstaller import isolated
from PyInstaller.utils.hooks import collect_data_files, collect_submodules

# The command line is frozen if a program imports it, and the modules of the core are in the library, _native.
_LEFT_OUT = ("wiretight.__main__", "wiretight._cli", "wiretight._core", "wiretight._pyinstaller")


@isolated.decorate
def _imported() -> list[str]:
    """What is there once wiretight is: also what native code imports."""
    import sys

    import wiretight

    wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)  # which imports what is imported late
    return [name for name, module in sys.modules.items() if getattr(module, "__file__", None)]


hiddenimports = [
    "wiretight._core._native",
    *collect_submodules("wiretight", filter=lambda name: not name.startswith(_LEFT_OUT)),
    *(name for name in _imported() if not name.startswith(("wiretight.", "PyInstaller", "__main__"))),
]
datas = collect_data_files("wiretight", excludes=["**/*.pyi", "py.typed"])
