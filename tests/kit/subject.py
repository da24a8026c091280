"""Which module is under test. This is the only place that decides it.

WIRETIGHT_TEST_SUBJECT=ssl scripts/test tests/interop     shows what the standard library does in the same tests
"""

import importlib
import os

NAME = os.environ.get("WIRETIGHT_TEST_SUBJECT", "wiretight")

tls = importlib.import_module(NAME)
