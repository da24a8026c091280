"""The context of each server of the fleet: its ticket keys are in Redis, under a key from the environment.

With FLEET_TARGETS, a folder, each process exposes its metrics, and has a file there that tells Prometheus where. With
FLEET_ALONE it has ticket keys of its own: the mistake that watch.py makes.
"""

import http.server
import json
import os
import threading
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import wiretight

# A real fleet leaves the defaults: a look each minute, a new key each 12 hours, which opens tickets for a week.
TIMES = {"refresh": 1, "rotate_every": 10, "accept_for": 60}


def wrapping_key():
    """32 bytes, which a secret manager would have put there."""
    return bytes.fromhex(os.environ["FLEET_WRAPPING_KEY"])


def key_store():
    """Where the fleet has its ticket keys."""
    limits = {"socket_timeout": 1, "socket_connect_timeout": 1, "retry": Retry(NoBackoff(), 0)}  # the next look retries
    return wiretight.RedisTicketKeyStore(redis.Redis(port=int(os.environ["FLEET_REDIS_PORT"]), **limits))


def server_context(certificate, key):
    """A context whose tickets every process of the fleet opens."""
    context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    if "FLEET_ALONE" in os.environ:
        context.ticket_keys = wiretight.TicketKeys()
    else:
        context.ticket_keys = wiretight.TicketKeys.shared(key_store(), wrapping_key(), **TIMES)
    if "FLEET_TARGETS" in os.environ:
        expose(context, Path(os.environ["FLEET_TARGETS"]))
    return context


def expose(context, folder):
    """Answers scrapes in a thread, on a port of this process."""

    class Metrics(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            """All of them."""
            body = wiretight.openmetrics({"fleet": context}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    target = folder / f"{os.getpid()}.json"
    target.with_suffix(".new").write_text(json.dumps([{"targets": [f"127.0.0.1:{server.server_port}"]}]))
    target.with_suffix(".new").rename(target)  # Prometheus reads it at once
