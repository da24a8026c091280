"""The tests. tests/README.md says what lies where."""

import pytest

# The kit's asserts shall explain themselves as a test's do; this must be said before anything imports the kit.
pytest.register_assert_rewrite("tests.kit")
