"""The random generator: OpenSSL's, with the standard library's names and behaviour."""

from __future__ import annotations

import ssl as standard
from typing import Any

import pytest

from tests.kit.subject import tls


@pytest.mark.parametrize("size", [0, 1, 16, 100_000])
def test_it_returns_the_requested_number_of_bytes(size: int) -> None:
    assert len(tls.RAND_bytes(size)) == size


def test_they_differ() -> None:
    assert tls.RAND_bytes(32) != tls.RAND_bytes(32)


@pytest.mark.parametrize("size", [-1, 2**31, 2.0, "1", None])
def test_an_invalid_size_is_rejected_as_in_the_standard_library(size: Any) -> None:
    with pytest.raises((ValueError, OverflowError, TypeError)) as theirs:
        standard.RAND_bytes(size)
    with pytest.raises(theirs.type):
        tls.RAND_bytes(size)


def test_it_is_seeded() -> None:
    assert tls.RAND_status() is True


@pytest.mark.parametrize("seed", ["é", b"seed", bytearray(b"seed"), memoryview(b"seed"), b""])
def test_any_buffer_can_be_mixed_in(seed: Any) -> None:
    tls.RAND_add(seed, 0.0)


@pytest.mark.parametrize("arguments", [(3, 0.0), (b"seed", "much"), (b"seed",)])
def test_other_types_are_rejected(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError):
        tls.RAND_add(*arguments)
