"""Import: CPU milliseconds of importing the module, in fresh processes; the median of several."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rows import Row

UNIT = "CPU ms"
BENCH = Path(__file__).parents[1]
PROGRAM = """\
import sys
sys.path.append(sys.argv[2])
import time
start = time.process_time()
module = __import__(sys.argv[1], fromlist=["x"])
print(time.process_time() - start, module.OPENSSL_VERSION)
"""


def sample(row: Row, folder: Path, *, imports: int) -> dict[str, Any]:
    del folder
    command = [sys.executable, "-c", PROGRAM, row.module, str(BENCH)]
    # The first one may have to compile and to read from the disk; it is not counted.
    keeping = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = [
        subprocess.run(command, env=keeping, capture_output=True, text=True, check=True).stdout
        for _ in range(1 + imports)
    ][1:]
    times = [float(output.split(maxsplit=1)[0]) for output in done]
    return {"value": statistics.median(times) * 1e3, "parts": {}, "openssl": done[0].split(maxsplit=1)[1].strip()}
