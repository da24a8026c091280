"""Threads and interpreters that end during TLS calls leave no lock held and no memory in use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.incidents.references import reference
from tests.kit.threads import PATIENCE

pytestmark = [reference("python/cpython#87135", "openssl/openssl#19066"), pytest.mark.timeout(7200)]

ROOT = Path(__file__).parents[2]

# What all programs begin with: two ends of a connection.
BEGINNING = """
import atexit, ctypes, gc, os, sys, threading
from pathlib import Path
import wiretight as ssl
from tests.kit.certificates import HOST, Certificates
from tests.kit.sockets import tcp_pair, handshake
certificates = Certificates(Path(sys.argv[1]))
client_context, server_context = certificates.client_context(), certificates.server_context()
near, far = tcp_pair()
options = {"do_handshake_on_connect": False}
client = client_context.wrap_socket(near, server_hostname=HOST, **options)
server = server_context.wrap_socket(far, server_side=True, **options)
"""

# A daemon thread is there, and has gone, when `begun` is set.
IN_THE_MIDDLE = {
    "inside_openssl": """
handshake(client, server)
def drain():
    while server.recv(65536): pass
def work():
    while True:
        client.send(bytes(1 << 22))
        begun.set()
threading.Thread(target=drain, daemon=True).start()
""",
    "inside_a_callback": """
def called(*_):
    begun.set()
    threading.Event().wait()
client_context._msg_callback = called
client = client_context.wrap_socket(tcp_pair()[0], server_hostname=HOST, **options)
def work(): client.do_handshake()
""",
    "in_a_slow_callback": """
def called(*_):
    begun.set()
    for _ in range(1 << 40): pass
client_context._msg_callback = called
client = client_context.wrap_socket(tcp_pair()[0], server_hostname=HOST, **options)
def work(): client.do_handshake()
""",
    "waiting_in_poll": """
handshake(client, server)
client.settimeout(3600)
def work():
    begun.set()
    client.recv(10)
""",
    "waiting_in_a_look": """
handshake(client, server)
def work():
    begun.set()
    client.recv(10)
""",
}

AT_THE_END = {
    "nothing": "pass",
    "close": "connection.close()",
    "read": "connection.settimeout(0); connection.recv(10)",
    "write": "connection.settimeout(0); connection.send(b'x')",
    "ask": "connection.version(); connection.pending(); connection.getpeercert()",
    "unwrap": "connection.settimeout(0); connection.unwrap()",
}

ENDING = """
import end
end.last = end.Last(client)
if sys.argv[2] == "atexit":
    atexit.register(end.last.finish)
begun = threading.Event()
threading.excepthook = lambda _: None  # printing its traceback at the end, a daemon thread may abort the process
threading.Thread(target=work, daemon=True).start()
begun.wait()
print("leaves", flush=True)
"""

MODULE = """
import os
class Last:
    def __init__(self, connection): self.connection = connection
    def finish(self, write=os.write):
        connection = self.connection
        write(1, b"begins\\n")
        try:
            {action}
        except Exception:
            pass
        write(1, b"ends\\n")
    def __del__(self): self.finish()
"""


def run(tmp_path: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT), *filter(None, sys.path)])}
    return subprocess.run(
        [sys.executable, "-X", "faulthandler", "-W", "ignore", "-c", program, str(tmp_path), *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment,
    )


@pytest.mark.parametrize("when", ["atexit", "destructor"])
@pytest.mark.parametrize("action", AT_THE_END)
@pytest.mark.parametrize("middle", IN_THE_MIDDLE)
def test_the_interpreter_shuts_down_while_a_daemon_thread_uses_tls(tmp_path, middle, action, when, rounds):
    (tmp_path / "end.py").write_text(MODULE.format(action=AT_THE_END[action]))
    for _ in range(rounds(1, 20)):
        ran = run(tmp_path, BEGINNING + IN_THE_MIDDLE[middle] + ENDING, when)
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.startswith("leaves\n")


LATE = """
handshake(client, server)
libc, key, words = ctypes.CDLL(None), ctypes.c_uint(), []

def late(_):
    for _ in range(3):
        words.append(client.recv(100))
        server.sendall(b"more")

destructor = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(late)
assert libc.pthread_key_create(ctypes.byref(key), destructor) == 0

def work():
    libc.pthread_setspecific(key, ctypes.c_void_p(1))
    words.append(client.recv(5))

for _ in range(20):
    del words[:]
    server.sendall(b"first, and more")
    thread = threading.Thread(target=work)
    thread.start()
    native = Path(f"/proc/self/task/{thread.native_id}")
    thread.join()
    while native.exists(): pass
    assert len(words) == 4, words
print("late", flush=True)
os._exit(0)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says when a thread has gone")
def test_tls_in_a_destructor_of_an_ending_thread(tmp_path):
    """Native libraries have such; it runs after our own, whose buffers have been freed."""
    ran = run(tmp_path, BEGINNING + LATE)
    assert (ran.returncode, ran.stdout) == (0, "late\n"), ran.stderr
