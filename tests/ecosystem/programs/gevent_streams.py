"""PROGRAM client|server|both CA CHAIN KEY [PORT]: echo over gevent's TLS, patched after install() has run."""

# ruff: noqa: E402  gevent wants to be the first
from gevent import monkey

monkey.patch_all()

import hashlib
import socket
import ssl
import sys

import gevent
from gevent.server import StreamServer

LENGTH = 8


def client_context(ca, chain, key):
    context = ssl.create_default_context(cafile=ca)
    if chain:
        context.load_cert_chain(chain, key)
    return context


def server_context(ca, chain, key):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca or None)
    context.load_cert_chain(chain, key)
    if ca:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def answer(sock, address):
    with sock, sock.makefile("rb") as stream:
        while header := stream.read(LENGTH):
            sock.sendall(header + stream.read(int.from_bytes(header, "big")))
        sock.unwrap()


def server(context):
    listening = StreamServer(("127.0.0.1", 0), answer, ssl_context=context)
    listening.start()
    return listening


def talk(context, port, data):
    plain = socket.create_connection(("127.0.0.1", port))
    with context.wrap_socket(plain, server_hostname="localhost") as sock:
        sock.sendall(len(data).to_bytes(LENGTH, "big") + data)
        with sock.makefile("rb") as stream:
            received = stream.read(int.from_bytes(stream.read(LENGTH), "big"))
        sock.unwrap().close()
    return received


def both(ca, chain, key):
    """Client and server in the one thread that gevent has: whoever waits must let the other one go on."""
    serving = server(server_context("", chain, key))
    data = bytes(range(256)) * 4096
    clients = [gevent.spawn(talk, client_context(ca, "", ""), serving.server_port, data) for _ in range(3)]
    for done in gevent.joinall(clients, raise_error=True):
        print(hashlib.sha256(done.value).hexdigest() == hashlib.sha256(data).hexdigest(), ssl.__name__)
    serving.stop()


role, *files = sys.argv[1:5]
if role == "client":
    sys.stdout.buffer.write(talk(client_context(*files), int(sys.argv[5]), sys.stdin.buffer.read()))
elif role == "server":
    serving = server(server_context(*files))
    print("port", serving.server_port, flush=True)
    serving.serve_forever()
else:
    both(*files)
