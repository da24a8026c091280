"""metrics() and handshake_callback in the programs of docs/metrics.md, with real Prometheus and OpenTelemetry."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import ssl as standard
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import wiretight
from tests.core.peer import until
from tests.ecosystem.families import http as http_family
from tests.ecosystem.terms import HANDED, Terms
from tests.ecosystem.test_contexts import Given
from tests.ecosystem.test_sessions import CLIENTS
from tests.kit.certificates import ADDRESS, Certificates
from tests.kit.pair import Pair
from tests.kit.printed import DOCS, ROOT, blocks
from tests.kit.programs import Process, program
from tests.kit.sockets import free_port
from tests.kit.threads import PATIENCE

ALERTS = ROOT / "examples" / "alerts.yml"
PRINTED = {block.title: block.text for block in blocks(DOCS / "metrics.md")}

# After a program of the page: a handshake with its context that succeeds, and one that fails.
SHAKE = """
import sys
from tests.kit.pair import Pair

context.load_cert_chain(*sys.argv[1:3])
trusting, distrusting = (wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT) for _ in range(2))
trusting.load_verify_locations(sys.argv[3])
Pair(trusting, context).handshake()
Pair(distrusting, context).until_error()
"""


def run(text: str, certificates: Certificates) -> str:
    command = [sys.executable, "-c", text, *certificates.server, certificates.ca_file]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def needs(package: str) -> None:
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed: scripts/test without --bare installs it")


@pytest.mark.parametrize("name", ["requests", "httpx", "aiohttp"])
def test_a_context_in_a_library_counts_and_tells(certificates: Certificates, name: str) -> None:
    client, library = CLIENTS[name]
    needs(library)
    context = certificates.client_context(alpn=["http/1.1"])
    told: list[Any] = []
    context.handshake_callback = lambda connection, event: told.append((connection.version(), event.version))
    terms = Given(HANDED, wiretight, certificates, None, certificates.ca_file, context)
    with http_family.standard_server(Terms(HANDED, standard, certificates, certificates.server, None)) as port:
        assert client(terms, port, b"hello") == b"hello"
    metrics = context.metrics()
    assert metrics.handshakes_started == metrics.handshakes_done == 1
    assert metrics.bytes_out > 0
    assert told == [("TLSv1.3", "TLSv1.3")]


# --- prometheus-client ------------------------------------------------------------------------------------------------

SCRAPE = """
import urllib.request

for kind in ("application/openmetrics-text; version=1.0.0", "text/plain"):
    request = urllib.request.Request("http://127.0.0.1:9100/metrics", headers={"Accept": kind})
    print(urllib.request.urlopen(request).read().decode())
"""


def test_the_collector_of_the_page_is_scraped(certificates: Certificates) -> None:
    needs("prometheus_client")
    port = str(free_port())
    told = run((PRINTED["collector.py"] + SHAKE + SCRAPE).replace("9100", port), certificates)
    for line in (
        'wiretight_handshakes_started_total{context="web"} 2.0',
        'wiretight_handshakes_done_total{context="web"} 1.0',
        'wiretight_handshake_seconds_count{context="web"} 1.0',
        'wiretight_versions_total{context="web",version="TLSv1.3"} 1.0',
    ):
        assert told.count(line) == 2, f"once in each format: {line}\n{told}"
    assert 'reason="refused"' in told
    assert 'alert="unknown_ca"' in told


def test_the_parser_of_openmetrics_reads_all_of_it(certificates: Certificates) -> None:
    needs("prometheus_client")
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    client, server = certificates.client_context(), certificates.server_context()
    server.load_crls(data=certificates.crl().pem)
    Pair(client, server).handshake()
    Pair(certificates.client_context(ca_file=certificates.other_ca_file), server).until_error()
    text = wiretight.openmetrics({"client": client, 'ser"ver\\\n': server})
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["wiretight_handshakes_done"].type == "counter"
    assert families["wiretight_handshake_seconds"].type == "histogram"
    assert families["wiretight_crl_expiry_timestamp_seconds"].unit == "seconds"
    named = {sample.labels["context"] for family in families.values() for sample in family.samples}
    assert named == {"client", 'ser"ver\\\n'}
    [failure] = families["wiretight_handshakes_failed"].samples
    assert failure.labels["alert"] == "unknown_ca"


# --- OpenTelemetry ----------------------------------------------------------------------------------------------------

READ = """
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, InMemoryMetricReader, PeriodicExportingMetricReader

memory = InMemoryMetricReader()
provider = MeterProvider([memory, PeriodicExportingMetricReader(ConsoleMetricExporter())])
metrics.set_meter_provider(provider)
"""

SHOW = """
[resource] = memory.get_metrics_data().resource_metrics
[scope] = resource.scope_metrics
[metric] = scope.metrics
provider.shutdown()
assert metric.name == "tls.handshake.duration"
print([dict(point.attributes) for point in metric.data.data_points])
"""

SEND = """
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

provider = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter("http://127.0.0.1:4318/v1/metrics"))])
metrics.set_meter_provider(provider)
"""


def test_the_histogram_of_the_page_is_recorded_and_printed(certificates: Certificates) -> None:
    needs("opentelemetry")
    told = run(PRINTED["telemetry.py"] + READ + SHAKE + SHOW, certificates)
    assert '"name": "tls.handshake.duration"' in told
    assert '"tls.protocol.version": "1.3"' in told
    assert "'error.type': 'unknown_ca'" in told
    assert "'tls.established': True" in told


def test_the_histogram_of_the_page_is_sent(certificates: Certificates) -> None:
    """By OTLP, to a collector that understands no more of it than the names."""
    needs("opentelemetry")
    got: list[bytes] = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with serving(Collector) as port:
        text = PRINTED["telemetry.py"] + SEND + SHAKE + "provider.shutdown()\n"
        run(text.replace("4318", str(port)), certificates)
    for name in (b"tls.handshake.duration", b"tls.cipher", b"error.type", b"unknown_ca"):
        assert name in b"".join(got)


@contextlib.contextmanager
def serving(handler: type[http.server.BaseHTTPRequestHandler]) -> Iterator[int]:
    with http.server.HTTPServer((ADDRESS, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


# --- Prometheus -------------------------------------------------------------------------------------------------------

CONFIGURATION = """
global: {scrape_interval: 200ms, evaluation_interval: 200ms}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: wiretight
    static_configs: [{targets: ["127.0.0.1:%d"]}]
"""


def ask(port: int, path: str) -> Any:
    try:
        with urllib.request.urlopen(f"http://{ADDRESS}:{port}/api/v1/{path}", timeout=PATIENCE) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


def test_prometheus_scrapes_it_and_an_alert_fires(certificates: Certificates, tmp_path: Path) -> None:
    """Of a certificate that has ended, because it needs no time that passes."""
    prometheus = program("prometheus", "prometheus")
    contexts = {
        "web": certificates.server_context(),
        "old": certificates.server_context(credentials=certificates.expired),
    }
    Pair(certificates.client_context(), contexts["web"]).handshake()

    class Metrics(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert "application/openmetrics-text" in self.headers["Accept"]
            body = wiretight.openmetrics(contexts).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    shutil.copy(ALERTS, tmp_path)
    port = free_port()
    with serving(Metrics) as target:
        (tmp_path / "prometheus.yml").write_text(CONFIGURATION % target)
        options = ("--config.file=prometheus.yml", "--storage.tsdb.path=data", f"--web.listen-address={ADDRESS}:{port}")
        with Process(prometheus, *options, folder=tmp_path) as running:
            until(
                lambda: (ask(port, "query?query=wiretight_handshakes_done_total") or {}).get("result"), "it is scraped"
            )
            found = ask(port, "query?query=wiretight_handshakes_done_total")["result"]
            assert {each["metric"]["context"]: each["value"][1] for each in found} == {"web": "1", "old": "0"}
            until(lambda: fired(port), "an alert fires")
            assert ("TLSCertificateEnds", "old") in fired(port)
            assert ("TLSCertificateEnds", "web") not in fired(port)
            assert "err=" not in running.output


def fired(port: int) -> set[tuple[str, str]]:
    alerts = (ask(port, "alerts") or {}).get("alerts", [])
    labels = [alert["labels"] for alert in alerts if alert["state"] == "firing"]
    return {(each["alertname"], each["context"]) for each in labels}


def promtool(*arguments: str | Path) -> str:
    command = [program("promtool", "prometheus"), *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_the_rules_are_well_formed() -> None:
    assert "rules found" in promtool("check", "rules", ALERTS)


def test_each_rule_fires_when_it_should_and_not_before() -> None:
    """By promtool's own tests of rules, which make the time pass."""
    tested = Path(__file__).with_name("alerts_test.yml")
    assert "SUCCESS" in promtool("test", "rules", tested)
    for line in ALERTS.read_text().splitlines():
        name = line.strip().removeprefix("- alert: ")
        assert name == line.strip() or tested.read_text().count(f"alertname: {name}\n") >= 2
