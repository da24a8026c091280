"""A fleet that resumes on every process: run.py [FOLDER], a minute and a half; scripts/fleet installs what it needs.

Eight server processes, four of asyncio and four workers of uvicorn, behind HAProxy in TCP mode, with their ticket keys
in Redis. The keys are rotated each 10 seconds; Redis is killed and comes back empty; a server of each kind is killed.
It prints what happened each second, and how many returning clients resumed, and draws that (fleet.png).
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from context import TIMES, key_store, wrapping_key

import wiretight

HERE = Path(__file__).parent
SECONDS, CLIENTS, RATE = 90, 120, 80
EVENTS = {30: "Redis is killed", 45: "Redis is back, empty", 60: "two servers are killed", 65: "one is started again"}


def free_port():
    """One that nobody has now, below those that the system gives to clients."""
    while True:
        port = 16384 + secrets.randbelow(16384)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def need(*programs):
    """Ends the program if one of them is missing."""
    for program in programs:
        if shutil.which(program) is None:
            sys.exit(f"needs the program {program}: apt-get install {program}")


def new_certificate(folder, name):
    """(certificate, key), which trusts itself."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-addext", "keyUsage=digitalSignature,keyCertSign", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


class Fleet:
    """The processes."""

    def __init__(self, folder):
        self.folder = folder
        self.running = {}
        self.ports = {name: free_port() for name in ("haproxy", "redis", "uvicorn", *(f"asyncio{i}" for i in range(4)))}
        os.environ["FLEET_REDIS_PORT"] = str(self.ports["redis"])
        os.environ["FLEET_WRAPPING_KEY"] = secrets.token_hex(32)
        self.certificate, self.key = new_certificate(folder, "server")

    def start(self, name, *command):
        """A process, whose output goes into a file."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, cwd=HERE)

    def start_redis(self):
        """Without anything on the disk."""
        storage = ("--save", "", "--appendonly", "no", "--dir", self.folder)
        self.start("redis", "redis-server", "--port", self.ports["redis"], "--bind", "127.0.0.1", *storage)
        self.wait_for(self.ports["redis"])

    def start_server(self, name):
        """One on asyncio, or uvicorn's four."""
        program = "uvicorn_server.py" if name == "uvicorn" else "server.py"
        self.start(name, sys.executable, program, self.ports[name], self.certificate, self.key)

    def start_haproxy(self):
        """In TCP mode: it decrypts nothing, and chooses a server at random."""
        servers = [
            f"server {name} 127.0.0.1:{port} check inter 500 weight {4 if name == 'uvicorn' else 1}"
            for name, port in self.ports.items()
            if name not in ("haproxy", "redis")
        ]
        (self.folder / "haproxy.cfg").write_text(
            "\n".join([
                "defaults", "mode tcp", "timeout connect 2s", "timeout client 2m", "timeout server 2m", "retries 3",
                "option redispatch 1", "frontend tls", f"bind 127.0.0.1:{self.ports['haproxy']}",
                "default_backend fleet", "backend fleet", "balance random", *servers, "",
            ])
        )  # fmt: skip
        self.start("haproxy", "haproxy", "-db", "-f", self.folder / "haproxy.cfg")

    def wait_for(self, port):
        """Until somebody listens there."""
        end = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def kill(self, name):
        """At once, and what it does with it."""
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def kill_worker(self):
        """One of uvicorn's workers, which uvicorn then replaces."""
        parent = self.running["uvicorn"].pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)

    def __enter__(self):
        """Everything, in the order in which it is needed."""
        self.start_redis()
        for name in self.ports:
            if name not in ("haproxy", "redis"):
                self.start_server(name)
        for name in self.ports:
            if name not in ("haproxy", "redis"):
                self.wait_for(self.ports[name])
        self.start_haproxy()
        self.wait_for(self.ports["haproxy"])
        return self

    def __exit__(self, *_):
        """The end of all."""
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


def watch_keys(began, rotations, end):
    """When another key began to encrypt, of what is in the store; what is not there any more goes on to."""
    known, former = {}, None
    while time.time() < end:
        with contextlib.suppress(Exception):
            loaded = key_store().load()
            keys = wiretight.TicketKeys.from_bytes(loaded[1], wrapping_key()).keys if loaded else ()
            known.update((key.name, key) for key in keys)
        now = time.time()
        usable = [(key.not_before, key.name) for key in known.values() if key.not_before <= now < key.encrypt_until]
        present = max(usable, default=(0, None))[1]
        if present != former and former is not None:
            rotations.append((now - began, present is not None))
        former = present
        time.sleep(0.2)


def disturb(fleet, began):
    """What is in EVENTS."""
    acts = {
        30: lambda: fleet.kill("redis"),
        45: fleet.start_redis,
        60: lambda: (fleet.kill("asyncio0"), fleet.kill_worker()),
        65: lambda: fleet.start_server("asyncio0"),
    }
    for second, act in acts.items():
        time.sleep(max(0, began + second - time.time()))
        act()


def run(folder):
    """(the reports of the clients, the rotations), with times from the beginning."""
    with Fleet(folder) as fleet, tempfile.TemporaryFile("w+") as output:
        began = time.time()
        load = subprocess.Popen(
            [sys.executable, HERE / "load.py", str(fleet.ports["haproxy"]), fleet.certificate]
            + [str(number) for number in (SECONDS, CLIENTS, RATE)],
            stdout=output,
        )
        rotations = []
        threads = [
            threading.Thread(target=watch_keys, args=(began, rotations, began + SECONDS)),
            threading.Thread(target=disturb, args=(fleet, began)),
        ]
        for thread in threads:
            thread.start()
        load.wait()
        for thread in threads:
            thread.join()
        output.seek(0)
        reports = [json.loads(line) for line in output]
    for report in reports:
        report["time"] -= began
    return reports, rotations


def per_second(reports):
    """For each second a Counter."""
    seconds = [Counter() for _ in range(SECONDS + 1)]
    for report in reports:
        second = seconds[min(int(report["time"]), SECONDS)]
        if report["kind"] == "held" or "error" in report:
            second["broken"] += 1
        elif report["returning"]:
            second["resumed" if report["resumed"] else "in full"] += 1
            second["without a ticket"] += not report["ticket"]
        else:
            second["first visits"] += 1
    return seconds


def draw(seconds, rotations, path):
    """The picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    panel = figure.subplots()
    kinds = {"resumed": "tab:blue", "in full": "tab:orange", "first visits": "#b8b8b8", "broken": "tab:red"}
    bottom = [0] * len(seconds)
    for kind, colour in kinds.items():
        values = [second[kind] for second in seconds]
        panel.bar(range(len(seconds)), values, 1, bottom, color=colour, label=kind, align="edge")
        bottom = [low + value for low, value in zip(bottom, values, strict=True)]
    without = [second["without a ticket"] for second in seconds]
    panel.step(range(len(seconds)), without, color="black", linewidth=0.8, where="post", label="got no new ticket")
    top = max(bottom)
    for at, works in rotations:
        panel.axvline(at, color="green" if works else "red", linestyle=":", linewidth=1)
    for number, (at, text) in enumerate(EVENTS.items()):
        panel.annotate(f" {text}", (at, top * (1.14 if number % 2 else 1.04)), fontsize=7)
        panel.axvline(at, color="black", linewidth=0.5)
    panel.set_ylim(0, top * 1.35)
    panel.set_xlim(0, SECONDS)
    panel.set_xlabel("seconds; dotted: another ticket key, or none any more (red)")
    panel.set_ylabel("visits per second")
    panel.legend(fontsize=7, loc="upper left", ncols=5)
    panel.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def tell(reports, seconds, rotations):
    """What it comes to."""
    for number, second in enumerate(seconds[:SECONDS]):
        notes = ["another key" if works else "no key may encrypt" for at, works in rotations if int(at) == number]
        notes += [EVENTS[number]] if number in EVENTS else []
        print(f"{number:3} s ", *(f"{kind} {count}," for kind, count in sorted(second.items()) if count), *notes)
    total = sum(seconds, Counter())
    returning = total["resumed"] + total["in full"]
    processes = {report["process"] for report in reports if "process" in report}
    around = [second for at, _ in rotations for second in seconds[max(0, int(at) - 1) : int(at) + 2]]
    killed = [second for at in (60, 61) for second in [seconds[at]]]
    print(f"keys: another one {sum(works for _, works in rotations)} times, of {TIMES}")
    print(f"processes that answered: {len(processes)}")
    print(f"returning clients: {returning}, resumed: {total['resumed']} ({total['resumed'] / (returning or 1):.2%})")
    print(f"connections broken within a second of a rotation: {sum(second['broken'] for second in around)}")
    print(f"broken: {total['broken']}, when two servers were killed: {sum(second['broken'] for second in killed)}")


def main(folder="."):
    """All of it; fails if less than 99 % resumed, or more than 1 % of the visits broke."""
    need("haproxy", "redis-server", "openssl")
    with tempfile.TemporaryDirectory(prefix="fleet-") as scratch:
        reports, rotations = run(Path(scratch))
    seconds = per_second(reports)
    tell(reports, seconds, rotations)
    draw(seconds, rotations, Path(folder) / "fleet.png")
    if complaint := judge(sum(seconds, Counter())):
        sys.exit(complaint)


def judge(total):
    """What is wrong with these numbers, or nothing."""
    returning = total["resumed"] + total["in full"]
    visits = returning + total["first visits"] + total["broken"]
    if not visits:
        return "nobody came"
    if returning < 0.9 * visits:
        return f"only {returning} of {visits} visits were of clients that returned"
    if total["resumed"] < 0.99 * returning:
        return "less than 99 % of the returning clients resumed"
    if total["broken"] > 0.01 * visits:
        return "more than 1 % of the visits broke"
    return None


if __name__ == "__main__":
    main(*sys.argv[1:])
