"""A test of CPython that passes with the interpreter's own `ssl` passes with wiretight."""

from __future__ import annotations

import pytest

from tests.compat.exceptions import DATED, EXCEPTIONS, allowed, is_beyond_the_headers
from tests.compat.runner import SUITES, Interpreter, run
from tests.kit.standard import IS_DATED

AN_HOUR = 3600  # it only ends what hangs in a way that the runner's own watchdog does not see


@pytest.mark.timeout(AN_HOUR)
@pytest.mark.parametrize("suite", SUITES)
def test_the_interpreters_own_tests_pass_as_with_its_own_ssl(interpreter: Interpreter, suite: str) -> None:
    if not interpreter.has(SUITES[suite][0]):
        pytest.skip(
            f"{interpreter.command} has no {SUITES[suite][0]}: its version has none, or its tests are packaged apart"
        )
    own = run(interpreter, suite, wiretight=False)
    ours = run(interpreter, suite, wiretight=True)
    excepted = allowed(interpreter.version()) | ({entry.test: entry for entry in DATED} if IS_DATED else {})
    failing = {test: ours.details.get(test, "it did not run") for test in sorted(own.passed() - ours.passed())}
    unexpected = {
        test: detail
        for test, detail in failing.items()
        if not is_beyond_the_headers(detail) and not any(entry.covers(test, detail) for entry in excepted.values())
    }
    assert not unexpected, "\n".join(f"{test}: {detail}" for test, detail in unexpected.items())
    needless = {test for test, entry in excepted.items() if not entry.race and test in ours.passed()}
    assert not needless, f"no exception is needed any more for {sorted(needless)}"


def test_only_what_the_loaded_openssl_has_is_beyond_the_headers() -> None:
    error = "NotImplementedError: listing the groups needs OpenSSL 3.5 or newer: build wiretight with one"
    assert is_beyond_the_headers(error, (3, 6, 0, 5, 0))
    assert not is_beyond_the_headers(error, (3, 0, 0, 19, 0))
    assert not is_beyond_the_headers("AssertionError: listing the groups needs OpenSSL 3.5", (3, 6, 0, 5, 0))


def test_every_exception_says_exactly_what_differs() -> None:
    assert len({(entry.test, entry.versions) for entry in EXCEPTIONS}) == len(EXCEPTIONS)
    for entry in EXCEPTIONS:
        assert len(entry.what.split()) > 5
        assert entry.test.startswith("test.")


@pytest.mark.parametrize("minor", range(10, 16))
def test_there_are_fewer_than_ten_exceptions_for_a_version(minor: int) -> None:
    assert len(allowed((3, minor))) < 10
