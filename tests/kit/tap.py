"""A wire between client and server that watches how each of them ends."""

from __future__ import annotations

import contextlib
import socket
import threading

from tests.kit.certificates import ADDRESS
from tests.kit.records import ALERT, APPLICATION_DATA, HANDSHAKE, Record, records
from tests.kit.threads import PATIENCE, Task

# An alert as TLS 1.3 encrypts it: two bytes, the record's real type, the tag. On the wire its type is that of data.
ENCRYPTED_ALERT = 2 + 1 + 16
HANDSHAKE_STARTS = bytes([HANDSHAKE, 3])


class Tap:
    """Hands every connection on to `port`, and everything back."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server((ADDRESS, 0))
        self.port = self._listener.getsockname()[1]
        self._carried: list[tuple[Task, Task]] = []
        self._accepting = threading.Thread(target=self._accept, name="tap")

    def goodbyes(self) -> list[tuple[bool, bool]]:
        """For each connection, whether the last that its client sent was an alert, and the last of its server."""
        return [(client.result(), server.result()) for client, server in self._carried]

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            if self._stopping:
                near.close()
                return
            far = socket.create_connection((ADDRESS, self._to), PATIENCE)
            self._sockets += near, far
            self._carried.append((Task(carry, near, far), Task(carry, far, near)))

    def __enter__(self):
        self._stopping = False
        self._sockets: list[socket.socket] = []
        self._accepting.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stopping = True
        socket.create_connection((ADDRESS, self.port)).close()
        self._accepting.join()
        for tasks in self._carried:
            for task in tasks:
                task.result()
        for sock in (self._listener, *self._sockets):
            sock.close()


def carry(source: socket.socket, sink: socket.socket) -> bool:
    unread, said_goodbye, in_tls = b"", False, False
    # A client that has said goodbye may close at once; a session ticket that it has not read makes that a reset.
    with contextlib.suppress(ConnectionResetError):
        while data := source.recv(65536):
            # What PostgreSQL, SMTP and others say before TLS is no record; each side waits for the other's answer.
            in_tls = in_tls or data.startswith(HANDSHAKE_STARTS)
            for record in records(unread + data) if in_tls else ():
                unread = b"" if record.complete else record.raw
                said_goodbye = is_alert(record)
            with contextlib.suppress(OSError):  # who has closed wants no more; the other one may still speak
                sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
    return said_goodbye


def is_alert(record: Record) -> bool:
    encrypted = record.type == APPLICATION_DATA and len(record.body) == ENCRYPTED_ALERT
    return record.complete and (record.type == ALERT or encrypted)
