"""FolderHandler: the requests of one connection for the files of a folder."""

import contextlib
import email.utils
import html
import http.server
import io
import os
import sys
import urllib.parse
from typing import Any, BinaryIO, NamedTuple

from wiretight._cli.serve import page, requestbody, requesthead
from wiretight._cli.serve.arriving import Arriving
from wiretight._cli.serve.handshakes import Handshakes
from wiretight._cli.serve.servedfolder import ServedFolder
from wiretight._cli.terminal import clean

_CHUNK = 256 * 1024
_INDEX = ("index.html", "index.htm")


class _Found(NamedTuple):
    """The content to send; `modified` is None for a page generated for this request."""

    content: BinaryIO
    size: int
    kind: str
    modified: float | None


class FolderHandler(http.server.SimpleHTTPRequestHandler):
    """Serves the GET and HEAD requests of a connection, one after the other."""

    raw_requestline: bytes
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds for a request to arrive after the one before, and for each part of a response to go

    def __init__(self, *arguments: Any, served: ServedFolder, handshakes: Handshakes) -> None:
        self._served, self._handshakes = served, handshakes
        super().__init__(*arguments)  # which serves the connection

    def setup(self) -> None:
        """As the base class, whose stream has a timeout for each read: one byte in each would never be too late."""
        super().setup()
        self._arriving = Arriving(self.connection)
        self.rfile = io.BufferedReader(self._arriving)

    def handle_one_request(self) -> None:
        """The next request, which has to arrive in time as a whole."""
        self._arriving.expect(self.timeout)
        super().handle_one_request()

    def parse_request(self) -> bool:
        """Read a request together with its body, because the next request follows it."""
        stream = self.rfile
        self.rfile = head = requesthead.Lines(stream)  # type: ignore[assignment]
        try:
            if not super().parse_request():
                return False
        finally:
            self.rfile = stream
        try:
            requesthead.check(self.raw_requestline, head.read, self.headers)
            requestbody.discard(self.headers, stream, not requesthead.is_older(self.raw_requestline))
        except requesthead.RefusedRequestError as error:
            self.send_error(error.status)  # which closes the connection
            return False
        self.connection.settimeout(self.timeout)
        return True

    def do_GET(self) -> None:
        """A file, or the listing of a folder."""
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        """The same without its body."""
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # the base class's name
        """One line on stderr for a request."""
        print(f"{self.client_address[0]} {clean(format % args)}", file=sys.stderr, flush=True)

    def _answer(self, with_body: bool) -> None:
        path, _, query = self.path.partition("?")
        if path in (page.PAGE, page.JSON):
            self._show_handshake(path, with_body)
            return
        names = [it for it in urllib.parse.unquote(path, errors="surrogateescape").split("/") if it]
        try:
            is_folder = self._served.is_folder(names)
            if is_folder and names and not path.endswith("/"):
                self._redirect(names[-1], query)
                return
            if path.endswith("/") and not is_folder:
                raise NotADirectoryError
            found = self._in_folder(names) if is_folder else self._file(names)
        except OSError:
            self.send_error(404)
            return
        with found.content:
            self._send(found, with_body)

    def _show_handshake(self, path: str, with_body: bool) -> None:
        shown = page.response(path, self._handshakes.document(self.connection))
        self.send_response(200)
        for name, value in shown.headers:
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(shown.body)

    def _file(self, names: list[str]) -> _Found:
        content = self._served.open(names)
        status = os.fstat(content.fileno())
        return _Found(content, status.st_size, self.guess_type(names[-1]), status.st_mtime)

    def _in_folder(self, names: list[str]) -> _Found:
        for index in _INDEX:
            with contextlib.suppress(OSError):
                return self._file([*names, index])
        listing = _page(names, self._served.listing(names))
        return _Found(io.BytesIO(listing), len(listing), "text/html; charset=utf-8", None)

    def _redirect(self, name: str, query: str) -> None:
        # Relative links in a folder's page need the slash. Itself relative, so that it cannot lead to another server.
        self.send_response(301)
        self.send_header("Location", f"./{_quoted(name)}/" + (f"?{query}" if query else ""))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, found: _Found, with_body: bool) -> None:
        if found.modified is not None and self._has_it(found.modified):
            self.send_response(304)
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Type", found.kind)
        self.send_header("Content-Length", str(found.size))
        if found.modified is not None:
            self.send_header("Last-Modified", self.date_time_string(int(found.modified)))
        self.end_headers()
        left = found.size if with_body else 0
        # No more than announced, even if the file has grown: the next response follows.
        while left and (chunk := found.content.read(min(left, _CHUNK))):
            self.wfile.write(chunk)
            left -= len(chunk)
        if left:  # the file has shrunk: the client must not wait for the rest
            self.close_connection = True

    def _has_it(self, modified: float) -> bool:
        """Whether the client has this version (RFC 9110 section 13.1.3)."""
        if "If-None-Match" in self.headers:  # which takes precedence
            return False
        try:
            known = email.utils.parsedate_to_datetime(self.headers["If-Modified-Since"])
            return known.tzinfo is not None and int(modified) <= known.timestamp()
        except (TypeError, ValueError, IndexError, OverflowError):  # missing or invalid
            return False


def _page(names: list[str], listing: list[tuple[str, bool]]) -> bytes:
    title = html.escape("/".join(["", *names, ""]))
    shown = [(name + "/" * is_folder, _quoted(name) + "/" * is_folder) for name, is_folder in listing]
    links = "".join(f'<li><a href="./{target}">{html.escape(name)}</a></li>\n' for name, target in shown)
    page = f'<!DOCTYPE html>\n<meta charset="utf-8">\n<title>{title}</title>\n<h1>{title}</h1>\n<ul>\n{links}</ul>\n'
    return page.encode("utf-8", "surrogateescape")


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="", errors="surrogateescape")
