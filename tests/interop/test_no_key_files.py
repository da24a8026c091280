"""No key material in a file: what the kernel sees of programs that have their keys in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.kit.keys import PASSWORD, Material, new_material
from tests.kit.strace import traced

PROGRAM = """
import json, sys
import wiretight
from wiretight import Credential

said = json.load(sys.stdin)
ders, key_der = [bytes.fromhex(der) for der in said["ders"]], bytes.fromhex(said["key_der"])
ways = {
    "PEM": lambda: Credential.from_pem(said["pem"], said["key_pem"]),
    "PEM, encrypted": lambda: Credential.from_pem(said["pem"], said["locked"], password=said["password"]),
    "DER": lambda: Credential.from_der(ders, key_der),
    "PKCS#12": lambda: Credential.from_pkcs12(bytes.fromhex(said["pkcs12"]), password=said["password"]),
    "objects": lambda: of_objects(),
}

def of_objects():
    from cryptography.hazmat.primitives.serialization import load_der_private_key
    from cryptography.x509 import load_der_x509_certificate

    return Credential.from_objects(map(load_der_x509_certificate, ders), load_der_private_key(key_der, None))

def carry(source, target):
    target.write(source.read())

def shake(client_context, server_context):
    bios = [wiretight.MemoryBIO() for _ in range(4)]
    client = client_context.wrap_bio(bios[0], bios[1], server_hostname="localhost")
    server = server_context.wrap_bio(bios[2], bios[3], server_side=True)
    waiting = [client, server]
    while waiting:
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except wiretight.SSLWantReadError:
                pass
            carry(bios[1], bios[2])
            carry(bios[3], bios[0])
    return client.getpeercert(True)

credential = ways[sys.argv[1]]()
client = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
server = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
client.load_verify_locations(cadata=said["root"])
server.add_credential(credential)
client.add_credential(credential)
server.load_verify_locations(cadata=said["root"])
server.verify_mode = wiretight.CERT_REQUIRED
assert shake(client, server) == ders[0]
server.credentials = [ways["PEM"]()]
assert shake(client, server) == ders[0]
print(repr(credential))
"""


def said_of(made: Material) -> dict[str, object]:
    return {
        "root": made.root.pem,
        "pem": made.pem,
        "ders": [der.hex() for der in made.ders],
        "key_pem": made.key_pem(),
        "key_der": made.key_der().hex(),
        "locked": made.key_pem(password=PASSWORD),
        "pkcs12": made.pkcs12().hex(),
        "password": PASSWORD,
    }


def key_material(made: Material) -> list[bytes]:
    """Parts of a key, as they are in its encodings."""
    der = made.key_der()
    lines = made.key_pem().splitlines()[1:-1]
    return [*(line.encode() for line in lines[1:-1]), *(der[at : at + 16] for at in range(40, len(der) - 16, 16))]


@pytest.mark.parametrize("way", ["PEM", "PEM, encrypted", "DER", "PKCS#12", "objects"])
def test_a_program_with_its_key_in_memory_writes_no_file(way: str, tmp_path: Path) -> None:
    made = new_material("RSA")
    trace = traced(PROGRAM, way, data=json.dumps(said_of(made)).encode(), folder=tmp_path)
    assert trace.output == "<Credential RSA 'CN=localhost'>\n"
    assert [path for path in trace.opened_for_writing if not path.startswith("/dev/")] == []
    assert trace.output.encode() in trace.written  # so the trace is complete
    assert not any(part in trace.written for part in key_material(made))


def test_a_program_that_writes_its_key_is_caught(tmp_path: Path) -> None:
    """Or the test above would show nothing."""
    made = new_material("RSA")
    program = "import sys; open('key.pem', 'w').write(sys.stdin.read())"
    trace = traced(program, data=made.key_pem().encode(), folder=tmp_path)
    assert trace.opened_for_writing == ["key.pem"]
    assert any(part in trace.written for part in key_material(made))
