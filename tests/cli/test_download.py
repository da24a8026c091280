"""Download accepts an HTTP response however it is split, and only the file."""

from __future__ import annotations

import pytest

from wiretight._cli.demo.download import Download, UnexpectedAnswerError, shares

BODY = bytes(range(256)) * 4
ANSWER = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1024\r\n\r\n" + BODY


def feed(download: Download, data: bytes, step: int) -> None:
    for start in range(0, len(data), step):
        piece = data[start : start + step]
        while piece:
            space = download.space()
            taken = min(len(space), len(piece))
            space[:taken] = piece[:taken]
            download.received(taken)
            piece = piece[taken:]


@pytest.mark.parametrize("step", [1, 2, 3, 56, 57, 58, 1000, len(ANSWER)])
def test_a_response_arrives_whole_however_it_is_split(step: int) -> None:
    into, counts = bytearray(len(BODY)), []
    download = Download(memoryview(into), 0, counts.append)

    feed(download, ANSWER, step)

    assert download.complete
    assert bytes(into) == BODY
    assert sum(counts) == len(BODY)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "404"),
        (b"nonsense\r\n\r\n", "nonsense"),
        (b"x" * 20_000, "header is longer"),
        (ANSWER + b"more", "more than was asked for"),
    ],
)
def test_anything_but_the_file_is_rejected(answer: bytes, complaint: str) -> None:
    download = Download(memoryview(bytearray(len(BODY))), 0, lambda _count: None)

    with pytest.raises(UnexpectedAnswerError, match=complaint):
        feed(download, answer, len(answer))


@pytest.mark.parametrize(("size", "parts"), [(1, 1), (3, 50), (100, 7), (1024, 50)])
def test_shares_cover_the_file_once(size: int, parts: int) -> None:
    into = bytearray(size)
    for number, download in enumerate(shares(memoryview(into), parts, lambda _count: None)):
        asked = download.request.split(b"bytes=")[1].split(b"\r\n")[0].split(b"-")
        length = int(asked[1]) - int(asked[0]) + 1
        feed(download, b"HTTP/1.1 200 OK\r\n\r\n" + bytes([number + 1]) * length, 10_000)
        assert download.complete

    assert 0 not in into
    assert sorted(into) == list(into)
