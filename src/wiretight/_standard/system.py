"""The operating system's functions as they were when wiretight was imported.

Certificates, keys and key logs are on the real file system, like everything that OpenSSL opens itself. A program that
replaces `os.stat` or `open` for its own tests (mock.patch, pyfakefs) must not thereby change whom its contexts trust:
pytest-dev/pyfakefs#674. Each is in an object of its own, because such tools patch the globals of modules too.
"""

# ruff: noqa: PLC0414  the alias marks an exported name for type checkers

from __future__ import annotations

from wiretight._standard.typing import TYPE_CHECKING

if TYPE_CHECKING:
    import errno as errno
    import io as io
    import os as os
    import stat as stat
    import time as time
else:
    import errno as _errno
    import io as _io
    import os as _os
    import stat as _stat
    import time as _time
    from types import SimpleNamespace

    errno, io, os, stat, time = (SimpleNamespace(**vars(module)) for module in (_errno, _io, _os, _stat, _time))
