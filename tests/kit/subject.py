"""Which module is under test. This is the only place that decides it.

WIRETIGHT_TEST_SUBJECT=ssl scripts/test tests/interop     shows what the standard library does in the same tests
WIRETIGHT_TEST_SUBJECT=installed scripts/test tests/face  what `ssl` does after install()
"""

import importlib
import os

NAME = os.environ.get("WIRETIGHT_TEST_SUBJECT", "wiretight")

if NAME == "installed":
    importlib.import_module("wiretight").install()

tls = importlib.import_module("ssl" if NAME == "installed" else NAME)
