"""The context of each server of the fleet: its ticket keys are in Redis, under a key from the environment."""

import os

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
    context.ticket_keys = wiretight.TicketKeys.shared(key_store(), wrapping_key(), **TIMES)
    return context
