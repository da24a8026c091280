"""Fetch a page over several non-blocking connections from one thread: selectors_client.py HOST PORT COUNT [CA_FILE].

Each conversation is a generator. It yields the event that it waits for, as the call that could not go on has told it,
and is resumed when the selector reports that event.
"""

import selectors
import socket
import sys

import wiretight as ssl


def retried(step, *arguments):
    """`step(*arguments)`, again after every wait that it asks for."""
    while True:
        try:
            return step(*arguments)
        except ssl.SSLWantReadError:
            yield selectors.EVENT_READ
        except ssl.SSLWantWriteError:
            yield selectors.EVENT_WRITE


def conversation(tls, request, answer):
    """Handshake, send `request`, and collect what comes in `answer`."""
    yield selectors.EVENT_WRITE  # until connect() is through
    yield from retried(tls.do_handshake)
    while request:
        sent = yield from retried(tls.send, request)
        request = request[sent:]  # a full socket takes a part
    while data := (yield from retried(tls.recv, 65536)):
        answer += data


host, port, count, *ca_file = sys.argv[1:]
context = ssl.create_default_context(cafile=ca_file[0] if ca_file else None)
address = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_STREAM)[0][4]
request = f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()
answers = [bytearray() for _ in range(int(count))]

with selectors.DefaultSelector() as selector:
    for answer in answers:
        raw = socket.socket()
        raw.setblocking(False)
        tls = context.wrap_socket(raw, server_hostname=host, do_handshake_on_connect=False)
        tls.connect_ex(address)
        steps = conversation(tls, request, answer)
        selector.register(tls, next(steps), steps)
    while selector.get_map():
        for key, _ in selector.select(timeout=10):
            event = next(key.data, None)
            if event is None:
                selector.unregister(key.fileobj)
                key.fileobj.close()
            else:
                selector.modify(key.fileobj, event, key.data)

for answer in answers:
    print(answer.split(b"\r\n", 1)[0].decode(), len(answer), "bytes")
