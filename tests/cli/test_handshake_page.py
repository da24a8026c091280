"""/_tls: a client is shown its own handshake, as it was, and nothing that anyone says becomes more than text."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import re
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.cli.chromium import chromium
from tests.cli.serving import Serving, serving_folder
from tests.face.test_client_hello import hello
from tests.interop.peers.nss import make_database
from tests.kit.certificates import ADDRESS, HOST, Certificates, Credentials
from tests.kit.programs import Process, curl, program
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE
from wiretight._cli.serve.handshakes import Handshakes
from wiretight._cli.serve.page import render

HOSTILE = "<script>alert(1)</script>\"'&amp;\x1b[31m\u202e\u2066\x00\n"
SEEN = "&lt;script&gt;alert(1)&lt;/script&gt;"


@pytest.fixture
def serving(certificates: Certificates, version: Any, tmp_path: Path) -> Iterator[Serving]:
    (tmp_path / "folder").mkdir()
    context = certificates.server_context(version, alpn=["http/1.1"])
    with serving_folder(context, tmp_path / "folder") as serving:
        yield serving


@pytest.fixture
def serving_any(certificates: Certificates, tmp_path: Path) -> Iterator[Serving]:
    (tmp_path / "folder").mkdir()
    with serving_folder(certificates.server_context(alpn=["http/1.1"]), tmp_path / "folder") as serving:
        yield serving


def shown(serving: Serving, context: Any, **options: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(serving.get(context, "/_tls.json", **options))
    return document


def test_what_was_agreed_on_is_shown(serving: Serving, client_context: Any, version: Any) -> None:
    client_context.set_alpn_protocols(["h2", "http/1.1"])
    document = shown(serving, client_context)
    with serving.connect(client_context) as client:
        info = client.connection_info()

    assert document["version"] == info.version == version.name.replace("_", ".", 1).replace("TLSv1_", "TLSv1.")
    assert document["cipher_suite"] == info.cipher
    assert document["alpn"] == "http/1.1"
    assert document["server_name"] == HOST
    assert document["group"]
    assert document["server_signature"] == "ecdsa_secp256r1_sha256"
    assert document["session_reused"] is False
    assert document["milliseconds"] > 0
    assert document["ja4"].startswith("t12d" if version.name == "TLSv1_2" else "t13d")


def test_what_the_client_offered_is_shown(serving: Serving, client_context: Any) -> None:
    client_context.set_alpn_protocols(["h2", "http/1.1"])

    offer = shown(serving, client_context)["client_hello"]

    assert offer["alpn"] == ["h2", "http/1.1"]
    assert {"server_name", "supported_groups", "signature_algorithms"} <= {each["name"] for each in offer["extensions"]}
    assert all(set(each) == {"number", "name", "bytes"} for each in offer["extensions"])


def test_the_messages_are_shown_in_their_order(serving: Serving, client_context: Any, version: Any) -> None:
    messages = shown(serving, client_context)["messages"]

    assert [message["name"] for message in messages][:2] == ["ClientHello", "ServerHello"]
    assert {message["from"] for message in messages if message["name"] == "Finished"} == {"client", "server"}
    times = [message["milliseconds"] for message in messages]
    assert times == sorted(times)


def test_the_certificates_of_both_ends_are_shown(certificates: Certificates, version: Any, tmp_path: Path) -> None:
    context = certificates.server_context(version, client_ca=certificates.ca_file)
    with serving_folder(context, tmp_path) as serving:
        document = shown(serving, certificates.client_context(version, credentials=certificates.client))

    assert HOST in document["certificate"]["names"]
    assert document["certificate"]["sent"] is True
    assert document["client_certificate"]["names"] == ["client@example.org"]


def test_a_resumed_session_is_shown(serving: Serving, client_context: Any) -> None:
    with serving.connect(client_context) as client:
        client.sendall(f"GET /_tls HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        client.recv(65536)
        session = client.session

    document = shown(serving, client_context, session=session)

    assert document["session_reused"] is True
    assert document["client_hello"]["offers_session"] is True
    assert document["server_signature"] is None
    assert document["certificate"]["sent"] is False
    assert b"a resumed session needs none" in serving.get(client_context, "/_tls", session=session)


def test_a_second_client_hello_is_shown_and_the_first_is_read(certificates: Certificates, tmp_path: Path) -> None:
    context = certificates.server_context(tls.TLSVersion.TLSv1_3)
    context.set_ecdh_curve("secp384r1")
    with serving_folder(context, tmp_path) as serving:
        document = shown(serving, certificates.client_context())

    assert document["hello_retry_request"] is True
    assert document["group"] == "secp384r1"
    assert document["client_hello"]["key_shares"] != ["secp384r1"]


class Outline(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.said = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.said += data


def test_the_page_has_nothing_from_elsewhere_and_no_script(serving_any: Serving, certificates: Certificates) -> None:
    context = certificates.client_context()
    head, _, body = serving_any.ask(
        context, f"GET /_tls HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
    ).partition(b"\r\n\r\n")
    page = Outline(body.decode())
    policy = next(line for line in head.decode().split("\r\n") if line.startswith("Content-Security-Policy: "))
    style = re.findall("<style>(.*?)</style>", body.decode(), re.DOTALL)[0]

    assert not {"script", "iframe", "img", "form", "object", "embed", "base"} & set(page.tags)
    assert [value for name, value in page.attributes if name == "href" and not value.startswith("data:")] == [
        "/_tls.json"
    ]
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "style")]
    assert "default-src 'none'" in policy
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy
    assert "unsafe" not in policy


def test_neither_page_nor_json_is_kept_or_shown_in_a_frame(serving_any: Serving, certificates: Certificates) -> None:
    for path in ("/_tls", "/_tls.json"):
        request = f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
        head = serving_any.ask(certificates.client_context(), request).partition(b"\r\n\r\n")[0].decode()

        assert "\r\nCache-Control: no-store\r\n" in head
        assert "frame-ancestors 'none'" in head
        assert "\r\nX-Content-Type-Options: nosniff\r\n" in head
        assert "Access-Control" not in head


def hostile_client(certificates: Certificates, folder: Path) -> Credentials:
    """A certificate of the CA for somebody with a hostile name, in every field that has one."""
    text = HOSTILE.replace("\x00", "").replace("\n", "")
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, text), x509.NameAttribute(NameOID.ORGANIZATION_NAME, text)]
    )
    key = ec.generate_private_key(ec.SECP256R1())
    ca_key = serialization.load_pem_private_key(certificates.ca.private_key_pem.bytes(), None)
    issuer = x509.load_pem_x509_certificate(certificates.ca.cert_pem.bytes())
    now = dt.datetime.now(dt.timezone.utc)
    names = x509.SubjectAlternativeName(
        [x509.DNSName("<script>alert(1)</script>"), x509.UniformResourceIdentifier('javascript:alert("1")')]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    credentials = Credentials(folder / "hostile.pem", folder / "hostile.key")
    credentials.chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    credentials.key.write_bytes(key.private_bytes(*encoding))
    return credentials


def test_names_in_a_certificate_are_only_text(certificates: Certificates, version: Any, tmp_path: Path) -> None:
    context = certificates.server_context(version, client_ca=certificates.ca_file)
    hostile = hostile_client(certificates, tmp_path)
    with serving_folder(context, tmp_path) as serving:
        page = serving.get(certificates.client_context(version, credentials=hostile), "/_tls").decode()
        document = shown(serving, certificates.client_context(version, credentials=hostile))

    assert_harmless(page)
    assert SEEN in page
    assert "\\x1b[31m\\u202e" in page
    assert "javascript:alert(&quot;1&quot;)" in page
    assert "\x1b[31m\u202e" in document["client_certificate"]["subject"]


def test_a_hosts_name_and_protocols_are_only_text(serving_any: Serving, certificates: Certificates) -> None:
    name = '<script>alert(1)</script>"\x1b[31m'
    said = subprocess.run(
        [
            program("openssl", "openssl"), "s_client", "-connect", f"{ADDRESS}:{serving_any.port}", "-quiet",
            "-servername", name, "-alpn", '<script>alert(1)</script>,"x,http/1.1', "-ign_eof",
        ],
        input=b"GET /_tls HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        capture_output=True,
        timeout=2 * PATIENCE,
        check=False,
    )  # fmt: skip
    page = said.stdout.partition(b"\r\n\r\n")[2].decode()

    assert_harmless(page)
    assert page.count(SEEN) == 2
    assert "\\x1b[31m" in page


def assert_harmless(page: str) -> None:
    assert page.rstrip().endswith("</html>")
    assert not {"script", "iframe", "img"} & set(Outline(page).tags)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


class Connection:
    """As much of a connection as a document needs, whose client has said this."""

    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)

    def connection_info(self) -> Any:
        return self

    version, cipher, cipher_bits, group = "TLSv1.3", HOSTILE, 256, HOSTILE
    server_signature, alpn_protocol, session_reused = HOSTILE, HOSTILE, False

    def getpeercert(self, binary_form: bool) -> None:
        return None


def seen(*messages: tuple[str, bytes]) -> tuple[str, dict[str, Any]]:
    """The page and the document after these messages, each "read" or "write"."""
    handshakes, connection = Handshakes(), Connection()
    for direction, data in messages:
        handshakes(connection, direction, 0x0304, 22, 0, data)
    document = handshakes.document(connection)
    json.dumps(document)
    return render(document), document


MANY = {
    "nothing": [],
    "an empty message": [("read", b"")],
    "no ClientHello": [("read", b"\x0b\0\0\0")],
    "an undecodable ClientHello": [("read", b"\x01\0\0\x01x")],
    "an unknown message": [("read", hello()), ("read", b"\xee\0\0\0"), ("write", b"\xef\0\0\0")],
    "a truncated ServerHello": [("read", hello()), ("write", b"\x02\0\0\x05\x03\x03")],
    "every suite": [("read", hello(range(1, 32000)))],
    "every extension": [("read", hello(extensions=[(number, b"") for number in range(1000, 17000)]))],
    "a long name": [("read", hello(extensions=[(0, b"\xfd\xe8\0\xfd\xe5" + b"<" * 64997)]))],
    "a name of controls": [("read", hello(extensions=[(0, b"\0\x23\0\0\x20" + bytes(range(32)))]))],
    "a name of Latin-1": [("read", hello(extensions=[(0, b"\0\x83\0\0\x80" + bytes(range(128, 256)))]))],
    "protocols of markup": [("read", hello(extensions=[(16, b"\0\x12\x08<script>\x08</style>")]))],
    "a hundred messages": [("read", hello())] + [("read", b"\x18\0\0\x01\x01")] * 100,
    "a second ClientHello": [("read", hello()), ("read", hello([1]))],
    "early data and a session": [
        ("read", hello(extensions=[(42, b""), (41, b"\0\x07\0\x01t" + b"age." + b"\0\x21\x20" + b"b" * 32)]))
    ],
}


@pytest.mark.parametrize("messages", MANY.values(), ids=MANY.keys())
def test_whatever_was_said_makes_a_page_of_bearable_length(messages: list[tuple[str, bytes]]) -> None:
    page, document = seen(*messages)

    assert_harmless(page)
    assert len(page) < 100_000
    assert len(document["messages"]) <= 32
    assert "<script" not in page.lower()


def test_what_is_kept_goes_with_the_connection() -> None:
    handshakes = Handshakes()
    connection = Connection()
    handshakes(connection, "read", 0x0304, 22, 1, hello())
    assert len(handshakes._seen) == 1
    del connection
    assert len(handshakes._seen) == 0


def test_curl_reads_its_own_fingerprint(serving_any: Serving, certificates: Certificates) -> None:
    url = f"https://{HOST}:{serving_any.port}/_tls.json"
    fetched = [json.loads(curl(url, "--cacert", certificates.ca_file).stdout) for _ in range(2)]

    assert fetched[0]["ja4"] == fetched[1]["ja4"]
    assert fetched[0]["ja4"] == f"{fetched[0]['ja4_r'].split('_')[0]}_{digests(fetched[0]['ja4_r'])}"


def digests(raw: str) -> str:
    _, suites, rest = raw.split("_", 2)
    return "_".join(hashlib.sha256(part.encode()).hexdigest()[:12] for part in (suites, rest))


def spki(certificates: Certificates) -> str:
    key = x509.load_pem_x509_certificate(certificates.server.chain.read_bytes()).public_key()
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(encoded).digest()).decode()


@pytest.mark.timeout(900)  # browsers are slow to start on a busy machine
def test_chromium_shows_the_page_in_every_size_and_light(
    serving_any: Serving, certificates: Certificates, tmp_path: Path
) -> None:
    trusted = f"--ignore-certificate-errors-spki-list={spki(certificates)}"
    backgrounds = set()
    with chromium(tmp_path, trusted) as tab:
        for width, dark in ((1280, False), (1280, True), (390, False), (390, True), (320, True)):
            tab.open(f"https://{HOST}:{serving_any.port}/_tls", width=width, dark=dark, mobile=width < 600)

            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.evaluate("document.querySelector('h1').textContent") == "Your handshake"
            assert "TLS 1.3" in tab.evaluate("document.title")
            assert re.search(r"t13d\d{4}h2_8daaf6152771_[0-9a-f]{12}", tab.evaluate("document.body.textContent"))
            backgrounds.add((dark, tab.evaluate("getComputedStyle(document.body).backgroundColor")))
            path = tmp_path / f"{width}-{dark}.png"
            tab.screenshot(path)
            assert path.stat().st_size > 10_000
        assert len(backgrounds) == 2
        assert tab.complaints == []


@pytest.mark.timeout(900)  # browsers are slow to start on a busy machine
def test_firefox_shows_the_page(serving_any: Serving, certificates: Certificates, tmp_path: Path) -> None:
    firefox = program("firefox", "firefox-esr")
    program("certutil", "libnss3-tools")
    profile = tmp_path / "profile"
    profile.mkdir()
    make_database(profile, certificates.ca_file)
    preferences = ("datareporting.policy.dataSubmissionEnabled", "network.captive-portal-service.enabled")
    (profile / "user.js").write_text("".join(f'user_pref("{name}", false);\n' for name in preferences))
    picture = tmp_path / "page.png"
    options = ("--headless", "--no-remote", "--profile", profile, "--screenshot", picture, "--window-size=1280,900")
    url = f"https://{HOST}:{serving_any.port}/_tls"
    with Process(firefox, *options, url, environment={"HOME": str(tmp_path)}) as process:
        process.process.wait(4 * PATIENCE)

    assert picture.stat().st_size > 10_000
    assert '"GET /_tls HTTP/1.1" 200 -' in serving_any.requests
