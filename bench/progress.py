"""Progress of a sample that takes long: a line of its output that is a text in JSON, before the sample, an object."""

from __future__ import annotations

import json


def tell(text: str) -> None:
    print(json.dumps(text), flush=True)
