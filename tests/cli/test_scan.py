"""scan: shows what a server offers, and says what is wrong with it."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, strategies

from tests.cli import hostile
from tests.cli.command import COLOUR, assert_one_line, in_terminal, wiretight
from tests.cli.conftest import Serving
from tests.cli.hostile import CONDUCTS, DONE, Conduct, extension, flight, record, server_hello, until_closed
from tests.kit.authority import issue
from tests.kit.certificates import ADDRESS, HOST, Certificates, Credentials
from tests.kit.keys import authority
from tests.kit.servers import Server
from tests.kit.subject import tls
from wiretight._cli.connect.report import Report
from wiretight._cli.main import _run
from wiretight._cli.scan.answer import Answer, Flight, NotTLS, ssl2_answer
from wiretight._cli.scan.authorities import in_words
from wiretight._cli.scan.findings import GRADES, SEVERITIES, Finding, findings, grade
from wiretight._cli.scan.handshakes import Completed, Web
from wiretight._cli.scan.hello import SSL3, TLS10, TLS12, TLS13, Hello
from wiretight._cli.scan.mozilla import comparisons
from wiretight._cli.scan.suites import numbers, suite, suites
from wiretight._cli.scan.survey import Offer, Survey, _reordered
from wiretight._cli.trace.messages import RETRY

QUICK = ("--timeout", "1.5")  # for a server that lets one wait


def scanned(port: int, *arguments: object, status: int = 0) -> dict[str, Any]:
    result = wiretight("scan", f"{HOST}:{port}", "--json", *arguments)
    assert result.returncode == status, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def version(document: dict[str, Any], name: str) -> dict[str, Any]:
    [found] = [each for each in document["versions"] if each["version"] == name]
    return found  # type: ignore[no-any-return]


def names(offer: dict[str, Any]) -> list[str]:
    return [each["name"] for each in offer["suites"]]


# --- What a server offers ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(certificates: Certificates) -> dict[str, Any]:
    context = certificates.server_context(alpn=["h2", "http/1.1"])
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
    with Server(context, lambda _sock: None, errors_ok=True) as server:
        return scanned(server.port, "--cafile", certificates.ca_file)


def test_versions_and_suites_are_found_in_the_order_of_the_server(document: dict[str, Any]) -> None:
    assert [each["version"] for each in document["versions"]] == ["TLS 1.3", "TLS 1.2"]
    assert names(version(document, "TLS 1.2")) == [
        "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305",
    ]  # fmt: skip
    assert version(document, "TLS 1.2")["server_order"] is True
    assert "TLS_AES_128_GCM_SHA256" in names(version(document, "TLS 1.3"))
    assert document["ssl2_ciphers"] == []


def test_what_tls_1_3_encrypts_is_found_too(document: dict[str, Any]) -> None:
    assert set(document["alpn"]) == {"h2", "http/1.1"}
    assert version(document, "TLS 1.3")["signature_algorithms"] == ["ecdsa_secp256r1_sha256"]


def test_groups_are_found(document: dict[str, Any]) -> None:
    groups = version(document, "TLS 1.3")["groups"]
    assert {"x25519", "secp256r1", "secp384r1"} <= set(groups)
    assert ("X25519MLKEM768" in groups) == (tls.OPENSSL_VERSION_INFO >= (3, 5))
    assert version(document, "TLS 1.2")["groups"][0] == "x25519"


def test_resumption_and_extensions_are_found(document: dict[str, Any]) -> None:
    assert document["resumption"] == {"tls13": True, "tickets": True, "session_ids": True}
    assert document["secure_renegotiation"] is True
    assert document["fallback_scsv"] is True
    assert document["extended_master_secret"] is True
    assert document["compression"] is False
    assert document["client_certificate_requested"] is False
    assert document["ocsp_stapled"] is False


def test_the_certificate_is_verified(document: dict[str, Any]) -> None:
    [report] = document["certificates"]
    assert report["verified"] is True
    assert report["session_reused"] is None  # which has connections of its own, and nobody waits for a ticket here
    assert report["chain"][0]["names"] == [HOST, ADDRESS, "::1"]


def test_no_question_remained_without_an_answer(document: dict[str, Any]) -> None:
    assert document["troubles"] == []
    assert document["is_partial"] is False
    assert 30 < document["connections"] < 100


def test_only_what_is_allowed_is_found(serving: Serving, certificates: Certificates) -> None:
    context = certificates.server_context(tls.TLSVersion.TLSv1_3)
    context.options |= tls.OP_NO_TICKET
    context.num_tickets = 0
    context.set_groups("P-384:P-256")
    found = scanned(serving(context), "--cafile", certificates.ca_file)

    [only] = found["versions"]
    assert (only["version"], only["groups"]) == ("TLS 1.3", ["secp384r1", "secp256r1"])
    assert found["resumption"] == {"tls13": False, "tickets": None, "session_ids": None}
    assert found["compression"] is None
    assert found["fallback_scsv"] is None


def test_old_versions_are_found_whatever_this_openssl_offers(serving: Serving, certificates: Certificates) -> None:
    context = certificates.server_context(credentials=certificates.server_with_rsa)
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = tls.TLSVersion.TLSv1
    context.set_ciphers("ALL:NULL:aNULL:@SECLEVEL=0")
    found = scanned(serving(context), "--cafile", certificates.ca_file)

    assert [each["version"] for each in found["versions"]] == ["TLS 1.3", "TLS 1.2", "TLS 1.1", "TLS 1.0"]
    assert {"NULL-SHA", "AECDH-AES128-SHA", "AES128-SHA"} <= set(names(version(found, "TLS 1.0")))
    assert found["grade"] == "F"
    broken = [each["what"] for each in found["findings"] if each["severity"] == "broken"]
    assert [what.partition("suites ")[2] for what in broken] == ["without encryption", "without authentication"]


def test_two_keys_of_a_server_are_both_looked_at(serving: Serving, certificates: Certificates) -> None:
    context = certificates.server_context()
    context.load_cert_chain(*certificates.server_with_rsa)
    found = scanned(serving(context), "--cafile", certificates.ca_file)

    assert {report["chain"][0]["key_type"] for report in found["certificates"]} == {"EC", "RSA"}
    signatures = version(found, "TLS 1.2")["signature_algorithms"]
    assert {"ecdsa_secp256r1_sha256", "rsa_pss_rsae_sha256"} <= set(signatures)


@pytest.mark.parametrize("newest", [tls.TLSVersion.TLSv1_2, tls.TLSVersion.TLSv1_3])
def test_a_server_that_asks_for_certificates_says_whose(
    serving: Serving, certificates: Certificates, newest: Any
) -> None:
    context = certificates.server_context(client_ca=certificates.ca_file)
    context.maximum_version = newest
    found = scanned(serving(context), "--cafile", certificates.ca_file)

    assert found["client_certificate_requested"] is True
    assert found["client_authorities"] is not None
    assert all("CN=" in name or "O=" in name for name in found["client_authorities"])


def test_a_refused_certificate_is_a_grade_of_its_own(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(credentials=certificates.expired))
    found = scanned(port, "--cafile", certificates.ca_file)

    assert found["grade"] == "T"
    assert found["grade_without_trust"] in ("A", "B")
    assert "expired" in found["findings"][0]["why"]
    assert scanned(port, "--insecure")["grade"] == found["grade_without_trust"]


def test_what_is_wrong_with_a_chain_is_found(serving: Serving, certificates: Certificates, tmp_path: Path) -> None:
    root, intermediate = authority()
    server = intermediate.issue("server", names=[HOST])
    file, key = server.write(tmp_path, "server")
    file.write_text("".join(each.pem for each in (server, intermediate, issue("other", ca=True))))
    (tmp_path / "ca.pem").write_text(root.pem)
    context = certificates.server_context(credentials=Credentials(file, key))

    whats = [each["what"] for each in scanned(serving(context), "--cafile", tmp_path / "ca.pem")["findings"]]
    assert any("superfluous" in what for what in whats)
    assert any("expires in" in what for what in whats)


def test_a_web_server_is_asked_for_hsts_once(certificates: Certificates) -> None:
    requests = []

    def answer(sock: Any) -> None:
        if request := sock.recv(65536):
            requests.append(request)
            sock.sendall(b"HTTP/1.1 200 OK\r\nstrict-transport-security: max-age=300; preload\r\n\r\n")

    with Server(certificates.server_context(alpn=["http/1.1"]), answer, errors_ok=True) as server:
        found = scanned(server.port, "--cafile", certificates.ca_file)

    assert [request.partition(b"\r\n")[0] for request in requests] == [b"HEAD / HTTP/1.1"]
    assert (found["http_status"], found["hsts_max_age"]) == (200, 300)
    assert any("HSTS holds for less than a day only" in each["what"] for each in found["findings"])


def test_after_starttls_the_same_is_found(saying: Callable[..., int], certificates: Certificates) -> None:
    context = certificates.server_context()

    def tls_from_here(sock: socket.socket) -> None:
        sock.recv(4096)
        sock.sendall(b"220 go\r\n")
        with context.wrap_socket(sock, server_side=True) as wrapped:
            wrapped.recv(1)

    port = saying(b"220 ready\r\n", b"250 STARTTLS\r\n", then=tls_from_here)
    found = scanned(port, "--starttls", "smtp", "--cafile", certificates.ca_file)
    assert [each["version"] for each in found["versions"]] == ["TLS 1.3", "TLS 1.2"]
    assert found["http_status"] is None


# --- What no OpenSSL has any more -------------------------------------------------------------------------------------


def choosing(accepted: dict[int, list[int]], compression: int = 0, ssl2: bytes | None = None) -> Conduct:
    """A server that answers a hello of a version with the first of its suites that is offered, as far as DONE."""

    def conduct(sock: socket.socket, over: threading.Event) -> None:
        hello = sock.recv(65536)
        if hello[0] & 0x80:
            if ssl2 is not None:
                sock.sendall(ssl2)
            return
        asked = int.from_bytes(hello[9:11], "big")
        session = hello[43]
        size = int.from_bytes(hello[44 + session : 46 + session], "big")
        offered = hello[46 + session : 46 + session + size]
        pairs = {int.from_bytes(offered[at : at + 2], "big") for at in range(0, size, 2)}
        own = [each for each in accepted.get(asked, []) if each in pairs]
        is_1_3 = b"\x00\x2b\x00\x03\x02\x03\x04" in hello
        if not own or is_1_3:
            sock.sendall(record(21, b"\x02\x28"))
            return
        compressed = hello[47 + session + size] == compression and compression
        answer = server_hello(asked, own[0], compression=compressed)
        sock.sendall(record(22, answer + hostile.certificates(b"none") + DONE, asked))
        until_closed(sock, over)

    return conduct


def test_ssl_3_rc4_and_export_are_found() -> None:
    accepted = {SSL3: [0x0005, 0x0003], TLS10: [0x0005, 0x0009]}
    with hostile.serving(choosing(accepted)) as port:
        found = scanned(port)

    assert names(version(found, "SSL 3.0")) == ["RC4-SHA", "EXP-RC4-MD5"]
    assert names(version(found, "TLS 1.0")) == ["RC4-SHA", "DES-CBC-SHA"]
    whats = " ".join(each["what"] for each in found["findings"])
    for what in ("SSL 3.0 is offered", "with RC4", "export strength", "DES or RC2", "renegotiation is not secure"):
        assert what in whats
    assert found["grade"] == "F"
    assert found["certificates"] == []
    assert found["certificates_unknown"]


def test_ssl_2_is_found() -> None:
    ciphers = bytes.fromhex("0100800700c0")
    hello = b"\x04\0\1\0\2" + b"\0\1" + len(ciphers).to_bytes(2, "big") + b"\0\x10" + b"x" + ciphers + bytes(16)
    with hostile.serving(choosing({TLS10: [0x0035]}, ssl2=(0x8000 | len(hello)).to_bytes(2, "big") + hello)) as port:
        found = scanned(port)

    assert found["ssl2_ciphers"] == ["RC4-MD5", "DES-CBC3-MD5"]
    assert "SSL 2.0 is offered" in [each["what"] for each in found["findings"]]


def test_compression_is_found() -> None:
    with hostile.serving(choosing({TLS12: [0x0035]}, compression=1)) as port:
        found = scanned(port)

    assert found["compression"] is True
    assert "TLS compresses" in [each["what"] for each in found["findings"]]


def test_the_better_suites_are_offered_first() -> None:
    assert [suite(number).name for number in numbers(TLS12)][:2] == [
        "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384",
    ]  # fmt: skip
    assert "TLS_AES_128_GCM_SHA256" in [suite(number).name for number in numbers(TLS13)]
    assert not [number for number in numbers(SSL3) if suite(number).needs_1_2]


def test_the_other_order_begins_with_another_suite_of_the_same_kind() -> None:
    """So that a server that has an order for clients without instructions for AES, too, is asked for the same one."""
    gcm, cbc, chacha = [0xC02F, 0xC030], [0xC027, 0x009D], [0xCCA8]
    for order in ([*gcm, *cbc, *chacha], [gcm[0], *chacha, *cbc, gcm[1]]):
        assert _reordered(order)[0] == gcm[1]
        assert sorted(_reordered(order)) == sorted(order)
    assert _reordered([*chacha, gcm[0], *cbc])[0] != chacha[0]
    assert _reordered([gcm[0], *chacha, cbc[0]])[0] == cbc[0]


def test_suites_have_the_names_that_openssl_gives_them() -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    for cipher in context.get_ciphers():
        known = suites().get(cipher["id"] & 0xFFFF)
        if known is not None:
            assert known.name == cipher["name"]


# --- What is wrong with it --------------------------------------------------------------------------------------------


def offering(**others: Any) -> Survey:
    """What nothing is wrong with."""
    survey = Survey(
        offers={
            TLS13: Offer(TLS13, [0x1301], groups=[4588, 29], signatures=[0x0403]),
            TLS12: Offer(TLS12, [0xC02B, 0xC02F], own_order=True, groups=[29], signatures=[0x0403]),
        },
        secure_renegotiation=True,
        extended_master_secret=True,
        honours_fallback=True,
    )
    return replace(survey, **others)


def with_suites(*given: int, own_order: bool = True) -> Survey:
    survey = offering()
    survey.offers[TLS12] = Offer(TLS12, [0xC02F, *given], own_order=own_order, groups=[29])
    return survey


def with_version(number: int) -> Survey:
    survey = offering()
    survey.offers[number] = Offer(number, [0xC02F])
    return survey


def with_dh(bits: int) -> Survey:
    survey = offering()
    survey.offers[TLS12] = Offer(TLS12, [0xC02F], answers=[Answer(version=TLS12, suite=0x9E, dh_bits=bits)])
    return survey


SURVEYS: dict[str, tuple[Survey, str]] = {
    "nothing": (offering(), "A+"),
    "TLS 1.0": (with_version(TLS10), "C"),
    "SSL 3.0": (with_version(SSL3), "F"),
    "SSL 2.0": (offering(ssl2_ciphers=["RC4-MD5"]), "F"),
    "CBC": (with_suites(0xC027), "B"),
    "no forward secrecy": (with_suites(0x009C), "B"),
    "SEED": (with_suites(0x009A), "B"),
    "3DES": (with_suites(0xC012), "C"),
    "RC4": (with_suites(0xC011), "F"),
    "DES": (with_suites(0x0009), "F"),
    "export": (with_suites(0x0003), "F"),
    "no encryption": (with_suites(0x003B), "F"),
    "no encryption in TLS 1.3": (with_suites(0xC0B4), "F"),
    "no authentication": (with_suites(0x006C), "F"),
    "the client's order": (with_suites(0xC02B, own_order=False), "A+"),
    "DH of 512 bits": (with_dh(512), "F"),
    "DH of 1024 bits": (with_dh(1024), "C"),
    "DH of 2048 bits": (with_dh(2048), "A+"),
    "compression": (offering(compresses=True), "F"),
    "renegotiation": (offering(secure_renegotiation=False), "F"),
    "the master secret": (offering(extended_master_secret=False), "A"),
}


@pytest.mark.parametrize("name", SURVEYS)
def test_what_is_wrong_has_its_grade(name: str) -> None:
    survey, expected = SURVEYS[name]
    found = findings(survey, Completed())
    assert grade(found) == expected, found
    assert len(found) == (expected != "A+")


@pytest.mark.parametrize(
    ("web", "expected"),
    [(Web(200), "A"), (Web(200, "max-age=0", 0), "A"), (Web(200, "", 5), "A"), (Web(200, "", 63072000), "A+")],
)
def test_a_web_server_needs_hsts_for_the_best_grade(web: Web, expected: str) -> None:
    assert grade(findings(offering(), Completed(web=web))) == expected


def test_the_grade_is_that_of_the_worst_finding() -> None:
    found = [Finding(severity, "x") for severity in SEVERITIES]
    assert [grade(found[: number + 1]) for number in range(len(found))] == list(GRADES[1:])
    assert grade([]) == "A+"
    refused = Report(HOST, 443, verified=False, refused="unknown issuer")
    assert grade(findings(with_version(SSL3), Completed(trust=[refused]))) == "T"


def test_mozillas_levels_are_compared() -> None:
    def met(survey: Survey) -> list[str]:
        return [each.level for each in comparisons(survey) if each.is_met]

    modern = offering(offers={TLS13: Offer(TLS13, [0x1301, 0x1302], groups=[4588, 29, 23])})
    assert met(modern) == ["modern", "intermediate", "old"]
    assert met(offering()) == ["intermediate", "old"]
    assert met(with_suites(0x002F)) == ["old"]
    assert met(with_version(TLS10)) == ["old"]
    assert met(with_suites(0x0005)) == []
    beyond = comparisons(with_suites(0x0005))[2]
    assert (beyond.versions, beyond.suites, beyond.groups) == ([], ["RC4-SHA"], [])


# --- How it is said ---------------------------------------------------------------------------------------------------


@pytest.fixture
def plain(web_port: int, certificates: Certificates) -> str:
    result = wiretight("scan", f"{HOST}:{web_port}", "--cafile", certificates.ca_file)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


def test_lines_fit_into_80_columns(plain: str) -> None:
    assert max(map(len, plain.splitlines())) <= 80
    assert plain.startswith(f"{HOST}:")
    assert "\x1b" not in plain
    for heading in ("findings", "Mozilla's guideline", "versions", "what else", "certificate"):
        assert f"\n\n{heading}\n" in plain


def test_a_terminal_gets_colour_unless_it_is_not_wanted(web_port: int, certificates: Certificates) -> None:
    pytest.importorskip("rich", reason="colour needs rich: pip install 'wiretight[demo]'")
    arguments = ("scan", f"{HOST}:{web_port}", "--cafile", certificates.ca_file)
    status, seen = in_terminal(*arguments)
    assert status == 0
    assert COLOUR.search(seen)
    codes = {
        part
        for code in COLOUR.findall(in_terminal(*arguments, environment={"NO_COLOR": "1"})[1])
        for part in code[2:-1].split(";")
    }
    assert not {code for code in codes if code[:1] in ("3", "4", "9") and len(code) == 2}


def test_a_grade_can_be_demanded(web_port: int, certificates: Certificates) -> None:
    arguments = ("scan", f"{HOST}:{web_port}", "--cafile", certificates.ca_file, "--at-least")
    assert wiretight(*arguments, "F").returncode == 0
    result = wiretight(*arguments, "A+")
    assert_one_line(result, "which is below A+")
    assert result.stdout


@pytest.mark.parametrize(
    "arguments",
    [["a b"], ["host:port:1"], [f"{HOST}:0"], [f"{HOST}:99999"], ["https://"], [HOST, "--at-least", "Z"],
     [HOST, "--parallel", "0"], [HOST, "--timeout", "-1"], [HOST, "--starttls", "gopher"], [HOST, "--key", "k"], []],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    result = wiretight("scan", *arguments)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_failures_are_documents_too(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for arguments, words in (
        ([f"{ADDRESS}:1"], "refused the connection"),
        ([HOST, "--cafile", tmp_path / "none"], "cannot be read"),
        ([HOST, "--cafile", tmp_path / "ca.pem"], "no CA certificate"),
        ([HOST, "--cert", tmp_path / "ca.pem"], "no certificate"),
    ):
        result = wiretight("scan", *arguments, "--json")
        assert_one_line(result, words)
        assert words in json.loads(result.stdout)["error"]


@pytest.mark.parametrize("name", ["nobody.invalid", "a..b"])
def test_an_unknown_host_is_reported(name: str) -> None:
    result = wiretight("scan", name)
    assert_one_line(result, name)
    assert "unknown host" in result.stderr or "cannot be a server's name" in result.stderr


# --- Servers that are none --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONDUCTS)
def test_whatever_a_server_does_the_scan_ends_with_a_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with hostile.serving(CONDUCTS[name]) as port:
        status = _run(["scan", f"{ADDRESS}:{port}", "--json", *QUICK])  # in this process: no error is hidden by its end

    output, errors = capsys.readouterr()
    assert status in (0, 1)
    assert errors.count("\n") == status
    found = json.loads(output)
    assert ("error" in found) == ("versions" not in found)
    assert status == 1 or found["versions"]


@pytest.mark.parametrize("name", ["ALPN with escapes", "authorities that are none", "a banner with escapes"])
def test_a_server_cannot_control_the_terminal(name: str) -> None:
    with hostile.serving(CONDUCTS[name]) as port:
        result = wiretight("scan", f"{ADDRESS}:{port}", *QUICK)
    assert "\x1b" not in result.stdout + result.stderr


SENTENCES = {
    "says nothing": "did not answer within 0.5 s",
    "closes after the hello": "closes every connection on which a handshake begins",
    "resets after the hello": "resets every connection on which a handshake begins",
    "the same alert for every hello": "refused every handshake (alert handshake_failure)",
    "HTTP after the hello": "speaks plain HTTP",
    "SSH": "speaks SSH",
    "SMTP": "does not speak TLS: it answered '220 mail.example.org",
    "zeros for ever": "does not speak TLS",
    "empty records for ever": "does not stop sending records",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_a_server_that_is_none_is_told_from_one(name: str) -> None:
    with hostile.serving(CONDUCTS[name]) as port:
        assert_one_line(wiretight("scan", f"{ADDRESS}:{port}", *QUICK), SENTENCES[name])


def test_a_server_that_chooses_what_was_not_offered_is_no_endless_loop() -> None:
    with hostile.serving(CONDUCTS["the same suite for every hello"]) as port:
        found = scanned(port)
    assert "chooses what it was not offered" in found["troubles"]


def test_a_server_that_stops_answering_is_reported_as_far_as_it_did(certificates: Certificates) -> None:
    with hostile.serving(flight(server_hello(), DONE), connections=20) as port:
        result = wiretight("scan", f"{ADDRESS}:{port}", *QUICK)
    assert "incomplete" in result.stdout
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "said", [b"220 hello\r\n250 no\r\n", b"\0\xff\r\n", b"220 hello\r\n250 yes\r\n220 go\r\nHTTP/1.1 400\r\n\r\n", b""]
)
def test_starttls_that_is_none_is_told(saying: Callable[..., int], said: bytes) -> None:
    result = wiretight("scan", f"{ADDRESS}:{saying(*said.splitlines(keepends=True))}", "--starttls", "smtp", *QUICK)
    assert_one_line(result, f"{ADDRESS}:")


@given(data=strategies.binary(max_size=400), looks_on=strategies.booleans())
def test_whatever_bytes_come_are_an_answer_or_none_of_tls(data: bytes, looks_on: bool) -> None:
    with contextlib.suppress(NotTLS):
        Flight(Hello(TLS13, (0x1303,), share=True).message(), looks_on).feed(data)
    with contextlib.suppress(NotTLS):
        ssl2_answer(data)


@given(
    bodies=strategies.lists(strategies.tuples(strategies.integers(0, 30), strategies.binary(max_size=80)), max_size=6),
    number=strategies.sampled_from([0xC02F, 0x009E, 0x002F, 0x0003, 0x1303, 0x0000]),
    is_1_3=strategies.booleans(),
)
def test_whatever_messages_come_are_an_answer_or_none_of_tls(
    bodies: list[tuple[int, bytes]], number: int, is_1_3: bool
) -> None:
    sent = server_hello(suite=number, extensions=extension(43, b"\x03\x04") if is_1_3 else b"")
    sent += b"".join(hostile.message(kind, body) for kind, body in bodies)
    flight = Flight(Hello(TLS12, (0xC02F,)).message(), True)
    with contextlib.suppress(NotTLS):
        flight.feed(record(22, sent))
        assert flight.answer.suite == number


@given(data=strategies.binary(max_size=60))
def test_whatever_a_name_is_it_is_shown(data: bytes) -> None:
    assert isinstance(in_words(data), str)


def test_an_answer_to_a_hello_without_a_share_is_a_request_for_one() -> None:
    flight = Flight(b"")
    flight.feed(
        record(
            22,
            server_hello(suite=0x1301, random=RETRY, extensions=extension(43, b"\x03\x04") + extension(51, b"\0\x1d")),
        )
    )
    assert (flight.is_over, flight.answer.is_retry, flight.answer.group) == (True, True, 29)
