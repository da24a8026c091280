#!/usr/bin/env python3
"""Writes manual-pages.json: on which page of OpenSSL's manual each function is that our docstrings name.

Usage: manual_pages.py FOLDER, with the .pod files of OpenSSL's doc/man3. What has no page there gets no link.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
PACKAGE = HERE.parents[1] / "src" / "wiretight"
REFERENCE = re.compile(r"\b(\w+)\(3\)")


def pages(folder: Path) -> dict[str, str]:
    """The page of each function that its NAME section lists."""
    found = {}
    for page in sorted(folder.glob("*.pod")):
        names = page.read_text(encoding="utf-8").partition("=head1 NAME")[2].partition("=head1")[0]
        for name in re.findall(r"\w+", names.partition("- ")[0]):
            found[name] = page.stem
    return found


def named() -> set[str]:
    """The functions that docstrings name."""
    sources = [path for suffix in ("py", "pyx") for path in PACKAGE.rglob(f"*.{suffix}")]
    return {name for path in sources for name in REFERENCE.findall(path.read_text(encoding="utf-8"))}


if __name__ == "__main__":
    on = pages(Path(sys.argv[1]))
    found = {name: on[name] for name in sorted(named() & on.keys())}
    (HERE / "manual-pages.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
