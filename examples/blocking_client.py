"""Fetch a page over a blocking connection: blocking_client.py HOST PORT [CA_FILE]."""

import socket
import sys

import wiretight as ssl

host, port, *ca_file = sys.argv[1:]
context = ssl.create_default_context(cafile=ca_file[0] if ca_file else None)

with (
    socket.create_connection((host, int(port)), timeout=10) as raw,
    context.wrap_socket(raw, server_hostname=host) as tls,
):
    tls.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    while data := tls.recv(65536):
        sys.stdout.buffer.write(data)
