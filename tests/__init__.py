"""The tests. tests/README.md says what lies where."""

import os
import signal

import pytest

# Before wiretight is imported: a transition that is not in the table of _asyncio/state.py raises AssertionError.
os.environ["WIRETIGHT_STATE_CHECKS"] = "1"

# The kit's asserts shall explain themselves as a test's do; this must be said before anything imports the kit.
pytest.register_assert_rewrite("tests.kit")

# A shell has what it runs in the background ignore this signal, and the programs that tests interrupt inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
