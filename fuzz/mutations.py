"""Mutations: bytes that were right, made wrong by a seeded chance. The same seed gives the same bytes everywhere."""

from __future__ import annotations

import random
from collections.abc import Sequence

# Where parsers go wrong: the ends of the ranges of lengths and counts.
EDGES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x00\x00", b"\xff\xff", b"\x40\x00", b"\x40\x01", b"\x00\x00\x00")


def mutated(data: bytes, chance: random.Random, others: Sequence[bytes]) -> bytes:
    """`data` with one to eight changes; parts of `others` may come into it."""
    changed = bytearray(data)
    for _ in range(1 + int(chance.expovariate(0.7)) % 8):
        chance.choice(CHANGES)(changed, chance, others)
    return bytes(changed)


def flip_a_bit(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def replace_a_byte(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.randrange(256)


def put_an_edge(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    edge = chance.choice(EDGES)
    at = chance.randrange(len(data) + 1)
    data[at : at + len(edge)] = edge


def count_up_or_down(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    """A length that is off by little."""
    if data:
        at = chance.randrange(len(data))
        data[at] = (data[at] + chance.choice((-2, -1, 1, 2))) % 256


def delete(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    del data[at : at + 1 + int(chance.expovariate(0.1))]


def repeat(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    part = data[at : at + 1 + int(chance.expovariate(0.05))]
    data[at:at] = part * chance.choice((1, 1, 1, 2, 5))


def insert(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.randbytes(1 + int(chance.expovariate(0.2)))


def cut_off(data: bytearray, chance: random.Random, _: Sequence[bytes]) -> None:
    del data[chance.randrange(len(data) + 1) :]


def splice(data: bytearray, chance: random.Random, others: Sequence[bytes]) -> None:
    """The rest, or a part, becomes that of another input."""
    other = chance.choice(others)
    at, start = chance.randrange(len(data) + 1), chance.randrange(len(other) + 1)
    if chance.random() < 0.5:
        data[at:] = other[start:]
    else:
        data[at:at] = other[start : start + 1 + int(chance.expovariate(0.02))]


CHANGES = (
    *(flip_a_bit, flip_a_bit, replace_a_byte, put_an_edge, put_an_edge, count_up_or_down, count_up_or_down),
    *(delete, repeat, insert, cut_off, splice),
)
