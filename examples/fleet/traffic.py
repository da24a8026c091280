"""What the rings of a fleet ask of Redis: traffic.py [PROCESSES] [SECONDS].

Commands and bytes are Redis's own counts (INFO). Each ring is a process to Redis; they look 300 times as often as by
default, so that a look is counted often, and an hour has as many looks as its `refresh` says. A rotation is counted
with keys that change all the time.
"""

import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager

import redis

import wiretight
from run import free_port

HOUR, WEEK, HALF_DAY = 3600, 604800, 43200
REFRESH = 60  # the default
FAST = 0.2
WRAPPING_KEY = secrets.token_bytes(32)


@contextmanager
def running_redis(folder):
    """Its port."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield port
        finally:
            process.terminate()


def answering(port):
    """A client of Redis, once that answers."""
    client = redis.Redis(port=port, socket_timeout=5)
    end = time.monotonic() + 30
    while True:
        try:
            client.ping()
            return client
        except redis.ConnectionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def counts(client):
    """Calls of each command, and of "in" and "out" the bytes."""
    stats = client.info("stats")
    calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in client.info("commandstats").items()}
    return Counter({**calls, "in": stats["total_net_input_bytes"], "out": stats["total_net_output_bytes"]})


def fill(client, accept_for):
    """Puts a ring into Redis that has the most keys; returns (the size of its value, how many those are).

    A key is in the store until another one is written there after its end.
    """
    store = wiretight.RedisTicketKeyStore(client)
    times = {"refresh": FAST, "rotate_every": HALF_DAY, "accept_for": accept_for}
    ring = wiretight.TicketKeys.shared(store, WRAPPING_KEY, **times)
    for _ in range((HALF_DAY + 5 * REFRESH + accept_for) // HALF_DAY):
        ring.rotate()
    time.sleep(4 * FAST)
    wiretight.TicketKeys.shared(store, WRAPPING_KEY, **times)  # which writes that the others have ended
    return client.strlen("wiretight:ticket-keys"), len(ring.keys)


def contexts(port, count, **times):
    """Each with a ring of its own, and that with a connection of its own to Redis."""
    made = []
    for _ in range(count):
        context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
        store = wiretight.RedisTicketKeyStore(redis.Redis(port=port, socket_timeout=5))
        context.ticket_keys = wiretight.TicketKeys.shared(store, WRAPPING_KEY, **times)
        made.append(context)
    return made


def counted(client, servers, seconds):
    """What they have asked in that time; a connection each 2 ms has them look."""
    first, before = counts(client), counts(client)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for context in servers:
            context.wrap_bio(wiretight.MemoryBIO(), wiretight.MemoryBIO(), server_side=True)
        time.sleep(0.002)
    found = counts(client)
    found.subtract(before)
    before.subtract(first)  # what it takes to ask for the counts
    found.subtract(before)
    return found


def main(processes=8, seconds=10):
    """Prints it."""
    if shutil.which("redis-server") is None:
        sys.exit("needs the program redis-server: apt-get install redis-server")
    processes, seconds = int(processes), float(seconds)
    with tempfile.TemporaryDirectory() as folder, running_redis(folder) as port:
        client = answering(port)
        for accept_for in (7200, WEEK):
            client.delete("wiretight:ticket-keys")
            size, keys = fill(client, accept_for)
            servers = contexts(port, processes, refresh=FAST, rotate_every=HALF_DAY, accept_for=accept_for)
            found = counted(client, servers, seconds)
            looks = found["get"]
            print(f"accept_for={accept_for}: {keys} keys, a value of {size:,} bytes")
            print(f"  {looks} looks in {seconds:g} s, {found['eval']} of them wrote")
            print(f"  a look: GET, {found['in'] / looks:.0f} bytes to Redis, {found['out'] / looks:.0f} from it")
            each = HOUR / REFRESH
            kib = (found["in"] + found["out"]) / looks * each / 1024
            print(f"  a process in an hour, refresh={REFRESH}: {each:.0f} commands, {kib:.0f} KiB")
        client.delete("wiretight:ticket-keys")
        servers = contexts(port, processes, refresh=FAST, rotate_every=8 * FAST, accept_for=8 * FAST)
        found = counted(client, servers, seconds)
        print(f"keys that change: {found['set']} new ones in {seconds:g} s, {found['eval']} EVAL for them")


if __name__ == "__main__":
    main(*sys.argv[1:])
