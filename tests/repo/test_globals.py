"""wiretight binds the functions of the system's modules at import, because programs replace them later."""

from __future__ import annotations

import re

import pytest

from tests.repo.source import CORE, PACKAGE

# `from socket import socket` takes a name at once, `import socket` looks for it at every use.
WHOLE_MODULE = re.compile(r"^import (?:os|socket|time|stat|io)\b", re.MULTILINE)

ALLOWED = {
    "__init__.py": "names that `ssl` has too",
    "_tls/defaults.py": "the environment, and whether a path is there: a program may replace both, as with `ssl`",
    "_core/drivers/sslsocket.pyx": "the text of an error",
    "_core/wire/descriptor.pyx": "at import",
}
PROGRAMS = ("_cli/", "__main__.py")


@pytest.mark.parametrize(
    "name",
    sorted(
        str(path.relative_to(PACKAGE))
        for path in [*PACKAGE.rglob("*.py"), *CORE.glob("*.pyx")]
        if not str(path.relative_to(PACKAGE)).startswith(PROGRAMS)
    ),
)
def test_functions_of_the_systems_modules_are_bound_at_import(name: str) -> None:
    found = WHOLE_MODULE.findall((PACKAGE / name).read_text())
    assert not found or name in ALLOWED, f"{name}: take them from wiretight._standard.system, or by `from … import`"
