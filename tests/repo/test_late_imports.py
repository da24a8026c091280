"""What is imported later than the package, and why it may be: ARCHITECTURE.md, "What is imported when"."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.repo.source import CORE, PACKAGE, sources

SETS_UP = "it sets something up, as a program does before it serves"
PREPARED = "import_for_operators() has imported it, where the context may serve"
OPTIONAL = "it makes an object of that library"

# Each function that imports, and why no running connection meets it without a descriptor. The command line imports what
# a command needs, when it needs it.
LATE = {
    "_install/import_hook.py: _install_in_loops": SETS_UP,
    "_tls/hello.py: _set_client_hello_callback": SETS_UP,
    "_tls/lifecycle.py: __deepcopy__": SETS_UP,
    "_tls/lifecycle.py: __reduce__": SETS_UP,
    "_tls/negotiated.py: connection_info": PREPARED,
    "_tls/observed.py: import_for_operators": SETS_UP,
    "_tls/observed.py: metrics": PREPARED,
    "_tls/observed.py: set_handshake_callback": SETS_UP,
    "_tls/policies.py: _folder": SETS_UP,
    "_tls/policies.py: describe": SETS_UP,
    "_tls/ticketkeys.py: shared": SETS_UP,
    "_core/x509/certificate.pyx: to_cryptography": OPTIONAL,
    "_core/x509/certificate.pyx: moment": PREPARED,
}

INDENTED = re.compile(r"^ +(?:from \S+ )?import ", re.MULTILINE)
DEFINITION = re.compile(r"^ *(?:c?p?def) [^(\n]*?(\w+)\(", re.MULTILINE)


def late_imports() -> Iterator[str]:
    for path in sources(".py"):
        name = path.relative_to(PACKAGE)
        if name.parts[0] not in {"_cli", "_pyinstaller", "__main__.py"}:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and any(
                    isinstance(inner, ast.Import | ast.ImportFrom) for inner in ast.walk(node)
                ):
                    yield f"{name}: {node.name}"
    for path in sources(".pyx", under=CORE):
        text = path.read_text()
        for found in INDENTED.finditer(text):
            before = DEFINITION.findall(text, 0, found.start())
            if before:
                yield f"{path.relative_to(PACKAGE)}: {before[-1]}"


def test_each_function_that_imports_has_a_reason_why_it_may() -> None:
    assert sorted(set(late_imports())) == sorted(LATE)
