"""The random generator: OpenSSL's, with the standard library's names and manners."""

from __future__ import annotations

import ssl as standard
from typing import Any

import pytest

from tests.kit.subject import tls


@pytest.mark.parametrize("size", [0, 1, 16, 100_000])
def test_it_gives_as_many_bytes_as_are_asked_for(size: int) -> None:
    assert len(tls.RAND_bytes(size)) == size


def test_they_differ() -> None:
    assert tls.RAND_bytes(32) != tls.RAND_bytes(32)


@pytest.mark.parametrize("size", [-1, 2**31, 2.0, "1", None])
def test_what_is_no_size_is_refused_as_the_standard_library_does(size: Any) -> None:
    with pytest.raises((ValueError, OverflowError, TypeError)) as theirs:
        standard.RAND_bytes(size)
    with pytest.raises(theirs.type):
        tls.RAND_bytes(size)


def test_it_is_seeded() -> None:
    assert tls.RAND_status() is True


@pytest.mark.parametrize("seed", ["é", b"seed", bytearray(b"seed"), memoryview(b"seed"), b""])
def test_anything_is_mixed_in(seed: Any) -> None:
    tls.RAND_add(seed, 0.0)


@pytest.mark.parametrize("arguments", [(3, 0.0), (b"seed", "much"), (b"seed",)])
def test_only_strings_and_numbers_are(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        tls.RAND_add(*arguments)
