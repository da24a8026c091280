"""Where a private key stays in memory: in OpenSSL's key, and in no copy of ours.

A child process gets its key through a pipe into memory that it overwrites afterwards, and then looks for a line of the
key's PEM text in all of its own memory, freed or not. What OpenSSL's decoders leave of the decoded key is not looked
for: it is theirs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.keys import PASSWORD, new_material
from tests.kit.threads import PATIENCE
from wiretight import TicketKey, TicketKeys

pytestmark = pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc/self/mem to look at memory")

CHILD = """
import gc, os, sys
import wiretight
from wiretight import Credential

certificate, password, veiled = (bytes.fromhex(argument) for argument in sys.argv[2:5])
STEP = 1 << 22
VEIL = bytes(byte ^ 0x55 for byte in range(256))   # the line itself must not be in memory because it is looked for

def read_key():
    key = bytearray(int(sys.argv[5]))
    rest = memoryview(key)
    while rest:
        rest = rest[os.readv(0, [rest]) :]
    return key

def lines_in_memory():
    count = 0
    memory = os.open("/proc/self/mem", os.O_RDONLY)
    with open("/proc/self/maps") as maps:
        regions = [line.split()[:2] for line in maps]
    content = bytearray(STEP + len(veiled) - 1)         # what begins in a step is in one piece
    for extent, access in regions:
        region, end = (int(number, 16) for number in extent.split("-"))
        for start in range(region, end, STEP) if access.startswith("rw") else ():
            piece = memoryview(content)[: min(len(content), end - start)]
            try:
                got = os.preadv(memory, [piece], start)
            except OSError:
                continue
            if content.count(0, 0, got) < got:      # a free-threaded Python reserves a gigabyte, most of it unused
                count += content.translate(VEIL).count(veiled)
            content[:] = bytes(len(content))
    os.close(memory)
    return count

def use(way):
    context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
    if way == "nothing":
        kept = read_key()
        assert lines_in_memory()
    elif way == "from_pem":
        key = read_key()
        context.add_credential(Credential.from_pem(certificate, key, password=password or None))
        key[:] = bytes(len(key))
    elif way == "from_pem in one text":
        key = read_key()
        both = bytearray(len(certificate) + len(key))
        both[: len(certificate)], both[len(certificate) :] = certificate, key
        context.add_credential(Credential.from_pem(both, password=password or None))
        key[:], both[:] = bytes(len(key)), bytes(len(both))
    elif way == "from_pem, failing":
        key = read_key()
        try:
            Credential.from_pem(certificate[:-100], key, password=password or None)
        except wiretight.SSLError:
            key[:] = bytes(len(key))
    elif way == "load_cert_chain":
        context.load_cert_chain("chain.pem", "key.pem", password or None)
    elif way == "load_cert_chain of one file":
        context.load_cert_chain("both.pem", password=password or None)
    elif way == "load_cert_chain of one file for both":
        for name in sorted(os.listdir("sizes")):
            context.load_cert_chain(f"sizes/{name}", f"sizes/{name}", password or None)
    elif way == "load_cert_chain, failing":
        for name in sorted(os.listdir("sizes")):
            try:
                context.load_cert_chain(f"sizes/{name}", "chain.pem", password or None)
            except wiretight.SSLError:
                pass
    elif way == "load_cert_chain of a pipe":
        context.load_cert_chain("chain.pem", "/dev/stdin", password or None)
    elif way == "reload_cert_chain":
        for name in sorted(os.listdir("sizes")):
            context.load_cert_chain(f"sizes/{name}", f"sizes/{name}", password or None)
            context.reload_cert_chain(force=True)
    elif way == "ticket keys":
        context.ticket_keys = wiretight.TicketKeys.from_bytes(certificate, password)
        connection = context.wrap_bio(wiretight.MemoryBIO(), wiretight.MemoryBIO(), server_side=True)
        assert lines_in_memory()
        context.ticket_keys.rotate()
        context.ticket_keys.to_bytes(password)

use(sys.argv[1])
gc.collect()
print(lines_in_memory())
"""
WAYS = [
    "from_pem",
    "from_pem in one text",
    "from_pem, failing",
    "load_cert_chain",
    "load_cert_chain of one file",
    "load_cert_chain of one file for both",
    "load_cert_chain, failing",
    "load_cert_chain of a pipe",
    "reload_cert_chain",
]


@pytest.mark.parametrize("password", [None, PASSWORD], ids=["", "encrypted"])
@pytest.mark.parametrize("way", WAYS)
def test_no_copy_of_a_keys_text_is_left_in_memory(way: str, password: str | None, tmp_path: Path) -> None:
    made = new_material("RSA")
    key = made.key_pem(password=password)
    (tmp_path / "chain.pem").write_text(made.pem)
    (tmp_path / "key.pem").write_text(key)
    (tmp_path / "both.pem").write_text(made.pem + key)
    (tmp_path / "sizes").mkdir()
    for size in range(20):  # memory that was freed is soon used again, or not
        (tmp_path / "sizes" / f"{size}.pem").write_text(made.pem + key + "\n" * 200 * size)
    line = key.splitlines()[4].encode()
    veiled = bytes(byte ^ 0x55 for byte in line)
    arguments = [made.pem.encode().hex(), (password or "").encode().hex(), veiled.hex(), str(len(key))]
    rest = "\n" * 300_000 if way.endswith("pipe") else ""  # more than a pipe holds: it is read in pieces
    done = subprocess.run(
        [sys.executable, "-c", CHILD, way, *arguments],
        input=(key + rest).encode(), capture_output=True, cwd=tmp_path, timeout=PATIENCE, check=False, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b"0\n"


def test_the_text_of_a_key_is_found_where_it_is() -> None:
    """Or the test above would show nothing."""
    made = new_material("RSA")
    key = made.key_pem()
    veiled = bytes(byte ^ 0x55 for byte in key.splitlines()[4].encode())
    arguments = ["", "", veiled.hex(), str(len(key))]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, "nothing", *arguments],
        input=key.encode(), capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()


def test_no_copy_of_a_ticket_key_is_left_when_its_ring_is_gone() -> None:
    key = TicketKey(os.urandom(16), os.urandom(64), 0.0, 2.0e9, 3.0e9)
    wrapping_key = os.urandom(32)
    sealed = TicketKeys([key]).to_bytes(wrapping_key)
    for half in (key.secret[:32], key.secret[32:]):
        veiled = bytes(byte ^ 0x55 for byte in half)
        arguments = [sealed.hex(), wrapping_key.hex(), veiled.hex(), "0"]
        done = subprocess.run(
            [sys.executable, "-c", CHILD, "ticket keys", *arguments],
            capture_output=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        assert done.stdout == b"0\n"
