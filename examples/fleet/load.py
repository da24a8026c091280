"""The clients of the fleet: load.py PORT CA_FILE SECONDS CLIENTS RATE; a line of JSON for each request.

Each client comes again and again, with the ticket of its last visit: RATE visits a second, of all together. Twenty more
connections stay open, and ask for something each second.
"""

import json
import socket
import sys
import threading
import time

import wiretight

HELD = 20
THREADS = 6
OUTPUT = threading.Lock()
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: %b\r\n\r\n"


class Client:
    """One that comes again."""

    def __init__(self, port, context):
        self.port = port
        self.context = context
        self.session = None

    def connect(self):
        """A connection, resumed if the server can open the ticket."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return self.context.wrap_socket(plain, server_hostname="localhost", session=self.session)

    def visit(self):
        """What there is to tell of it."""
        report = {"kind": "visit", "time": time.time(), "returning": self.session is not None}
        try:
            with self.connect() as tls:
                report["process"] = ask(tls, b"close")
                report["resumed"] = tls.session_reused
                report["ticket"] = tls.session.has_ticket and tls.session != self.session
                if report["ticket"]:
                    self.session = tls.session
        except OSError as error:
            report["error"] = repr(error)
        return report


def ask(tls, connection):
    """The number of the process that answers."""
    tls.sendall(REQUEST % connection)
    answer = b""
    while (head := answer.partition(b"\r\n\r\n"))[1] == b"" or len(head[2]) < length_in(head[0]):
        data = tls.recv(65536)
        if not data:
            raise ConnectionError("the answer was cut short")
        answer += data
    return int(head[2])


def length_in(head):
    """The Content-Length."""
    return int(head.lower().partition(b"content-length:")[2].split()[0])


def tell(report):
    """A line of the output."""
    with OUTPUT:
        print(json.dumps(report), flush=True)


def come_again(clients, pause, end):
    """A thread's clients, in turn."""
    due = time.monotonic()
    while time.time() < end:
        for client in clients:
            tell(client.visit())
            due += pause
            time.sleep(max(0, due - time.monotonic()))
            if time.time() >= end:
                break


def stay(client, end):
    """A connection that is open all the time; after it breaks, another one."""
    while time.time() < end:
        report = {"kind": "held"}
        try:
            with client.connect() as tls:
                report["process"] = ask(tls, b"keep-alive")
                while time.time() < end:
                    ask(tls, b"keep-alive")
                    time.sleep(1)
        except OSError as error:
            tell({**report, "time": time.time(), "error": repr(error)})
            time.sleep(1)


def main(port, ca_file, seconds, count, rate):
    """Runs all threads to the end."""
    context = wiretight.create_default_context(cafile=ca_file)
    end = time.time() + float(seconds)
    clients = [Client(int(port), context) for _ in range(int(count))]
    threads = [
        threading.Thread(target=come_again, args=(clients[i::THREADS], THREADS / float(rate), end))
        for i in range(THREADS)
    ]
    threads += [threading.Thread(target=stay, args=(Client(int(port), context), end)) for _ in range(HELD)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main(*sys.argv[1:])
