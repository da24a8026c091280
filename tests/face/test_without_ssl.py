"""A Python that was built without `_ssl`: there are no classes to pass for, and everything else works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import wiretight

PROGRAM = """
import sys
class WithoutOpenSSL:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == "_ssl":
            raise ImportError(name)
sys.meta_path.insert(0, WithoutOpenSSL)
import wiretight as ssl
from socket import socket
assert "ssl" not in sys.modules and "_ssl" not in sys.modules
assert issubclass(ssl.SSLCertVerificationError, (ssl.SSLError, ValueError))
assert ssl.OP_NO_TICKET in ssl.Options and ssl.OP_ENABLE_KTLS == 8
assert ssl.Purpose.SERVER_AUTH.oid == "1.3.6.1.5.5.7.3.1"
assert issubclass(ssl.SSLSocket, socket)
assert len(ssl.RAND_bytes(4)) == 4
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(*sys.argv[2:4])
client = ssl.create_default_context(cafile=sys.argv[1])
client.verify_flags &= ~ssl.VERIFY_X509_STRICT
assert isinstance(client, ssl.SSLContext) and client.__class__ is ssl.SSLContext
to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
ends = [client.wrap_bio(to_client, to_server, server_hostname="localhost"), server.wrap_bio(to_server, to_client, True)]
shaken = set()
while len(shaken) < 2:
    for end in ends:
        try:
            end.do_handshake()
            shaken.add(end)
        except ssl.SSLWantReadError:
            pass
print(ends[0].version(), client.minimum_version.name)
"""


def test_it_completes_handshakes_with_its_own_classes(certificates) -> None:
    installed = Path(wiretight.__file__).parents[1]
    paths = [str(installed), *filter(None, [os.environ.get("PYTHONPATH")])]
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, certificates.ca_file, *certificates.server],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.stdout, ran.stderr) == ("TLSv1.3 TLSv1_2\n", "")
