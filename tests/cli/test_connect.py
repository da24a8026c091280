"""connect: shows what a server negotiates, and the reason in a sentence if its certificate is rejected."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import itertools
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from tests.cli.command import assert_one_line, wiretight
from tests.cli.conftest import Serving
from tests.kit.authority import Issued, issue
from tests.kit.certificates import ADDRESS, HOST, Certificates, Credentials
from tests.kit.keys import authority
from tests.kit.servers import Server
from tests.kit.subject import tls
from wiretight._cli.connect import dialler
from wiretight._cli.connect.address import split_address
from wiretight._cli.connect.starttls import NAMES, default_port

NOW = dt.datetime.now(dt.timezone.utc)


def report(port: int, *arguments: object) -> Any:
    result = wiretight("connect", f"{HOST}:{port}", "--json", *arguments)
    assert result.stdout, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize(("version", "protocol"), [("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")])
def test_what_was_negotiated_is_reported(
    web_port: int, certificates: Certificates, version: str, protocol: str
) -> None:
    facts = report(web_port, "--cafile", certificates.ca_file, "--tls", version)

    assert facts["protocol"] == protocol
    assert facts["bits"] in (128, 256)
    assert facts["server_name"] == HOST
    assert facts["verified"] is True
    assert facts["refused"] is None
    assert facts["session_reused"] is True
    assert facts["client_certificate_demanded"] is False


def test_the_chain_is_reported(web_port: int, certificates: Certificates) -> None:
    (leaf,) = report(web_port, "--cafile", certificates.ca_file)["chain"]

    der = tls.PEM_cert_to_DER_cert(certificates.server.chain.read_text())
    assert leaf["sha256"] == hashlib.sha256(der).hexdigest()
    assert leaf["names"] == [HOST, ADDRESS, "::1"]
    assert "trustme" in leaf["issuer"]
    assert leaf["days_left"] > 0


def test_dates_are_in_iso_8601_and_numbers_are_numbers(web_port: int, certificates: Certificates) -> None:
    (leaf,) = report(web_port, "--cafile", certificates.ca_file)["chain"]

    date = dt.datetime.strptime(leaf["not_after"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=dt.timezone.utc)
    assert 0 <= (date - NOW).days - leaf["days_left"] <= 1
    assert (leaf["key_type"], leaf["key_bits"], leaf["signature"]) == ("EC", 256, "ecdsa-with-SHA256")


def test_the_root_that_it_was_verified_with_is_named(web_port: int, certificates: Certificates) -> None:
    facts = report(web_port, "--cafile", certificates.ca_file)

    assert facts["root"] == facts["chain"][-1]["issuer"]
    assert report(web_port, "--insecure")["root"] is None


def test_the_certificates_are_printed_in_pem(web_port: int, certificates: Certificates) -> None:
    result = wiretight("connect", f"{HOST}:{web_port}", "--cafile", certificates.ca_file, "--pem")
    comment, *lines = result.stdout.splitlines(keepends=True)

    assert comment.startswith("# O=trustme")
    assert tls.PEM_cert_to_DER_cert("".join(lines)) == tls.PEM_cert_to_DER_cert(certificates.server.chain.read_text())
    assert report(web_port, "--cafile", certificates.ca_file, "--pem")["chain"][0]["pem"] == "".join(lines)


# --- What it shows and demands ----------------------------------------------------------------------------------------


def test_a_certificate_of_ours_is_shown_to_a_server_that_asks(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(client_ca=certificates.ca_file))
    chain, key = certificates.client

    for version in ("1.2", "1.3"):
        facts = report(port, "--cafile", certificates.ca_file, "--tls", version, "--cert", chain, "--key", key)
        assert (facts["verified"], facts["client_certificate_demanded"]) == (True, False)
    result = wiretight("connect", f"{HOST}:{port}", "--cert", chain, "--key", certificates.server.key)
    assert_one_line(result, "is not the private key of", str(chain))


@pytest.mark.parametrize("write", [lambda it: it.hex(), lambda it: "sha256//" + base64.b64encode(it).decode()])
def test_a_key_is_pinned(web_port: int, certificates: Certificates, write: Callable[[bytes], str]) -> None:
    pin = tls.Certificate.from_pem(certificates.server.chain.read_text()).spki_sha256

    facts = report(web_port, "--cafile", certificates.ca_file, "--pin", write(pin))
    assert (facts["verified"], facts["chain"][0]["spki_sha256"]) == (True, pin.hex())
    other = wiretight("connect", f"{HOST}:{web_port}", "--insecure", "--pin", write(bytes(32)))
    assert_one_line(other, "was refused: its key is not the pinned one", pin.hex())
    assert f"verified       NO: its key is not the pinned one, but has the digest {pin.hex()}" in other.stdout


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_an_old_version_can_be_asked_for(serving: Serving, certificates: Certificates, version: str) -> None:
    context = certificates.server_context()
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = tls.TLSVersion.TLSv1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    port = serving(context)

    facts = report(port, "--cafile", certificates.ca_file, "--insecure-tls", version)
    assert facts["protocol"] == {"1.0": "TLSv1", "1.1": "TLSv1.1"}[version]


def test_a_chain_out_of_order_is_noted(serving: Serving, certificates: Certificates, tmp_path: Path) -> None:
    root, intermediate = authority()
    server = intermediate.issue("server", names=[HOST])
    other = issue("other", ca=True)
    (tmp_path / "ca.pem").write_text(root.pem)
    file, key = server.write(tmp_path, "server")

    def noted(*chain: Issued) -> list[str]:
        file.write_text("".join(each.pem for each in chain))
        context = certificates.server_context(credentials=Credentials(file, key))
        found: list[str] = report(serving(context), "--cafile", tmp_path / "ca.pem")["notes"]
        return found

    assert noted(server, intermediate) == []
    [superfluous] = noted(server, intermediate, root)
    assert "certificate 2" in superfluous
    assert "it is a root" in superfluous
    disorder, superfluous, its_root = noted(server, other, root, intermediate)
    assert disorder.startswith("the certificates are not in order")
    assert "certificate 1 ('CN=other') is superfluous: it certifies none" in superfluous
    assert "certificate 2" in its_root


def test_a_failure_is_a_document_too() -> None:
    with socket.create_server((ADDRESS, 0)) as listener:
        port = listener.getsockname()[1]
    result = wiretight("connect", f"{ADDRESS}:{port}", "--json")

    assert_one_line(result, "refused the connection")
    assert json.loads(result.stdout) == {"error": result.stderr.strip().removeprefix("wiretight: ")}


def test_the_negotiated_protocol_is_reported(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(alpn=["acme", "http/1.1"]))

    assert report(port, "--cafile", certificates.ca_file)["alpn"] == "http/1.1"
    assert report(port, "--cafile", certificates.ca_file, "--alpn", "x,acme")["alpn"] == "acme"
    assert report(port, "--cafile", certificates.ca_file, "--alpn", "")["alpn"] is None


def test_an_address_sends_no_name(web_port: int, certificates: Certificates) -> None:
    result = wiretight("connect", f"{ADDRESS}:{web_port}", "--cafile", certificates.ca_file)

    assert "SNI sent       none" in result.stdout
    assert "verified       yes" in result.stdout
    assert result.returncode == 0


def test_the_report_is_plain_text_in_a_pipe(web_port: int, certificates: Certificates) -> None:
    result = wiretight("connect", f"{HOST}:{web_port}", "--cafile", certificates.ca_file)

    for line in ("verified       yes", "session reuse  yes", "certificate 0, the server's own", "days left"):
        assert line in result.stdout
    assert "\x1b" not in result.stdout
    assert result.stderr == ""


def test_an_unknown_issuer_is_named(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(credentials=certificates.server_of_other_ca))

    refused(port, certificates, "unknown issuer", "trustme")


@pytest.mark.parametrize("odd", [b"20601301000000Z", b"00000101000000Z", b"2060010100+01ZZ"])
@pytest.mark.parametrize("place", ["not_valid_before", "not_valid_after"])
def test_a_date_that_is_none_is_shown_as_it_is(
    serving: Serving, certificates: Certificates, tmp_path: Path, place: str, odd: bytes
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "odd")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    first, last = (dt.datetime(year, 1, 1, tzinfo=dt.timezone.utc) for year in (2055, 2060))
    builder = builder.serial_number(5).not_valid_before(first).not_valid_after(last)
    date = {"not_valid_before": b"20550101000000Z", "not_valid_after": b"20600101000000Z"}[place]
    der = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER).replace(date, odd)
    (tmp_path / "odd.pem").write_text(tls.DER_cert_to_PEM_cert(der))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    port = serving(certificates.server_context(credentials=Credentials(tmp_path / "odd.pem", tmp_path / "key.pem")))

    refused(port, certificates)
    result = wiretight("connect", f"{HOST}:{port}", "--insecure")
    assert (result.returncode, result.stderr) == (0, "")
    assert ("Bad time value" in result.stdout) == (odd != b"00000101000000Z")
    leaf = report(port, "--insecure")["chain"][0]
    assert (leaf["days_left"] is None) == (leaf["expired"] is None) == (place == "not_valid_after")


def test_a_name_that_cannot_be_decoded_is_told_to_be_one(
    serving: Serving, certificates: Certificates, tmp_path: Path
) -> None:
    _, intermediate = authority()
    issued = intermediate.issue("server", names=["bxcher.example"])
    file, key = issued.write(tmp_path, "odd")
    der = issued.der.replace(b"bxcher.example", b"b\xfccher.example")
    file.write_text(tls.DER_cert_to_PEM_cert(der))
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    port = serving(context)

    for arguments in ([], ["--insecure"], ["--pem", "--insecure"]):
        result = wiretight("connect", f"{HOST}:{port}", *arguments)
        assert "Traceback" not in result.stderr
        assert result.returncode == (0 if arguments else 1)
    assert report(port, "--insecure")["chain"][0]["names"] == ["(cannot be decoded)"]


def test_an_expired_certificate_is_reported_with_its_date(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(credentials=certificates.expired))

    refused(port, certificates, "the certificate expired", "1 day", "ago")


def test_a_future_certificate_is_reported_with_its_date(serving: Serving, tmp_path: Path) -> None:
    ca = trustme.CA()
    future = ca.issue_cert(HOST, not_before=NOW + dt.timedelta(days=9), not_after=NOW + dt.timedelta(days=99))
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    future.configure_cert(context)

    result = wiretight("connect", f"{HOST}:{serving(context)}", "--cafile", tmp_path / "ca.pem")

    assert_one_line(result, "is not valid before")


def test_a_wrong_name_is_reported_with_the_valid_names(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(credentials=certificates.elsewhere))

    refused(port, certificates, f"the name {HOST} is not among", "elsewhere.example")


def test_a_wrong_address_is_reported_with_the_valid_names(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(credentials=certificates.elsewhere))

    result = wiretight("connect", f"{ADDRESS}:{port}", "--cafile", certificates.ca_file)

    assert_one_line(result, f"the name {ADDRESS} is not among", "elsewhere.example")


def test_the_server_name_can_differ_from_the_host(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(credentials=certificates.elsewhere))

    facts = report(port, "--cafile", certificates.ca_file, "--servername", "elsewhere.example")

    assert (facts["server_name"], facts["verified"]) == ("elsewhere.example", True)


def test_the_chain_of_a_rejected_server_is_shown(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(credentials=certificates.expired))

    result = wiretight("connect", f"{HOST}:{port}", "--cafile", certificates.ca_file)

    assert "verified       NO: the certificate expired" in result.stdout
    assert "days left" not in result.stdout
    assert "SHA-256" in result.stdout


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_rejected_server_is_asked_once_and_what_was_agreed_on_is_shown(
    certificates: Certificates, version: str
) -> None:
    context = certificates.server_context(alpn=["http/1.1"], credentials=certificates.server_of_other_ca)
    with Server(context, errors_ok=True) as server:
        facts = report(server.port, "--cafile", certificates.ca_file, "--tls", version)
        assert server.next_error().alert == 48
    assert not server.all_seen(), "no other connection has ignored the refusal"
    assert facts["protocol"] == f"TLSv{version}"
    assert facts["bits"] in ((None,) if version == "1.2" else (128, 256))  # TLS 1.2 takes a cipher up after that
    assert facts["group"] != "-" or version == "1.2" or tls.OPENSSL_VERSION_INFO < (3, 2)
    assert facts["alpn"] == "http/1.1"
    assert facts["server_name"] == HOST
    assert (facts["verified"], facts["session_reused"]) == (False, None)
    assert len(facts["chain"]) == 1


def test_all_reasons_are_reported(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(credentials=certificates.expired))

    result = wiretight("connect", f"{ADDRESS}:{port}", "--servername", "x.example", "--cafile", certificates.ca_file)

    assert_one_line(result, "the certificate expired", "the name x.example is not among", "; ")


def test_insecure_does_not_verify(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(credentials=certificates.expired))

    result = wiretight("connect", f"{HOST}:{port}", "--insecure")

    assert "verified       not asked" in result.stdout
    assert result.returncode == 0


def test_a_demand_for_a_client_certificate_is_reported(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(client_ca=certificates.ca_file))

    assert report(port, "--cafile", certificates.ca_file, "--tls", "1.3")["client_certificate_demanded"] is True


def test_on_tls_1_2_the_same_demand_ends_the_handshake(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(client_ca=certificates.ca_file))

    result = wiretight("connect", f"{HOST}:{port}", "--cafile", certificates.ca_file, "--tls", "1.2")

    assert_one_line(result, "demands a client certificate")


def test_a_certificate_cannot_control_the_terminal(serving: Serving, tmp_path: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    ca.issue_cert(HOST, common_name="\x1b[2Jgone\u202e").configure_cert(context)

    result = wiretight("connect", f"{HOST}:{serving(context)}", "--cafile", tmp_path / "ca.pem")

    assert r"CN=\x1b[2Jgone\u202e" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    "address",
    [
        "localhost:", ":443", "localhost:0", "localhost:65536", "localhost:x", "localhost:HTTPS", "::1", "::1:443",
        "[::1", "a b:1", "", "https://", "gopher2://example.org/", "²://example.org", "443://example.org", "https://example.org:x/",
    ],
)  # fmt: skip
def test_a_bad_address_is_wrong_usage(address: str) -> None:
    assert_one_line(wiretight("connect", address), "is not HOST or HOST:PORT", "[::1]:443", status=2)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("example.org", ("example.org", 443)),
        ("example.org:8443", ("example.org", 8443)),
        ("example.org:https", ("example.org", 443)),
        ("192.0.2.1:1", ("192.0.2.1", 1)),
        ("[::1]", ("::1", 443)),
        ("[2001:db8::1]:65535", ("2001:db8::1", 65535)),
        ("https://example.org", ("example.org", 443)),
        ("https://user:word@example.org:8443/a:b@c?d#e", ("example.org", 8443)),
        ("HTTPS://Example.org", ("Example.org", 443)),
        ("https://[::1]:8443/", ("::1", 8443)),
        ("wss://example.org/socket", ("example.org", 443)),
        ("imaps://example.org", ("example.org", 993)),
    ],
)
def test_an_address_can_be_written_in_many_ways(text: str, address: tuple[str, int]) -> None:
    assert split_address(text) == address


def test_the_port_is_by_default_that_of_the_protocol() -> None:
    assert {name: split_address("example.org", default_port(name))[1] for name in NAMES} == {
        "smtp": 587, "lmtp": 24, "imap": 143, "pop3": 110, "ftp": 21, "nntp": 119, "sieve": 4190, "ldap": 389,
        "mysql": 3306, "postgres": 5432, "xmpp": 5222,
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        ["--pin", "ab"],
        ["--pin", "sha256//" + "A" * 44],
        ["--key", "key.pem"],
        ["--tls", "1.2", "--insecure-tls", "1.0"],
    ],
)
def test_options_that_make_no_sense_are_wrong_usage(arguments: list[str]) -> None:
    assert_one_line(wiretight("connect", "localhost:1", *arguments), arguments[0], status=2)


def test_a_refused_connection_is_reported() -> None:
    with socket.create_server((ADDRESS, 0)) as listener:
        port = listener.getsockname()[1]

    assert_one_line(wiretight("connect", f"{ADDRESS}:{port}"), f"{ADDRESS}:{port}", "refused the connection")


@pytest.mark.parametrize("name", ["nobody.invalid", "a" * 64 + ".example", "a..b"])
def test_an_unknown_host_is_reported(name: str) -> None:
    assert_one_line(wiretight("connect", f"{name}:443"), name, "unknown host")


def test_a_silent_server_is_reported() -> None:
    with socket.create_server((ADDRESS, 0)) as listener:
        port = listener.getsockname()[1]
        result = wiretight("connect", f"{ADDRESS}:{port}", "--timeout", "0.2")

    assert_one_line(result, "did not answer within 0.2 s")


def test_a_plain_http_server_is_reported(saying: Callable[..., int]) -> None:
    port = saying(b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    assert_one_line(wiretight("connect", f"{ADDRESS}:{port}"), "does not speak TLS", "plain HTTP")


def test_a_server_that_closes_the_connection_is_reported(saying: Callable[..., int]) -> None:
    port = saying(b"", b"")

    assert_one_line(wiretight("connect", f"{ADDRESS}:{port}"), "closed the connection")


def test_a_missing_common_version_is_reported(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context(tls.TLSVersion.TLSv1_2))

    assert_one_line(wiretight("connect", f"{HOST}:{port}", "--tls", "1.3"), "shares no TLS version")


def test_an_unusable_ca_file_is_reported(certificates: Certificates, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    assert_one_line(wiretight("connect", "localhost:1", "--cafile", tmp_path / "no"), "cannot be read", "No such file")
    assert_one_line(wiretight("connect", "localhost:1", "--cafile", tmp_path), "cannot be read", "directory")
    os.mkfifo(tmp_path / "pipe")
    assert_one_line(wiretight("connect", "localhost:1", "--cafile", tmp_path / "pipe"), "a pipe or a device")
    for file in (tmp_path / "empty", certificates.server.key):
        assert_one_line(wiretight("connect", "localhost:1", "--cafile", file), "holds no CA certificate")


@pytest.mark.parametrize("arguments", [["--servername", ".example"], ["--alpn", "x" * 256], ["--alpn", "ä"]])
def test_an_invalid_name_is_reported(web_port: int, arguments: list[str]) -> None:
    assert_one_line(wiretight("connect", f"{HOST}:{web_port}", *arguments), arguments[1], status=2)


def drop_by_drop(sock: socket.socket) -> None:
    """Sends a byte again and again, each in less time than the client has, until the client leaves."""
    while True:
        sock.sendall(b"2")
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("lines", "arguments"),
    [
        ([b""], ["--starttls", "smtp"]),
        ([b"220 ready\r\n", b"250-here\r\n"], ["--starttls", "smtp"]),
        ([b"* OK ready\r\n", b""], ["--starttls", "imap"]),
        ([b"", b"\x16\x03\x03\x40\x00"], []),  # the header of a handshake record of 16 KiB
    ],
    ids=["greeting", "second line of an answer", "answer", "handshake"],
)
def test_a_slow_response_is_abandoned_at_the_timeout(
    saying: Callable[..., int], lines: list[bytes], arguments: list[str]
) -> None:
    port = saying(*lines, then=drop_by_drop)

    result = wiretight("connect", f"{ADDRESS}:{port}", "--timeout", "0.3", *arguments)

    assert_one_line(result, f"{ADDRESS}:{port} did not answer within 0.3 s")


@pytest.mark.parametrize("command", ["connect", "trace"])
def test_a_server_that_sends_tickets_without_an_end_is_left(
    saying: Callable[..., int], certificates: Certificates, tmp_path: Path, command: str
) -> None:
    context = certificates.server_context(tls.TLSVersion.TLSv1_3)
    context.keylog_filename = tmp_path / "keys"

    def flood(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as wrapped:
            for record in tickets(tmp_path / "keys", sent=context.num_tickets):
                os.write(wrapped.fileno(), record)

    port = saying(then=flood)

    result = wiretight(command, f"{HOST}:{port}", "--cafile", certificates.ca_file, "--json")
    assert result.returncode == 0, result.stderr


def tickets(key_log: Path, sent: int) -> Iterator[bytes]:
    """Records of a server with TLS_AES_256_GCM_SHA384, each with a hundred tickets (RFC 8446, 4.6.1, 5.2 and 7.3)."""
    lines = [line.split() for line in key_log.read_text().splitlines()]
    secret = bytes.fromhex(next(line[2] for line in reversed(lines) if line[0] == "SERVER_TRAFFIC_SECRET_0"))

    def expanded(label: bytes, size: int) -> bytes:
        info = size.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\0"
        return HKDFExpand(hashes.SHA384(), size, info).derive(secret)

    key, start = AESGCM(expanded(b"key", 32)), int.from_bytes(expanded(b"iv", 12), "big")
    ticket = (7200).to_bytes(4, "big") + bytes(4) + b"\1\0" + b"\0\x20" + b"t" * 32 + b"\0\0"
    content = (b"\x04" + len(ticket).to_bytes(3, "big") + ticket) * 100 + b"\x16"
    head = b"\x17\3\3" + (len(content) + 16).to_bytes(2, "big")
    for number in itertools.count(sent):
        yield head + key.encrypt((start ^ number).to_bytes(12, "big"), content, head)


def test_connecting_takes_no_longer_in_all_than_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many addresses a host has, of which none answers."""
    seen: list[float] = []

    class Silent(socket.socket):
        def connect(self, address: Any) -> None:
            seen.append(self.gettimeout() or 0)
            raise TimeoutError

    addresses = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ADDRESS, number)) for number in range(1, 5)]
    monkeypatch.setattr(dialler.socket, "getaddrinfo", lambda *_, **__: addresses)
    monkeypatch.setattr(dialler.socket, "socket", Silent)

    # Each takes no time here, so that its share of what is left grows.
    monkeypatch.setattr(dialler, "time", SimpleNamespace(monotonic=lambda: 0.0))

    with pytest.raises(TimeoutError):
        dialler._connected(HOST, 1, 12.0)
    assert seen == [12 / 4, 12 / 3, 12 / 2, 12 / 1]


def refused(port: int, certificates: Certificates, *words: str) -> None:
    """The server at `port` is rejected, for a reason that contains these words."""
    assert_one_line(wiretight("connect", f"{HOST}:{port}", "--cafile", certificates.ca_file), "was refused", *words)
