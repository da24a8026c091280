"""PyInstaller reads Python source, and finds what that imports; of the rest it has to be told."""

from PyInstaller import isolated
from PyInstaller.utils.hooks import collect_data_files, collect_submodules


@isolated.decorate
def _imported() -> list[str]:
    """What is there once wiretight is: also what native code imports."""
    import sys

    import wiretight

    wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)  # which imports what is imported late
    others = ("PyInstaller", "__main__", "wiretight._core.")  # of the core, the last line has the library
    return [name for name in sys.modules if not name.startswith(others)] + ["wiretight._core._native"]


# The command line is frozen if a program imports it.
hiddenimports = sorted(
    {
        *_imported(),
        *collect_submodules("wiretight", filter=lambda name: not name.startswith(("wiretight._cli", "wiretight._core"))),
    }
)
datas = collect_data_files("wiretight", excludes=["**/*.pyi", "**/*.pyx", "**/*.pxd", "**/*.h", "py.typed"])
