"""sendfile(): as much as possible in every write, and the file's position after the last byte sent."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest

from tests.kit.sockets import receive_exactly
from tests.kit.threads import Task
from wiretight._tls.sendfile import send_file

DATA = bytes(range(251)) * 4000


class Unseekable:
    """A file that can only be read, and returns less than requested."""

    mode = "rb"

    def __init__(self, data: bytes) -> None:
        self.source = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self.source.read(min(size, 1000))


class Limited:
    """A file of which only the beginning may be read. Everything but read() is that of the file inside."""

    def __init__(self, data: bytes, limit: int) -> None:
        self.inner = io.BytesIO(data)
        self.left = limit

    def read(self, size: int) -> bytes:
        data = self.inner.read(min(size, self.left))
        self.left -= len(data)
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Upper(io.BytesIO):
    """A file whose class changes what is read."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(size).upper()


class Taking:
    """A write that accepts `most` bytes of every call, and raises after `limit`."""

    def __init__(self, most: int, limit: int = len(DATA)) -> None:
        self.most = most
        self.limit = limit
        self.taken = bytearray()
        self.calls = 0

    def __call__(self, data: memoryview) -> int:
        self.calls += 1
        if len(self.taken) >= self.limit:
            raise TimeoutError
        piece = data[: min(self.most, self.limit - len(self.taken))]
        self.taken += piece
        return len(piece)


@pytest.mark.parametrize("most", [1000, 100_000, len(DATA)])
@pytest.mark.parametrize("file", [io.BytesIO, Unseekable])
@pytest.mark.parametrize("count", [None, 1, 200_000, len(DATA), len(DATA) + 1])
def test_everything_is_written_once_and_in_order(most: int, file: Any, count: int | None) -> None:
    write = Taking(most)
    assert send_file(write, file(DATA), 0, count) == len(DATA[:count])
    assert write.taken == DATA[:count]


def test_a_file_needs_few_writes() -> None:
    write = Taking(len(DATA))
    send_file(write, io.BytesIO(DATA), 0, None)
    assert write.calls == -(-len(DATA) // (128 * 1024))


@pytest.mark.parametrize("offset", [0, 1000])
def test_after_an_error_the_position_is_after_the_last_byte_sent(offset: int) -> None:
    file = io.BytesIO(DATA)
    with pytest.raises(TimeoutError):
        send_file(Taking(70_000, 150_000), file, offset, None)
    assert file.tell() == offset + 150_000


def test_what_read_returns_is_sent_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"data")
    with path.open("rb") as replaced, path.open("rb") as unread:
        replaced.read = io.BytesIO(b"other").read  # type: ignore[method-assign]
        unread.readinto = lambda _: pytest.fail("it is not read()")  # type: ignore[method-assign]
        files = [(Limited(b"public, PRIVATE", 6), b"public"), (Upper(b"data"), b"DATA"), (replaced, b"other")]
        files.append((unread, path.read_bytes()))
        for file, expected in files:
            write = Taking(100)
            assert send_file(write, file, 0, None) == len(expected)
            assert write.taken == expected


@pytest.mark.parametrize("buffering", [0, 1000])
def test_a_non_blocking_pipe_that_is_empty_sends_no_bytes_that_were_not_in_it(buffering: int) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(reading, "rb", buffering) as file, os.fdopen(writing, "wb", 0) as source:
        write = Taking(100)
        with pytest.raises(TypeError, match="a file that blocks"):
            send_file(write, file, 0, None)
        assert write.taken == b""
        source.write(b"data")
        with pytest.raises(OSError, match="seek"):  # to the position after the last byte sent
            send_file(write, file, 0, None)
        assert write.taken == b"data"


def test_an_offset_beyond_the_end_sends_nothing() -> None:
    write = Taking(1)
    assert send_file(write, io.BytesIO(b"data"), 1000, None) == 0
    assert write.calls == 0


def test_a_large_file_arrives(client: Any, server: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    task = Task(receive_exactly, server, len(DATA))
    with path.open("rb") as file:
        assert client.sendfile(file) == len(DATA)
    assert task.result() == DATA


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0, 0), ValueError, "count must be a positive integer"),
        ((0, -1), ValueError, "count must be a positive integer"),
        ((0, "1"), TypeError, "count must be a positive integer"),
        ((-1,), ValueError, "negative seek value"),
    ],
)
def test_arguments_are_checked(client: Any, arguments: tuple[Any, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        client.sendfile(io.BytesIO(DATA), *arguments)


def test_an_unseekable_file_is_sent_from_its_beginning_only(client: Any, server: Any) -> None:
    assert client.sendfile(Unseekable(b"data")) == 4
    assert server.recv(10) == b"data"
    with pytest.raises(AttributeError):
        client.sendfile(Unseekable(b"data"), 1)
