#!/usr/bin/env python3
"""README.md as the page of a package index: `index_page.py FOLDER` rewrites the one in that copy of the repository.

An index shows the page far from the repository, where no relative link leads anywhere. With `Source` in
`[project.urls]` its links lead there; without, as long as the repository has no public address, their labels stay.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from links import for_an_index

if __name__ == "__main__":
    [folder] = map(Path, sys.argv[1:])
    readme = folder / "README.md"
    readme.write_text(for_an_index(readme.read_text(encoding="utf-8"), "README.md"), encoding="utf-8")
