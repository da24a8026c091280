"""PROGRAM CHAIN KEY REDIS_PORT VERSION: a server of a fleet that shares its ticket keys in Redis.

It serves one connection after the other, says its port, and does what its standard input says: "clock SECONDS" shifts
its clock, and "keys" asks for the names of its keys.
"""

import socket
import sys
import threading

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import wiretight
from wiretight._core.session.ticketkeys import shift_clock

chain, key, redis_port, version = sys.argv[1:5]


def answer(listener, context):
    while True:
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as connection:
            connection.sendall(connection.recv(100))
            connection.recv(1)


def obey(line, ring):
    command, *arguments = line.split()
    if command == "clock":
        shift_clock(float(arguments[0]))
        return "done"
    return " ".join(["keys", *sorted(key.name.hex() for key in ring.keys)])


context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
context.load_cert_chain(chain, key)
context.minimum_version = context.maximum_version = wiretight.TLSVersion[version]
sys.unraisablehook = lambda report: print("unraisable", type(report.exc_value).__name__, flush=True)
client = redis.Redis(port=int(redis_port), socket_timeout=5, retry=Retry(NoBackoff(), 0))
shift_clock(float(sys.stdin.readline().split()[1]))
ring = context.ticket_keys = wiretight.TicketKeys.shared(
    wiretight.RedisTicketKeyStore(client), bytes(range(32)), refresh=60, rotate_every=480, accept_for=1200
)
with socket.create_server(("127.0.0.1", 0)) as listener:
    threading.Thread(target=answer, args=(listener, context), daemon=True).start()
    print("port", listener.getsockname()[1], flush=True)
    for line in sys.stdin:
        print(obey(line, ring), flush=True)
