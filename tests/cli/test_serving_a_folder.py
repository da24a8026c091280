"""serve: which files of its folder are served, and that every request on a connection is read from its beginning."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import started
from tests.kit.certificates import HOST, Certificates
from tests.kit.threads import PATIENCE
from wiretight._cli.serve.servedfolder import ServedFolder

SECRET = "what nobody may see"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to serve, beside files that are not served."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "secret.txt").write_text(SECRET)
    (tmp_path / "folder-of-another").mkdir()
    (tmp_path / "folder-of-another" / "secret.txt").write_text(SECRET)
    folder = tmp_path / "folder"
    (folder / "inner").mkdir(parents=True)
    (folder / "page.txt").write_text("a page")
    (folder / "inner" / "page.txt").write_text("an inner page")
    return folder


@contextlib.contextmanager
def serving(folder: Path, certificates: Certificates, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    chain, key = certificates.server
    with started("serve", "--port", 0, "--cert", chain, "--key", key, *arguments, folder) as process:
        try:
            assert process.stdout is not None
            yield process, int(process.stdout.readline().rpartition(":")[2].strip().rstrip("/"))
        finally:
            process.kill()


@contextlib.contextmanager
def client(port: int, certificates: Certificates) -> Iterator[http.client.HTTPSConnection]:
    connection = http.client.HTTPSConnection(HOST, port, timeout=PATIENCE, context=certificates.client_context())
    with contextlib.closing(connection):
        yield connection


def answer(connection: http.client.HTTPSConnection, path: str, method: str = "GET") -> tuple[int, str]:
    connection.request(method, path)
    response = connection.getresponse()
    return response.status, response.read().decode()


def test_no_link_leads_out_of_the_folder(folder: Path, certificates: Certificates) -> None:
    elsewhere = folder.parent / "elsewhere"
    (folder / "file").symlink_to(elsewhere / "secret.txt")
    (folder / "relative").symlink_to("../elsewhere/secret.txt")
    (folder / "sub").symlink_to(elsewhere)
    (folder / "similar").symlink_to(folder.parent / "folder-of-another")
    (folder / "twice").symlink_to("file")
    (folder / "nowhere").symlink_to("nothing")
    (folder / "itself").symlink_to("itself")
    (folder / "inner" / "index.html").symlink_to(elsewhere / "secret.txt")

    with serving(folder, certificates) as (_, port), client(port, certificates) as web:
        for path in ("file", "relative", "sub/secret.txt", "sub/", "sub", "similar/secret.txt", "twice", "nowhere"):
            assert answer(web, f"/{path}") == answer(web, "/there-is-no-such-thing")
        assert answer(web, "/itself")[0] == 404
        for path in ("/../elsewhere/secret.txt", "/%2e%2e/elsewhere/secret.txt", "/inner/..%2f../elsewhere/secret.txt"):
            assert answer(web, path)[0] == 404
        status, listed = answer(web, "/")
        assert status == 200
        assert "page.txt" in listed
        assert not [name for name in ("file", "relative", "sub", "similar", "twice", "nowhere") if f">{name}" in listed]
        status, listed = answer(web, "/inner/")  # whose index leads away
        assert status == 200
        assert ">page.txt<" in listed
        assert SECRET not in listed


def test_a_link_created_meanwhile_is_not_followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served = ServedFolder(str(folder))
    resolved = os.path.realpath

    def then_replace(path: str) -> str:
        real = resolved(path)
        (folder / "inner").rename(folder / "was")
        (folder / "inner").symlink_to(folder.parent / "elsewhere")
        return real

    monkeypatch.setattr(os.path, "realpath", then_replace)
    with pytest.raises(NotADirectoryError):
        served.open(["inner", "secret.txt"])


def test_links_inside_the_folder_are_followed(folder: Path, certificates: Certificates) -> None:
    (folder / "latest").symlink_to("inner")
    (folder / "whole").symlink_to(folder / "page.txt")

    with serving(folder, certificates) as (_, port), client(port, certificates) as web:
        assert answer(web, "/latest/page.txt") == (200, "an inner page")
        assert answer(web, "/whole") == (200, "a page")
        assert ">latest/<" in answer(web, "/")[1]


def test_the_folder_itself_may_be_a_link_and_be_hidden(folder: Path, certificates: Certificates) -> None:
    hidden = folder.parent / ".current"
    hidden.symlink_to(folder)

    with serving(hidden, certificates) as (_, port), client(port, certificates) as web:
        assert answer(web, "/page.txt") == (200, "a page")


@pytest.mark.parametrize(("arguments", "status"), [([], 404), (["--hidden"], 200)], ids=["unless asked", "if asked"])
def test_hidden_files_are_not_served(
    folder: Path, certificates: Certificates, arguments: list[str], status: int
) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text(SECRET)
    (folder / ".env").write_text(SECRET)
    (folder / "shown").symlink_to(".git")

    with serving(folder, certificates, *arguments) as (_, port), client(port, certificates) as web:
        for path in ("/.env", "/.git/config", "/%2egit/config", "/shown/config", "/inner/../.env"):
            assert answer(web, path)[0] == status
        listed = answer(web, "/")[1]
        for name in (".env", ".git/", "shown/"):
            assert (f">{name}<" in listed) is (status == 200)
        assert answer(web, "/../elsewhere/secret.txt")[0] == 404


def test_special_files_block_nothing(folder: Path, certificates: Certificates) -> None:
    os.mkfifo(folder / "pipe")

    with serving(folder, certificates) as (_, port), client(port, certificates) as web:
        assert answer(web, "/pipe")[0] == 404
        assert ">pipe<" not in answer(web, "/")[1]


def test_a_file_with_a_trailing_slash_is_not_found(folder: Path, certificates: Certificates) -> None:
    with serving(folder, certificates) as (_, port), client(port, certificates) as web:
        assert answer(web, "/page.txt/")[0] == 404
        assert answer(web, "/page.txt/more")[0] == 404
        assert answer(web, "/a%00b")[0] == 404


def test_a_folder_without_a_slash_is_redirected_on_the_same_server(folder: Path, certificates: Certificates) -> None:
    (folder / "a:b").mkdir()

    with serving(folder, certificates) as (_, port), client(port, certificates) as web:
        for path, location in (("/inner?x=1", "./inner/?x=1"), ("/a:b", "./a%3Ab/"), ("//inner", "./inner/")):
            web.request("GET", path)
            response = web.getresponse()
            response.read()
            assert (response.status, response.headers["Location"]) == (301, location)


def test_the_index_is_the_folders_page(folder: Path, certificates: Certificates) -> None:
    (folder / "inner" / "index.html").write_text("<p>the index")

    with serving(folder, certificates) as (_, port), client(port, certificates) as web:
        assert answer(web, "/inner/") == (200, "<p>the index")


def test_names_with_any_characters_can_be_listed_and_fetched(folder: Path, certificates: Certificates) -> None:
    name = "<b>&\"' #?%ü.txt"
    (folder / name).write_text("odd")
    (folder / os.fsdecode(b"\xff.txt")).write_text("no UTF-8")

    with serving(folder, certificates) as (_, port), client(port, certificates) as web:
        web.request("GET", "/")
        listed = web.getresponse().read()
        assert b"<b>" not in listed
        for link, content in ((b"%3Cb%3E%26%22%27%20%23%3F%25%C3%BC.txt", "odd"), (b"%FF.txt", "no UTF-8")):
            assert b'href="./' + link + b'"' in listed
            assert answer(web, "/" + link.decode()) == (200, content)


def test_an_unmodified_file_is_not_sent_again(folder: Path, certificates: Certificates) -> None:
    with serving(folder, certificates) as (_, port), client(port, certificates) as web:
        web.request("HEAD", "/page.txt")
        first = web.getresponse()
        assert (first.read(), first.headers["Content-Length"]) == (b"", "6")
        for headers, status in (
            ({"If-Modified-Since": first.headers["Last-Modified"]}, 304),
            ({"If-Modified-Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 200),
            ({"If-Modified-Since": "no date"}, 200),
            ({"If-Modified-Since": first.headers["Last-Modified"], "If-None-Match": '"tag"'}, 200),
        ):
            web.request("GET", "/page.txt", headers=headers)
            response = web.getresponse()
            response.read()
            assert response.status == status


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (b"Content-Length: %d" % len(SMUGGLED), SMUGGLED),
        (b"Content-Length: 0\r\nContent-Length: 0", b""),
        (b"Transfer-Encoding: chunked", b"%x;note\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
        (b"Transfer-Encoding: chunked", b"1\r\nx\r\n%x\r\n%s\r\n00\r\nTrailer: x\r\n\r\n" % (len(SMUGGLED), SMUGGLED)),
        (b"Expect: 100-continue\r\nContent-Length: %d" % len(SMUGGLED), SMUGGLED),
        (b"Content-Length: 1000000", b"x" * 1_000_000),
    ],
)
def test_a_body_is_not_parsed_as_the_next_request(
    folder: Path, certificates: Certificates, headers: bytes, body: bytes
) -> None:
    with serving(folder, certificates) as (process, port), client(port, certificates) as web:
        web.connect()
        assert web.sock is not None
        web.sock.sendall(b"GET /page.txt HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n" + body)
        web.sock.sendall(b"HEAD /inner/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = b"".join(iter(lambda: web.sock.recv(65536), b""))  # type: ignore[union-attr]
        assert process.stderr is not None
        logged = [process.stderr.readline() for _ in range(2)]

    assert re.findall(rb"HTTP/1.1 (\d{3})", received.replace(b"HTTP/1.1 100", b"")) == [b"200", b"200"]
    assert [re.findall('"(.*?) HTTP', line) for line in logged] == [["GET /page.txt"], ["HEAD /inner/"]]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Content-Length: 1048577", 413),
        (b"Content-Length: " + b"9" * 5000, 413),
        (b"Content-Length: -1", 400),
        (b"Content-Length: 1_0", 400),
        (b"Content-Length: 0, 5", 400),
        (b"Content-Length : 0", 400),
        (b"Content-Length: \xa00", 400),
        (b"X: a\r\r\nContent-Length: 0", 400),
        (b"Transfer-Encoding: \x0bchunked", 400),
        (b"Transfer-Encoding: gzip", 400),
        (b"Transfer-Encoding: chunked, gzip", 400),
        (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 400),
        (b"Content-Length: 0\r\nContent-Length: 5", 400),
        (b"Content-Length:", 400),
        (b"Content-Length: 0\r\nTransfer-Encoding: chunked", 400),
        (b"Transfer-Encoding: gzip, chunked", 501),
        (b"Transfer-Encoding: chunked\r\n\r\nx\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n100001\r\n", 413),
        (b"Transfer-Encoding: chunked\r\n\r\n1\r\nxyz\r\n0\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n1;a\rb\r\nx\r\n0\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\rb", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: a\r\n b", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\nno field", 400),
        (b"Transfer-Encoding: chunked\r\n\r\n" + b"1;%s\r\nx\r\n" % (b"y" * 4000) * 300, 413),
    ],
)
def test_a_body_without_a_definite_end_closes_the_connection(
    folder: Path, certificates: Certificates, headers: bytes, status: int
) -> None:
    with serving(folder, certificates) as (_, port), client(port, certificates) as web:
        web.connect()
        assert web.sock is not None
        with contextlib.suppress(ConnectionError):  # it may have heard enough
            web.sock.sendall(b"GET /page.txt HTTP/1.1\r\nHost: x\r\n" + headers + b"\r\n\r\n")
        response = http.client.HTTPResponse(web.sock)
        response.begin()

        assert response.status == status
        assert response.headers["Connection"] == "close"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /page.txt HTTP/1.0\r\nTransfer-Encoding: chunked",
        b"GET /page.txt HTTP/1.1\r\nHost: x\r\nX: a\rContent-Length: 5",
        b"GET /page.txt HTTP/1.1\r\nHost: x\r\nX: a\r\rContent-Length: 5",
        b"GET /page.txt HTTP/1.1\r\nHost: x\r\nX: a\nContent-Length: 5",
        b"GET /page.txt HTTP/1.1\r\nHost: x\r\nX: a\r\n b",
        b"GET /page.txt HTTP/1.1\r\n Host: x",
        b"GET /page.txt HTTP/1.1\r\nHost: x\r\nX: a\x00b",
        b"GET /page.txt HTTP/1.1\r\nHost: x\r\nno field",
        b"GET /page.txt HTTP/1.1\r\nHost: x\r\n: no name",
        b"GET /page.txt HTTP/1.1\r\nHost: x\r\nX : space",
        b"GET /page.txt\rHTTP/1.1\r\nHost: x",
        b"GET  /page.txt HTTP/1.1\r\nHost: x",
        b"GET\x0b/page.txt HTTP/1.1\r\nHost: x",
        b"GET /page.txt HTTP/1.01\r\nHost: x",
        b"GET /page.txt HTTP/1.1\r\nX: no host",
        b"GET /page.txt HTTP/1.1\r\nHost: x\r\nHost: x",
        b"GET /page.txt HTTP/1.1\r\nHost: a b",
    ],
)
def test_a_head_that_another_reader_may_take_otherwise_is_refused(
    folder: Path, certificates: Certificates, head: bytes
) -> None:
    with serving(folder, certificates) as (_, port), client(port, certificates) as web:
        web.connect()
        assert web.sock is not None
        web.sock.sendall(head + b"\r\n\r\n" + SMUGGLED)
        received = b"".join(iter(lambda: web.sock.recv(65536), b""))  # type: ignore[union-attr]

    assert re.findall(rb"HTTP/1.1 (\d{3})", received) == [b"400"]
    assert b"\r\nConnection: close\r\n" in received


def test_a_request_of_http_1_0_needs_no_host(folder: Path, certificates: Certificates) -> None:
    with serving(folder, certificates) as (_, port), client(port, certificates) as web:
        web.connect()
        assert web.sock is not None
        web.sock.sendall(b"GET /page.txt HTTP/1.0\r\nX: \xfc\t,\r\n\r\n")
        received = b"".join(iter(lambda: web.sock.recv(65536), b""))  # type: ignore[union-attr]

    assert received.startswith(b"HTTP/1.1 200")
    assert received.endswith(b"a page")


def test_a_client_that_keeps_sending_receives_the_error_response(folder: Path, certificates: Certificates) -> None:
    with serving(folder, certificates) as (_, port), client(port, certificates) as web:
        web.request("GET", "/page.txt", body=iter([bytes(100_000)] * 100), encode_chunked=True)
        assert web.getresponse().status == 413


def test_other_methods_are_not_implemented(folder: Path, certificates: Certificates) -> None:
    with serving(folder, certificates) as (_, port), client(port, certificates) as web:
        assert answer(web, "/page.txt", "DELETE")[0] == 501
