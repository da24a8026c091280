"""Who is compared: every row, how it comes to its TLS, and what must be installed for it."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

SUBJECT = "wiretight"
AHEAD = "wiretight with read_ahead"
ON_UVLOOP = "wiretight on uvloop"
RING = "wiretight with a ring"
# What scripts/bench --beside has built: the version of each OpenSSL of wiretight's own, the interpreter that has it,
# and where pkg-config finds it.
OWN = {
    version: (python, flags)
    for version, python, flags in (each.split("=") for each in os.environ.get("WIRETIGHT_BENCH_OWN", "").split())
}


@dataclass(frozen=True)
class Row:
    """One implementation. Blocking measures use `module` alone; asyncio measures also `loop` and `transport`."""

    name: str
    module: str = ""  # with the interface of ssl; empty: the C program
    needs: tuple[str, ...] = ()  # modules that must be there
    loop: str = "asyncio"  # whose event loop: asyncio, uvloop
    transport: str = "loop"  # whose TLS transport: the loop's own, or that of this module
    executor: int = 0  # the threads that shake hands for the loop
    ring: bool = False  # its server has ticket keys in a ring
    factor: float = 1.0  # the part of the usual count that this row does in a sample, because it is slow
    own: str = ""  # the version of an OpenSSL that is wiretight's own; empty: what this Python's wiretight has

    @property
    def variant(self) -> str:
        """The C program's variant; empty for Python."""
        return {"C": "best", "C naive": "naive"}.get(self.name.partition(",")[0], "")

    @property
    def python(self) -> str:
        """The interpreter that has it."""
        return OWN[self.own][0] if self.own else sys.executable

    def missing(self) -> str | None:
        """What it needs and is not there: its own OpenSSL, or the first of its modules that is not installed."""
        if self.own:
            return (
                None if self.own in OWN else f"wiretight with OpenSSL {self.own}, by scripts/bench --beside {self.own},"
            )
        return next((name for name in (*self.needs, self.module) if name and not _installed(name)), None)

    def tls(self) -> ModuleType:
        return importlib.import_module(self.module)


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


VERSIONS = ("3.5", "4.0")
BLOCKING = (
    Row(SUBJECT, "wiretight"),
    Row(AHEAD, "adapters.read_ahead", ("wiretight",)),
    Row("ssl", "ssl"),
    Row("C naive"),
    Row("C"),
    Row("pyOpenSSL", "adapters.pyopenssl", ("OpenSSL",)),
    Row("rtls", "rtls"),
    Row("tlslite-ng", "adapters.tlslite_ng", ("tlslite",), factor=0.02),
    *(
        Row(f"{name}, OpenSSL {own}", module, own=own)
        for own in VERSIONS
        for name, module in ((SUBJECT, SUBJECT), ("C", ""))
    ),
)
# The names of these rows say which event loop, and whose TLS is on it.
ASYNC = (
    Row(SUBJECT, "wiretight", ("wiretight.asyncio",), transport="wiretight.asyncio"),
    Row(ON_UVLOOP, "wiretight", ("wiretight.asyncio", "uvloop"), "uvloop", "wiretight.asyncio"),
    Row("asyncio with wiretight's wrap_bio", "wiretight"),
    Row("asyncio", "ssl"),
    Row("uvloop", "ssl", ("uvloop",), "uvloop"),
    Row("aiofastnet", "ssl", ("aiofastnet",), transport="aiofastnet"),
    Row("aiofastnet on uvloop", "ssl", ("aiofastnet", "uvloop"), "uvloop", "aiofastnet"),
    Row("C naive"),
)
WEB = (
    Row(SUBJECT, "wiretight", ("wiretight.asyncio", "uvicorn", "h11"), transport="wiretight.asyncio"),
    Row(ON_UVLOOP, "wiretight", ("wiretight.asyncio", "uvicorn", "h11", "uvloop"), "uvloop", "wiretight.asyncio"),
    Row("asyncio", "ssl", ("uvicorn", "h11")),
    Row("uvloop", "ssl", ("uvicorn", "h11", "uvloop"), "uvloop"),
    Row("aiofastnet", "ssl", ("aiofastnet", "uvicorn", "h11"), transport="aiofastnet"),
    Row("no TLS", "", ("uvicorn", "h11")),
)
STORM = (
    Row(SUBJECT, "wiretight", ("wiretight.asyncio",), transport="wiretight.asyncio", executor=2),
    Row("wiretight on the loop", "wiretight", ("wiretight.asyncio",), transport="wiretight.asyncio"),
    Row("asyncio", "ssl"),
    Row("uvloop", "ssl", ("uvloop",), "uvloop"),
)
SCALE = (
    *ASYNC,
    Row(RING, "wiretight", ("wiretight.asyncio",), transport="wiretight.asyncio", ring=True),
)
FAMILIES = {"blocking": BLOCKING, "async": ASYNC, "web": WEB, "storm": STORM, "scale": SCALE}


def row_named(family: str, name: str) -> Row:
    """A row of this family; any other name is a module with the interface of ssl."""
    return next((row for row in FAMILIES[family] if row.name == name), Row(name, name))
