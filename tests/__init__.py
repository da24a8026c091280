"""The tests. tests/README.md says what lies where."""

import os

import pytest

# Before wiretight is imported: a transition that is not in the table of _asyncio/state.py raises AssertionError.
os.environ["WIRETIGHT_STATE_CHECKS"] = "1"

# The kit's asserts shall explain themselves as a test's do; this must be said before anything imports the kit.
pytest.register_assert_rewrite("tests.kit")
