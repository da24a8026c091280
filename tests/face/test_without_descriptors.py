"""A server that has run out of descriptors answers what its operator asks, though nothing can be imported any more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import wiretight

PROGRAM = """
import os
import resource
import sys
import wiretight
from wiretight import MemoryBIO, SSLContext

events, hellos = [], []
server = SSLContext(wiretight.PROTOCOL_TLS_SERVER)
server.load_cert_chain(*sys.argv[2:4])
server.handshake_callback = lambda connection, event: events.append(event)
server.client_hello_callback = lambda connection, hello: hellos.append(hello)
client = SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
client.load_verify_locations(sys.argv[1])
client.handshake_callback = lambda connection, event: events.append(event)
unraisable = []
sys.unraisablehook = lambda raised: unraisable.append(raised.exc_value)

resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
try:
    while True:
        os.dup(0)
except OSError:
    pass
try:
    import colorsys
    raise AssertionError("there are descriptors left")
except OSError:
    pass

to_server, to_client = MemoryBIO(), MemoryBIO()
ends = [client.wrap_bio(to_client, to_server, server_hostname="localhost"), server.wrap_bio(to_server, to_client, True)]
shaken = set()
while len(shaken) < 2:
    for end in ends:
        try:
            end.do_handshake()
            shaken.add(end)
        except wiretight.SSLWantReadError:
            pass
print(eval(sys.argv[4]), *unraisable)
"""


def asked_last(certificates, question: str) -> str:
    installed = Path(wiretight.__file__).parents[1]
    paths = [str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, certificates.ca_file, *certificates.server, question],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not ran.stderr
    return ran.stdout.removesuffix("\n")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("server.metrics().handshakes_done", "1"),
        ("wiretight.openmetrics({'web': server}).splitlines()[-1]", "# EOF"),
        ("ends[1].connection_info().version", "TLSv1.3"),
        ("[event.attributes()['tls.protocol.version'] for event in events]", "['1.3', '1.3']"),
        ("[hello.server_name for hello in hellos]", "['localhost']"),
        ("server.credentials[0].certificates[0].not_after.tzinfo", "UTC"),
        ("wiretight.Metrics.__name__, wiretight.HandshakeFailure.__name__", "('Metrics', 'HandshakeFailure')"),
        ("wiretight.cert_time_to_seconds('Jan  1 00:00:00 1970 GMT')", "0"),
        ("ends[0].getpeercert()['subjectAltName'][0]", "('DNS', 'localhost')"),
    ],
)
def test_what_is_asked_first_without_descriptors_is_answered(certificates, question: str, answer: str) -> None:
    assert asked_last(certificates, question) == answer
