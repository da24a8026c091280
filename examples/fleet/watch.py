"""The fleet under a real Prometheus, with the rules of examples/alerts.yml: watch.py [FOLDER], three minutes.

An hour of a real fleet is a minute here: every time in the rules, and Prometheus's own, is divided by SPEED. Nothing is
wrong at first. Then clients come that do not trust the certificate, Redis is gone, and two servers are started without
the ring. It prints which alerts fired and when, fails if one was silent or fired without a reason, and takes a picture
of Prometheus's page (prometheus.png).
"""

import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

from run import HERE, Fleet, free_port, need, new_certificate

SPEED = 60
RULES = HERE.parent / "alerts.yml"
PROCESSES, CLIENTS, RATE = 8, 120, 80

# Seconds, and what there is then. Each trouble has an alert, which may fire until SETTLED seconds after the end of it.
SECONDS, SETTLED = 175, 20
TROUBLES = {
    "TLSHandshakesAreRefused": (45, 65, "clients that do not trust the certificate"),
    "TLSTicketKeyEnds": (80, 105, "Redis is gone"),
    "TLSTicketsAreUnknown": (120, 150, "two servers without the ring"),
}

QUERIES = (
    "sum by (reason) (rate(wiretight_handshakes_failed_total[5s]))",
    "sum by (outcome) (rate(wiretight_resumptions_total[5s]))",
    "min(wiretight_ticket_key_expiry_timestamp_seconds) - time()",
    'count by (alertname) (ALERTS{alertstate="firing"})',
)

CONFIGURATION = """
global: {scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: fleet
    file_sd_configs: [{files: ["targets/*.json"]}]
"""


def faster(rules, speed):
    """The same rules where time passes so many times as fast."""
    rules = re.sub(r"\[(\d+)m\]", lambda found: f"[{int(found[1]) * 60 // speed}s]", rules)
    rules = re.sub(r"for: (\d+)h", lambda found: f"for: {int(found[1]) * 60}m", rules)
    rules = re.sub(r"for: (\d+)m", lambda found: f"for: {int(found[1]) * 60 // speed}s", rules)
    return re.sub(r"time\(\) < (.+)", rf"time() < \1 / {speed}", rules)


def configure(folder):
    """What Prometheus reads."""
    (folder / "targets").mkdir()
    (folder / "alerts.yml").write_text(faster(RULES.read_text(), SPEED))
    (folder / "prometheus.yml").write_text(CONFIGURATION)


class WatchedFleet(Fleet):
    """The fleet, and Prometheus."""

    def __init__(self, folder):
        super().__init__(folder)
        configure(folder)
        os.environ["FLEET_TARGETS"] = str(folder / "targets")
        self.port = free_port()

    def __enter__(self):
        """Prometheus is the last one, and has seen all processes."""
        super().__enter__()
        self.start(
            "prometheus", "prometheus", f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}", f"--web.listen-address=127.0.0.1:{self.port}",
        )  # fmt: skip
        end = time.monotonic() + 60
        while self.scraped() < PROCESSES and time.monotonic() < end:
            time.sleep(0.2)
        return self

    def scraped(self):
        """How many processes are."""
        try:
            return len(self.ask("query", query="up == 1")["result"])
        except (OSError, http.client.HTTPException):  # it does not answer yet
            return 0

    def ask(self, path, **parameters):
        """An answer of its API."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}", timeout=30) as answer:
            return json.load(answer)["data"]

    def restart_alone(self, names, alone):
        """These servers, with or without the ring."""
        if alone:
            os.environ["FLEET_ALONE"] = "1"
        for name in names:
            self.kill(name)
            self.start_server(name)
        os.environ.pop("FLEET_ALONE", None)


def load(fleet, ca_file, seconds, rate):
    """Clients."""
    arguments = [HERE / "load.py", fleet.ports["haproxy"], ca_file, seconds, CLIENTS, rate]
    return subprocess.Popen([sys.executable, *map(str, arguments)], stdout=subprocess.DEVNULL)


def wait_until(moment):
    """Of time.time()."""
    time.sleep(max(0, moment - time.time()))


def trouble(fleet, began):
    """What is in TROUBLES."""
    (strangers, until, _), (gone, back, _), (alone, together, _) = TROUBLES.values()
    pair = ("asyncio0", "asyncio1")
    other, _ = new_certificate(fleet.folder, "other")
    acts = {
        strangers: lambda: load(fleet, other, until - strangers, RATE // 2).wait(),
        gone: lambda: fleet.kill("redis"),
        back: fleet.start_redis,
        alone: lambda: fleet.restart_alone(pair, True),
        together: lambda: fleet.restart_alone(pair, False),
    }
    for second, act in acts.items():
        wait_until(began + second)
        act()


def firing(fleet, began):
    """For each alert the seconds at which it fired."""
    series = fleet.ask(
        "query_range", query='ALERTS{alertstate="firing"}', start=began, end=began + SECONDS, step=0.5
    )["result"]  # fmt: skip
    found = {}
    for each in series:
        times = [at - began for at, _ in each["values"]]
        found.setdefault(each["metric"]["alertname"], set()).update(times)
    return {name: sorted(times) for name, times in found.items()}


def judge(fired):
    """Prints a line for each rule; returns what should not be so."""
    wrong = []
    for name in re.findall(r"alert: (\w+)", RULES.read_text()):
        times = fired.get(name, [])
        first, last, cause = TROUBLES.get(name, (0, 0, ""))
        strays = [at for at in times if name not in TROUBLES or not first <= at <= last + SETTLED]
        said = f"fired from {times[0]:.0f} s to {times[-1]:.0f} s" if times else "silent"
        print(f"{name:26} {said:26}", f"{cause}, {first} s to {last} s" if cause else "nothing was wrong there")
        wrong += [f"{name} was silent"] if name in TROUBLES and not times else []
        wrong += [f"{name} fired at {strays[0]:.0f} s"] if strays else []
    return wrong


def picture(fleet, folder, path):
    """Prometheus's page for each query, as Chromium shows it, in two columns."""
    from PIL import Image

    width, height, top = 640, 960, 108  # of a page, and of what is above its query
    columns = 2
    whole = Image.new("RGB", (columns * width, len(QUERIES) // columns * (height - top)), "white")
    for number, query in enumerate(QUERIES):
        parameters = {"g0.expr": query, "g0.tab": "0", "g0.range_input": f"{SECONDS + 10}s"}
        page = f"http://127.0.0.1:{fleet.port}/graph?{urllib.parse.urlencode(parameters)}"
        shot = folder / "page.png"
        options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--screenshot={shot}")
        command = ["chromium", *options, "--virtual-time-budget=20000", f"--window-size={width},{height}", page]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        row, column = divmod(number, columns)
        whole.paste(Image.open(shot).crop((0, top, width, height)), (column * width, row * (height - top)))
    whole.quantize(64).save(path, optimize=True)


def main(folder="."):
    """All of it; fails if an alert was silent, or fired without a reason."""
    need("haproxy", "redis-server", "openssl", "prometheus", "chromium")
    with tempfile.TemporaryDirectory(prefix="fleet-") as scratch, WatchedFleet(Path(scratch)) as fleet:
        print(f"scraped: {fleet.scraped()} processes")
        began = time.time()
        clients = load(fleet, fleet.certificate, 2 * SECONDS, RATE)
        try:
            trouble(fleet, began)
            wait_until(began + SECONDS)
            wrong = judge(firing(fleet, began))
            picture(fleet, Path(scratch), Path(folder).resolve() / "prometheus.png")
        finally:
            clients.terminate()
            clients.wait()
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
