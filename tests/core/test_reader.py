"""Reader and Numerals: a ClientHello is read within its bounds, and its numbers are written as Python writes them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretight._core.base.numerals import Numerals, is_grease
from wiretight._core.base.reader import Reader, Undecodable

NUMBERS = st.lists(st.integers(0, 0xFFFF) | st.sampled_from([0x0A0A, 0xFAFA, 0, 9, 10, 0xFFFF]))


@given(st.binary(max_size=40), st.integers(1, 4), st.integers(0, 50))
def test_what_is_read_is_what_the_bytes_are(data: bytes, size: int, taken: int) -> None:
    reader = Reader(data)
    if size + taken > len(data):
        with pytest.raises(Undecodable, match="ends too early"):
            [reader.number(size), reader.take(taken)]
        return
    assert reader.number(size) == int.from_bytes(data[:size], "big")
    assert reader.take(taken) == data[size : size + taken]
    rest = data[size + taken :]
    assert bool(reader) == bool(rest)
    assert reader.rest() == rest
    assert not reader
    reader.end()


@given(st.binary(max_size=40), st.integers(1, 4))
def test_a_list_of_numbers_has_all_of_them(data: bytes, size: int) -> None:
    if len(data) % size:
        with pytest.raises(Undecodable):
            Reader(data).numbers(size)
    else:
        assert Reader(data).numbers(size) == [
            int.from_bytes(data[at : at + size], "big") for at in range(0, len(data), size)
        ]


def test_a_vector_ends_where_its_length_says() -> None:
    reader = Reader(b"\0\3abc\1d\2ef")
    first = reader.vector(2)
    assert first.take(3) == b"abc"
    with pytest.raises(Undecodable):
        first.take(1)
    assert [each.rest() for each in reader.vectors(1)] == [b"d", b"ef"]
    assert not reader


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Reader(b"\5abc").vector(1),
        lambda: Reader(b"").number(1),
        lambda: Reader(b"\1a\1b").vectors(1, 1),
        lambda: Reader(b"a").end(),
        lambda: Reader(b"a").take(1 << 62),
    ],
)
def test_what_is_missing_or_left_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(Undecodable):
        wrong()


def test_a_reader_has_bytes_and_sizes() -> None:
    with pytest.raises(TypeError):
        Reader(bytearray(b"a"))  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        Reader(b"abc").take(-1)


@given(NUMBERS)
def test_numbers_are_sorted_and_written_as_python_does_it(numbers: list[int]) -> None:
    meant = [number for number in numbers if not is_grease(number)]
    numerals = Numerals(tuple(numbers))
    assert len(numerals) == len(meant)
    assert numerals.decimal() == "-".join(map(str, meant))
    assert numerals.hexadecimal() == ",".join(f"{number:04x}" for number in meant)
    numerals.sort()
    assert numerals.decimal() == "-".join(map(str, sorted(meant)))


def test_every_number_is_written_as_python_does_it() -> None:
    every = [number for number in range(1 << 16) if not is_grease(number)]
    assert Numerals(tuple(range(1 << 16))).decimal() == "-".join(map(str, every))
    assert Numerals(tuple(range(1 << 16))).hexadecimal() == ",".join(f"{number:04x}" for number in every)


def test_sixteen_numbers_are_grease() -> None:
    assert [number for number in range(1 << 17) if is_grease(number)] == [0x0A0A + 0x1010 * n for n in range(16)]


@pytest.mark.parametrize("number", [-1, 1 << 16])
def test_a_number_of_more_than_16_bits_is_refused(number: int) -> None:
    with pytest.raises(OverflowError):
        Numerals((1, number))
