"""Proxy: TLS ends here, and what is inside goes to a server behind, byte by byte, in both directions.

So whatever is spoken over TLS passes, and nothing is added to it: HTTP with its keep-alive, WebSocket, a database's
protocol.
"""

import asyncio
import contextlib
import re
import signal
import socket
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import wiretight as ssl
from wiretight import asyncio as tls
from wiretight._cli.errors import PLAIN_HTTP, what_happened
from wiretight._cli.serve import page, plainhttp
from wiretight._cli.serve.handshakes import Handshakes
from wiretight._cli.serve.httpsserver import CLOSE_SECONDS, CONNECTIONS, HANDSHAKE_SECONDS
from wiretight._cli.signals import ENDING, terminated

_CONNECT_SECONDS = 10.0
_LINGER_SECONDS = 60.0  # that one direction may rest once the other has ended
_BLOCK = 64 * 1024
_OUR_PAGE = re.compile(rb"(GET|HEAD) (/_tls(?:\.json)?)(?:\?[^ \r\n]*)? HTTP/1\.[01]\r\n")
_REQUEST_LINE = re.compile(rb"[A-Z]{1,20} [^ \r\n]+ HTTP/1\.[01]\r\n")
_RESET = struct.pack("ii", 1, 0)  # for SO_LINGER: close() resets


class _Stream(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


def bound(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError, UnicodeError or TypeError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


class Proxy:
    """Passes connections on to `backend`, a host and a port. `note` gets a line for each that fails."""

    def __init__(
        self,
        backend: tuple[str, int],
        context: ssl.SSLContext,
        handshakes: Handshakes,
        note: Callable[[str], None],
        handshake_seconds: float = HANDSHAKE_SECONDS,
        connections: int = CONNECTIONS,
    ) -> None:
        self.backend = backend
        self.context = context
        self.handshakes = handshakes
        self.note = note
        self._handshake_seconds = handshake_seconds
        self._connections = connections

    def serve(self, listener: socket.socket) -> None:
        """Serve until a signal comes, and then raise what it stands for."""
        raise asyncio.run(self._until_signal(listener))

    async def _until_signal(self, listener: socket.socket) -> BaseException:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._note_unexpected)
        signalled: asyncio.Future[BaseException] = loop.create_future()
        loop.add_signal_handler(signal.SIGINT, _set, signalled, KeyboardInterrupt())
        for number in ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, _set, signalled, terminated(number))
        accepting = asyncio.ensure_future(self.accept(listener))
        accepting.add_done_callback(lambda task: None if task.cancelled() else _set(signalled, task.exception()))
        return await signalled

    async def accept(self, listener: socket.socket) -> None:
        """Accept connections, each in a task of its own."""
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        places = asyncio.Semaphore(self._connections)
        tasks = set()
        while True:
            await places.acquire()
            try:
                sock, address = await loop.sock_accept(listener)
            except OSError as error:  # no descriptor is left, or the client has gone
                places.release()
                self.note(f"cannot accept a connection: {error.strerror or error}")
                await asyncio.sleep(0.1)
                continue
            task = asyncio.ensure_future(self._handle(sock, address[0]))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            task.add_done_callback(lambda _: places.release())

    async def _handle(self, sock: socket.socket, client: str) -> None:
        """One connection, from its first byte to its last."""
        try:
            stream = await self._begin(sock, client)
            if stream is not None:
                await _Conversation(self, stream).go_on()
        except asyncio.TimeoutError:
            self.note(f"{client} {what_happened(TimeoutError())}")
        except OSError as error:
            self.note(f"{client} {what_happened(error)}")

    async def _begin(self, sock: socket.socket, client: str) -> _Stream | None:
        """The handshake; None after an answer to plain HTTP. Raises OSError or asyncio.TimeoutError."""
        try:
            sock.setblocking(False)
            await asyncio.wait_for(_readable(sock), self._handshake_seconds)
            if plainhttp.is_plain_http(sock.recv(1, socket.MSG_PEEK)):
                self.note(f"{client} {PLAIN_HTTP}")
                await _refuse(sock, self._handshake_seconds)
                sock.close()
                return None
            return await self._shake_hands(sock)
        except BaseException:
            sock.close()
            raise

    async def _shake_hands(self, sock: socket.socket) -> _Stream:
        reader = asyncio.StreamReader(limit=_BLOCK)
        protocol = _Protocol(reader)
        with sock.dup() as beneath:
            try:
                transport, _ = await tls.connect_accepted_socket(
                    lambda: protocol, sock, ssl=self.context, ssl_handshake_timeout=self._handshake_seconds
                )
            except ssl.SSLError:
                await _end(beneath)  # the client may not have read our alert yet
                raise
            except ConnectionAbortedError:
                raise TimeoutError from None
        transport.set_write_buffer_limits(_BLOCK)
        return _Stream(reader, asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop()))

    def _note_unexpected(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.note(str(context.get("exception") or context.get("message")))


class _Conversation:
    """What a client and the server behind say to each other."""

    def __init__(self, proxy: Proxy, client: _Stream) -> None:
        self._proxy = proxy
        self._client = client
        self._connecting = asyncio.ensure_future(self._connect())
        self._moved = 0  # bytes, in both directions
        self._backend_was_last = False
        self._is_answered = False  # by us

    async def go_on(self) -> None:
        """Until both directions have ended, or one has failed, of which the other end is told."""
        left = {asyncio.ensure_future(self._from_client()), asyncio.ensure_future(self._from_backend())}
        failed = True
        try:
            failed = await self._until_end(left)
        finally:
            self._connecting.cancel()
            for task in left:
                task.cancel()
            await self._close(failed)

    async def _until_end(self, directions: "set[asyncio.Task[None]]") -> bool:
        """Whether a direction has failed, or rested for too long once the other had ended."""
        resting = None
        while directions and not self._is_answered:
            moved = self._moved
            done, _ = await asyncio.wait(directions, timeout=resting, return_when=asyncio.FIRST_COMPLETED)
            directions -= done
            for task in done:
                try:
                    task.result()
                except OSError:
                    return True
            if not done and self._moved == moved:
                return True
            resting = _LINGER_SECONDS
        return False

    async def _close(self, failed: bool) -> None:
        await asyncio.wait({self._connecting})  # it may have connected just before it was cancelled
        if not self._connecting.cancelled() and not self._connecting.exception():
            backend = self._connecting.result().writer
            # An end in the middle of what the client says is none: the server behind must not take it for one.
            if failed and not self._backend_was_last:
                sock = backend.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            _leave(backend, failed)
        _leave(self._client.writer, failed)
        with contextlib.suppress(OSError):
            await self._client.writer.wait_closed()

    async def _connect(self) -> _Stream:
        host, port = self._proxy.backend
        opened = asyncio.open_connection(host, port, limit=_BLOCK)
        try:
            return _Stream(*await asyncio.wait_for(opened, _CONNECT_SECONDS))
        except asyncio.TimeoutError:
            raise TimeoutError from None

    async def _from_client(self) -> None:
        first = await self._first()
        ours = _OUR_PAGE.match(first)
        if ours and not self._backend_was_last:
            self._is_answered = True
            self._show(ours[2].decode("ascii"), with_body=ours[1] == b"GET")
            return
        try:
            backend = await asyncio.shield(self._connecting)
        except OSError as error:
            host, port = self._proxy.backend
            why = f"{host}:{port} {what_happened(error)}"
            self._is_answered = True
            self._proxy.note(why)
            if _REQUEST_LINE.match(first):
                self._client.writer.write(_bad_gateway(why))
            return
        await self._pass(self._client.reader, backend.writer, first)

    async def _from_backend(self) -> None:
        try:
            backend = await asyncio.shield(self._connecting)
        except (OSError, asyncio.CancelledError):
            return  # the client is told by the other direction
        await self._pass(backend.reader, self._client.writer)

    async def _first(self) -> bytes:
        """The client's first bytes: as many as tell whether they ask for the page, and then the whole head."""
        data = b""
        while more := await self._client.reader.read(_BLOCK):
            data += more
            beginning = data[: len(b"HEAD /_tls")]
            if not any(begin.startswith(beginning[: len(begin)]) for begin in (b"GET /_tls", b"HEAD /_tls")):
                break
            if plainhttp.is_complete(data):
                break
        return data

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first: bytes = b"") -> None:
        from_backend = writer is self._client.writer
        data = first or await reader.read(_BLOCK)
        while data:
            self._moved += len(data)
            self._backend_was_last = from_backend
            writer.write(data)
            await writer.drain()
            data = await reader.read(_BLOCK)
        writer.write_eof()

    def _show(self, path: str, with_body: bool) -> None:
        connection = self._client.writer.get_extra_info("ssl_object")
        shown = page.response(path, self._proxy.handshakes.document(connection))
        fields = [*shown.headers, ("Connection", "close")]
        head = "".join(["HTTP/1.1 200 OK\r\n", *(f"{name}: {value}\r\n" for name, value in fields), "\r\n"])
        self._client.writer.write(head.encode("ascii") + (shown.body if with_body else b""))


def _leave(writer: asyncio.StreamWriter, failed: bool) -> None:
    if failed:
        writer.transport.abort()  # without close_notify: the other end is to know that something is missing
    else:
        writer.close()


class _Protocol(asyncio.StreamReaderProtocol):
    """asyncio's, except that the peer's end leaves our direction open, as on a plain connection."""

    def eof_received(self) -> bool:
        super().eof_received()
        return True


def _set(future: "asyncio.Future[Any]", result: object) -> None:
    """Once: a signal, as a descriptor's readiness, may come again."""
    if not future.done():
        future.set_result(result)


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock, _set, ready, None)
    try:
        await ready
    finally:
        loop.remove_reader(sock)


async def _refuse(sock: socket.socket, seconds: float) -> None:
    """Read a request in plain HTTP, as much of it as comes in time, and answer it."""
    loop = asyncio.get_running_loop()
    request = b""

    async def read() -> None:
        nonlocal request
        while not plainhttp.is_complete(request):
            data = await loop.sock_recv(sock, plainhttp.LIMIT)
            if not data:
                return
            request += data

    with contextlib.suppress(asyncio.TimeoutError, OSError):
        await asyncio.wait_for(read(), seconds)
    with contextlib.suppress(asyncio.TimeoutError, OSError):
        await asyncio.wait_for(loop.sock_sendall(sock, plainhttp.refusal(request, sock.getsockname()[1])), seconds)
        await _end(sock)


async def _end(sock: socket.socket) -> None:
    """End our direction, and drain the other: TCP would otherwise reset the connection, and lose what we said last."""
    loop = asyncio.get_running_loop()

    async def drain() -> None:
        while await loop.sock_recv(sock, _BLOCK):
            pass

    sock.setblocking(False)
    with contextlib.suppress(asyncio.TimeoutError, OSError):
        sock.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(drain(), CLOSE_SECONDS)


def _bad_gateway(why: str) -> bytes:
    text = f"The server behind this one cannot be reached: {why}.\n".encode("utf-8", "backslashreplace")
    head = (
        "HTTP/1.1 502 Bad Gateway\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "X-Content-Type-Options: nosniff\r\n"
        f"Content-Length: {len(text)}\r\n"
        "Connection: close\r\n"
        "\r\n"
    )
    return head.encode("ascii") + text
