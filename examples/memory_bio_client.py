"""Fetch a page with TLS apart from the transport: memory_bio_client.py HOST PORT [CA_FILE].

The SSLObject never touches the network. Ciphertext goes in and out of two memory BIOs, and the program carries it over
whatever it likes: a serial line, a message queue or, as here, a socket.
"""

import socket
import sys

import wiretight as ssl

host, port, *ca_file = sys.argv[1:]
context = ssl.create_default_context(cafile=ca_file[0] if ca_file else None)
incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = context.wrap_bio(incoming, outgoing, server_hostname=host)


def drive(transport, step, *arguments):
    """`step(*arguments)`, carrying ciphertext until it has what it needs."""
    while True:
        try:
            result = step(*arguments)
        except ssl.SSLWantReadError:
            transport.sendall(outgoing.read())
            data = transport.recv(65536)
            if data:
                incoming.write(data)
            else:
                incoming.write_eof()
        else:
            transport.sendall(outgoing.read())
            return result


with socket.create_connection((host, int(port)), timeout=10) as transport:
    drive(transport, tls.do_handshake)
    drive(transport, tls.write, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    while data := drive(transport, tls.read, 65536):
        sys.stdout.buffer.write(data)
