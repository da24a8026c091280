"""trace: shows what a client and a server say to each other, message by message."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies

from tests.cli.command import COLOUR, COMMAND, assert_one_line, in_terminal, wiretight
from tests.cli.conftest import Serving
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.pair import Pair
from tests.kit.subject import tls
from wiretight._cli.trace import names, tracer
from wiretight._cli.trace.messages import name_and_details
from wiretight._cli.trace.tracer import Tracer

FLIGHTS = {
    "1.2": [
        "sent ClientHello", "received ServerHello", "received Certificate", "received ServerKeyExchange",
        "received ServerHelloDone", "sent ClientKeyExchange", "sent ChangeCipherSpec", "sent Finished",
        "received NewSessionTicket", "received Finished", "sent close_notify",
    ],
    "1.3": [
        "sent ClientHello", "received ServerHello", "received EncryptedExtensions", "received Certificate",
        "received CertificateVerify", "received Finished", "sent Finished",
        "received NewSessionTicket", "received NewSessionTicket", "sent close_notify",
    ],
}  # fmt: skip


def traced(port: int, *arguments: object, status: int = 0) -> dict[str, Any]:
    result = wiretight("trace", f"{HOST}:{port}", "--json", *arguments)
    assert result.returncode == status, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def is_of_the_handshake(message: dict[str, Any], version: str) -> bool:
    """Not what TLS 1.3 sends for the sake of middleboxes, of which OpenSSL tells more or less."""
    return version == "1.2" or message["kind"] != "change_cipher_spec"


def message(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in document["messages"] if each["name"] == name)
    return found


@pytest.mark.parametrize("version", FLIGHTS)
def test_each_message_of_a_handshake_is_shown(web_port: int, certificates: Certificates, version: str) -> None:
    messages = traced(web_port, "--cafile", certificates.ca_file, "--tls", version)["messages"]

    names = [f"{each['direction']} {each['name']}" for each in messages if is_of_the_handshake(each, version)]
    if names[-1] == "received close_notify":  # which nobody waits for
        names.pop()
    assert names == FLIGHTS[version]
    times = [each["seconds"] for each in messages]
    assert times == sorted(times)
    assert times[0] == 0
    assert all(each["bytes"] > 0 for each in messages)


@pytest.mark.parametrize("version", FLIGHTS)
def test_messages_say_what_was_offered_and_chosen(serving: Serving, certificates: Certificates, version: str) -> None:
    port = serving(certificates.server_context(alpn=["http/1.1"]))
    document = traced(port, "--cafile", certificates.ca_file, "--tls", version)
    offer, choice = (message(document, name)["details"] for name in ("ClientHello", "ServerHello"))

    assert offer["versions"] == [f"TLS {version}"]
    assert (offer["server_name"], offer["alpn"]) == (HOST, ["h2", "http/1.1"])
    assert choice["version"] == f"TLS {version}"
    assert choice["cipher_suite"] in offer["cipher_suites"]
    where = "ServerKeyExchange" if version == "1.2" else "ServerHello"
    assert message(document, where)["details"]["group"] in offer["groups"]
    alpn = "ServerHello" if version == "1.2" else "EncryptedExtensions"
    assert message(document, alpn)["details"]["alpn"] == ["http/1.1"]
    certificate = message(document, "Certificate")["details"]
    assert (certificate["certificates"], certificate["subject"][:2]) == (1, "O=")


def test_a_second_client_hello_follows_a_request_for_one(serving: Serving, certificates: Certificates) -> None:
    context = certificates.server_context(tls.TLSVersion.TLSv1_3)
    context.set_groups("P-521")
    names = [each["name"] for each in traced(serving(context), "--cafile", certificates.ca_file)["messages"]]

    assert [name for name in names if name != "ChangeCipherSpec"][:4] == [
        "ClientHello", "HelloRetryRequest", "ClientHello", "ServerHello",
    ]  # fmt: skip


@pytest.mark.parametrize("version", FLIGHTS)
def test_a_request_for_a_certificate_names_authorities(
    serving: Serving, certificates: Certificates, version: str
) -> None:
    port = serving(certificates.server_context(client_ca=certificates.ca_file))
    chain, key = certificates.client
    arguments = ["--cafile", certificates.ca_file, "--tls", version, "--cert", chain, "--key", key]
    request = message(traced(port, *arguments), "CertificateRequest")["details"]

    assert request["authorities"] >= 0
    assert "ecdsa_secp256r1_sha256" in request["signature_algorithms"]


def test_records_are_shown_if_asked_for(web_port: int, certificates: Certificates) -> None:
    trace = ["--cafile", certificates.ca_file, "--tls", "1.2"]
    records = [each for each in traced(web_port, *trace, "--records")["messages"] if each["kind"] == "record"]

    assert {each["details"]["type"] for each in records} == {"handshake", "change_cipher_spec", "alert"}
    assert all(each["bytes"] == 5 for each in records)
    assert not [each for each in traced(web_port, *trace)["messages"] if each["kind"] == "record"]


def test_a_refusal_is_shown_with_its_alert(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(credentials=certificates.server_of_other_ca))
    document = traced(port, "--cafile", certificates.ca_file, status=1)

    assert document["messages"][-1]["name"] == "unknown_ca"
    assert document["messages"][-1]["details"] == {"level": "fatal"}
    assert f"{HOST}:{port} was refused: unknown issuer" in document["error"]
    result = wiretight("trace", f"{HOST}:{port}", "--cafile", certificates.ca_file)
    assert_one_line(result, "unknown issuer")
    assert "-> alert unknown_ca" in result.stdout


def test_a_server_that_is_none_is_an_error() -> None:
    assert_one_line(wiretight("trace", f"{ADDRESS}:1"), "refused the connection")
    assert_one_line(wiretight("trace", "a b"), "is not HOST", status=2)


def test_the_first_line_is_not_late_for_what_had_to_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    ciphers: dict[int, str] = dict(names._SIGNALLING)
    monkeypatch.setattr(names, "_CIPHERS", ciphers)
    prepared: list[object] = []
    monkeypatch.setattr(tracer, "prepare", prepared.append)
    stream = io.StringIO()
    tracer.Tracer(stream)

    assert prepared == [stream]
    assert len(ciphers) > len(names._SIGNALLING)


def test_a_line_is_broken_between_two_things_that_a_message_says() -> None:
    said = ["one: two", "three", "four: five six seven"]
    assert tracer._lines(said, 16) == ["one: two; three;", "four: five six", "seven"]
    assert tracer._lines(["suite: ECDHE-RSA"], 12) == ["suite:", "ECDHE-RSA"]


@pytest.mark.parametrize("options", [[], ["--verbose"], ["--records"]], ids=" ".join)
def test_lines_fit_into_80_columns(web_port: int, certificates: Certificates, options: list[str]) -> None:
    result = wiretight("trace", f"{HOST}:{web_port}", "--cafile", certificates.ca_file, *options)

    assert result.returncode == 0
    heading, *lines = result.stdout.splitlines()
    assert heading.split() == ["ms", "message", "bytes"]
    assert max(map(len, lines)) <= 80
    assert ("extensions:" in result.stdout) == ("--verbose" in options)


def test_a_terminal_gets_colour(web_port: int, certificates: Certificates) -> None:
    pytest.importorskip("rich", reason="colour needs rich: pip install 'wiretight[demo]'")
    status, seen = in_terminal("trace", f"{HOST}:{web_port}", "--cafile", certificates.ca_file)

    assert status == 0
    assert COLOUR.search(seen)


def test_a_program_is_traced(web_port: int, certificates: Certificates, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        f"""
import urllib.request, ssl
for _ in range(2):
    context = ssl.create_default_context(cafile={str(certificates.ca_file)!r})
    print(urllib.request.urlopen("https://{HOST}:{web_port}/", context=context).status)
"""
    )
    result = wiretight("run", "--trace", program)

    assert (result.returncode, result.stdout) == (0, "200\n200\n"), result.stderr
    lines = result.stderr.splitlines()
    assert lines[0] == f"connection 1, client of {HOST}"
    assert [line[:4] for line in lines if "-> ClientHello" in line] == ["  1 ", "  2 "]


PROGRAMS = {
    "pickled": """
import pickle
contexts = [pickle.loads(pickle.dumps(context)) for context in contexts]
""",
    "with a slot that its class reads": """
class Own(ssl.SSLContext):
    def __init__(self, *_):
        self.__dict__["ready"] = True
    def __setattr__(self, name, value):
        assert self.ready
        super().__setattr__(name, value)
contexts = [Own(ssl.PROTOCOL_TLS_CLIENT)]
contexts[0].load_verify_locations(CA)
""",
    "without stderr": "import os; os.close(2)",
    "without sys.stderr": "import sys; sys.stderr.close()",
    "after a fork": """
import os
child = os.fork()
if child == 0:
    fetch(contexts[0])
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    "with a class of contexts that fails": "ssl.SSLContext = None",
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("output", ["read", "full"])
def test_a_program_is_what_it_is_without_the_trace(
    web_port: int, certificates: Certificates, tmp_path: Path, name: str, output: str
) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        f"""
import ssl, urllib.request
CA = {str(certificates.ca_file)!r}
def fetch(context):
    print(urllib.request.urlopen("https://{HOST}:{web_port}/", context=context).status, flush=True)
contexts = [ssl.create_default_context(cafile=CA)]
{PROGRAMS[name]}
for context in contexts:
    fetch(context)
"""
    )
    with Path("/dev/full" if output == "full" else tmp_path / "trace").open("w") as stderr:
        command = [sys.executable, "-m", "wiretight", "run", "--trace", program]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, text=True, check=False)
    assert (result.returncode, set(result.stdout.split())) == (0, {"200"})


def test_a_trace_that_nobody_reads_ends_and_keeps_nothing(certificates: Certificates) -> None:
    """In a program that runs for months."""
    stream = io.StringIO()
    tracer = Tracer(stream)
    client = certificates.client_context()
    client.message_callback = tracer
    stream.close()
    for _ in range(3):
        Pair(client, certificates.server_context()).handshake()
    assert tracer.events == []


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_trace_that_cannot_be_written_is_an_error(web_port: int, certificates: Certificates, unbuffered: str) -> None:
    with Path("/dev/full").open("w", encoding="ascii") as full:
        result = subprocess.run(
            [*COMMAND, "trace", f"localhost:{web_port}", "--cafile", certificates.ca_file],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert result.returncode == 1
    assert result.stderr == "wiretight: the output cannot be written: No space left on device\n"


# --- What a peer may send ---------------------------------------------------------------------------------------------


HELLO = bytes.fromhex(
    "010000c1030300000000000000000000000000000000000000000000000000000000000000000000061301130213030100"
    "0092000000100000000d6578616d706c652e6f726700100000000a00080006001d00170018"
)


@given(
    data=strategies.binary(max_size=300), kind=strategies.integers(0, 255), version=strategies.sampled_from([771, 772])
)
def test_whatever_a_peer_sends_is_shown(data: bytes, kind: int, version: int) -> None:
    name, details = name_and_details(bytes([kind]) + len(data).to_bytes(3, "big") + data, version)
    assert name
    json.dumps(details)


@given(
    size=strategies.integers(0, len(HELLO)),
    at=strategies.integers(4, len(HELLO) - 1),
    value=strategies.integers(0, 255),
)
def test_a_damaged_message_is_shown_as_far_as_it_goes(size: int, at: int, value: int) -> None:
    damaged = bytearray(HELLO)
    damaged[at] = value
    name, details = name_and_details(bytes(damaged[:size]), 772)
    assert name == ("ClientHello" if size else "empty message")
    json.dumps(details)
