#!/usr/bin/env python3
"""Print wiretight's version, for meson.build: `__version__` in src/wiretight/__init__.py alone has it."""

import re
from pathlib import Path

if __name__ == "__main__":
    source = Path(__file__).parents[1] / "src" / "wiretight" / "__init__.py"
    [version] = re.findall(r'^__version__ = "(.+)"$', source.read_text(encoding="utf-8"), re.MULTILINE)
    print(version)
