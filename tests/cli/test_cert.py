"""cert: what a file or a server has, whether it fits, and who would refuse it."""

from __future__ import annotations

import base64
import datetime as dt
import ipaddress
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from tests.cli.command import COLOUR, COMMAND, assert_one_line, in_terminal, started, wiretight_here
from tests.cli.conftest import Serving
from tests.kit.authority import DAY, NOW, Issued, issue
from tests.kit.certificates import ADDRESS, HOST, Certificates

FOR_SERVERS = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
FOR_CLIENTS = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)


class Files:
    """A root, an intermediate, and a server's certificate, in files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = issue("root", ca=True, by_the_book=True)
        self.intermediate = self.root.issue("intermediate", ca=True, by_the_book=True)
        self.leaf = self.server()
        self.ca = self.write("ca.pem", self.root.pem)

    def server(self, **settings: Any) -> Issued:
        """A certificate in order, but for these settings of issue()."""
        settings = {"names": [HOST], "by_the_book": True, "extensions": [FOR_SERVERS], **settings}
        return self.intermediate.issue("server", **settings)

    def write(self, name: str, *parts: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(b"".join(part.encode() if isinstance(part, str) else part for part in parts))
        return path

    def chain(self, leaf: Issued) -> Path:
        """A file with its chain and key."""
        return self.write("chain.pem", leaf.pem, self.intermediate.pem, key_of(leaf))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def key_of(issued: Issued, password: bytes | None = None, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    data: bytes = issued.key.private_bytes(Encoding.PEM, form, protection)
    return data


def report(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(wiretight_here("cert", *arguments, "--json").stdout)
    return found


def bundle(issued: Issued, password: bytes | None) -> bytes:
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    return pkcs12.serialize_key_and_certificates(b"name", issued.key, issued.certificate, None, protection)


def request_of(issued: Issued) -> x509.CertificateSigningRequest:
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("::1"))])
    builder = x509.CertificateSigningRequestBuilder().subject_name(issued.certificate.subject)
    return builder.add_extension(names, critical=False).sign(issued.key, hashes.SHA256())


# --- What it is -------------------------------------------------------------------------------------------------------


FORMS: dict[str, tuple[Callable[[Files], bytes], str, str]] = {
    "a certificate in PEM": (lambda files: files.leaf.pem.encode(), "PEM", "certificates"),
    "a certificate in DER": (lambda files: files.leaf.der, "DER", "certificates"),
    "text of Windows": (lambda files: files.leaf.pem.encode("utf-16"), "PEM", "certificates"),
    "lines of Windows": (lambda files: files.leaf.pem.replace("\n", "\r\n").encode(), "PEM", "certificates"),
    "PKCS#7": (
        lambda files: pkcs7.serialize_certificates([files.leaf.certificate], Encoding.DER),
        "PKCS#7",
        "certificates",
    ),
    "PKCS#7 in PEM": (
        lambda files: pkcs7.serialize_certificates([files.leaf.certificate], Encoding.PEM),
        "PEM",
        "certificates",
    ),
    "PKCS#12": (lambda files: bundle(files.leaf, None), "PKCS#12", "certificates"),
    "a key in PKCS#8": (lambda files: key_of(files.leaf), "PEM", "keys"),
    "a key in SEC 1": (lambda files: key_of(files.leaf, None, PrivateFormat.TraditionalOpenSSL), "PEM", "keys"),
    "an encrypted key": (lambda files: key_of(files.leaf, b"secret"), "PEM", "keys"),
    "an encrypted key of old": (
        lambda files: key_of(files.leaf, b"secret", PrivateFormat.TraditionalOpenSSL),
        "PEM",
        "keys",
    ),
    "a key in DER": (
        lambda files: files.leaf.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        "DER",
        "keys",
    ),
    "a request in PEM": (lambda files: request_of(files.leaf).public_bytes(Encoding.PEM), "PEM", "requests"),
    "a request in DER": (lambda files: request_of(files.leaf).public_bytes(Encoding.DER), "DER", "requests"),
    "a CRL in PEM": (lambda files: files.root.revoke(1, 2, 3).pem.encode(), "PEM", "crls"),
    "a CRL in DER": (lambda files: files.root.revoke(1, 2, 3).der, "DER", "crls"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_file_is_told_by_what_it_holds(files: Files, form: str) -> None:
    make, name, kind = FORMS[form]
    facts = report(files.write("file", make(files)), "--insecure")

    assert facts["form"] == name
    assert {each: len(facts[each]) for each in ("certificates", "keys", "requests", "crls")} == {
        "certificates": 0, "requests": 0, "crls": 0, "keys": int(form == "PKCS#12"), kind: 1,
    }  # fmt: skip


def test_a_certificate_is_described(files: Files) -> None:
    use = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    leaf = files.server(serial=0xABC, names=["a.example", ADDRESS, "::1"], extensions=[FOR_SERVERS, (use, True)])
    facts = report(files.write("leaf.pem", leaf.pem), "--insecure")

    [found] = facts["certificates"]
    assert found["subject"] == "CN=server"
    assert found["issuer"] == "CN=intermediate"
    assert found["names"] == ["a.example", ADDRESS, "::1"]
    assert found["not_after"] == leaf.certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (found["key_type"], found["key_bits"], found["signature"]) == ("EC", 256, "ecdsa-with-SHA256")
    assert (found["is_ca"], found["path_length"], found["serial"]) == (False, None, "ABC")
    assert (found["key_usage"], found["extended_key_usage"]) == (["digitalSignature"], ["serverAuth"])
    assert found["sha256"] == leaf.certificate.fingerprint(hashes.SHA256()).hex()
    assert found["sha1"] == leaf.certificate.fingerprint(hashes.SHA1()).hex()
    assert found["pin"] == "sha256//" + base64.b64encode(bytes.fromhex(found["spki_sha256"])).decode()
    assert facts["days_left"] == found["days_left"] == 0
    assert (facts["role"], facts["verified"]) == ("server", None)


def test_a_request_is_described(files: Files) -> None:
    [found] = report(files.write("a.csr", request_of(files.leaf).public_bytes(Encoding.PEM)))["requests"]

    assert (found["subject"], found["names"]) == ("CN=server", [HOST, "::1"])
    assert (found["key_type"], found["key_bits"], found["signature"]) == ("EC", 256, "ecdsa-with-SHA256")
    assert found["spki_sha256"] == report(files.chain(files.leaf))["certificates"][0]["spki_sha256"]


def test_a_list_of_revoked_certificates_is_described(files: Files) -> None:
    [found] = report(files.write("a.crl", files.root.revoke(1, 2, 3, next_update=NOW + 9 * DAY).der))["crls"]

    assert (found["issuer"], found["revoked"], found["days_left"], found["expired"]) == ("CN=root", 3, 8, False)


def test_a_ca_and_many_of_them_are_there_to_be_trusted(files: Files) -> None:
    other = issue("other", ca=True)
    for path in (files.ca, files.write("cas.pem", files.root.pem, other.pem)):
        facts = report(path)
        assert (facts["role"], facts["verified"], facts["findings"]) == ("CA", None, [])


def test_many_certificates_are_a_table(files: Files) -> None:
    path = files.write("cas.pem", *(issue(f"CA {number} " + "x" * 50, ca=True).pem for number in range(12)))

    lines = wiretight_here("cert", path).stdout.splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert sum("CN=CA " in line and line.endswith(" 0") for line in lines) == 12


# --- Whether it fits --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("password", [None, b"secret"])
def test_a_key_in_the_file_or_in_another_is_compared(files: Files, password: bytes | None) -> None:
    certificate, key = files.write("leaf.pem", files.leaf.pem), files.write("leaf.key", key_of(files.leaf, password))
    both = files.write("both.pem", key_of(files.leaf, password), files.leaf.pem)
    options = ["--password-file", files.write("password", b"secret\n")] if password else []

    for arguments in ([certificate, "--key", key], [both]):
        [found] = report(*arguments, *options, "--insecure")["keys"]
        assert (found["fits"], found["key_type"], found["encrypted"]) == (0, "EC", password is not None)
        assert "content" not in found


def test_the_key_of_another_certificate_is_a_mismatch(files: Files) -> None:
    path = files.write("both.pem", files.leaf.pem, files.intermediate.pem, key_of(files.root))
    result = wiretight_here("cert", path, "--insecure")

    assert "private key  MISMATCH: EC, 256 bits (PKCS#8), of none of the certificates" in result.stdout
    assert result.stderr == f"wiretight: {path}: the private key is not that of any certificate here\n"
    assert result.returncode == 1


def test_an_encrypted_key_without_its_password_is_not_compared(files: Files) -> None:
    path = files.write("both.pem", files.leaf.pem, key_of(files.leaf, b"secret"))

    [found] = report(path, "--insecure")["keys"]
    assert (found["fits"], found["note"]) == (None, "give --password or --password-file to compare it")
    [found] = report(path, "--insecure", "--password-file", files.write("password", b"wrong"))["keys"]
    assert (found["fits"], found["note"]) == (None, "the password is wrong")


def test_the_order_of_the_chain_is_noted(files: Files) -> None:
    leaf, intermediate, root = files.leaf.pem, files.intermediate.pem, files.root.pem

    in_order = report(files.write("a.pem", leaf, intermediate), "--cafile", files.ca)
    assert (in_order["notes"], in_order["verified"], in_order["root"]) == ([], True, "CN=root")
    reversed_chain = report(files.write("a.pem", root, intermediate, leaf), "--cafile", files.ca)
    assert reversed_chain["notes"] == ["the certificate of the server is number 2, and has to be the first one"]
    assert reversed_chain["verified"] is True
    [note] = report(files.write("a.pem", leaf, intermediate, root), "--cafile", files.ca)["notes"]
    assert "superfluous: it is a root" in note


def test_a_missing_certificate_is_noted_with_its_address(files: Files) -> None:
    address = x509.UniformResourceIdentifier("http://ca.example/intermediate.crt")
    access = x509.AuthorityInformationAccess(
        [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, address)]
    )
    leaf = files.server(extensions=[FOR_SERVERS, (access, False)])

    facts = report(files.write("leaf.pem", leaf.pem), "--cafile", files.ca)
    assert "unknown issuer: 'CN=intermediate'" in facts["refused"]
    assert facts["notes"] == ["a certificate is missing: that of 'CN=intermediate', which is at " + address.value]


# --- Who would refuse it ----------------------------------------------------------------------------------------------


def test_a_chain_in_order_is_refused_by_nobody(files: Files) -> None:
    result = wiretight_here("cert", files.chain(files.leaf), "--cafile", files.ca, "--name", HOST)

    assert (result.returncode, result.stderr) == (0, "")
    for line in ("  for          a server by the name localhost", "  verified     yes", "  root         CN=root"):
        assert line in result.stdout.splitlines()
    assert "would be refused" not in result.stdout


def test_a_client_is_verified_as_one(files: Files) -> None:
    client = files.server(names=["client@example.org"], extensions=[FOR_CLIENTS], not_after=NOW + 4000 * DAY)
    facts = report(files.chain(client), "--cafile", files.ca)

    assert (facts["role"], facts["verified"], facts["findings"]) == ("client", True, [])


YEARS = NOW + 2000 * DAY
MAY_NOT_SIGN = x509.KeyUsage(False, False, True, False, False, False, False, False, False)
REASONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "expired": ({"not_after": NOW - dt.timedelta(hours=2)}, "every client", "expired less than a day ago"),
    "not yet valid": ({"not_before": NOW + dt.timedelta(hours=2)}, "every client", "is not valid before"),
    "another name": ({"names": ["b.example"]}, "every client", f"the name {HOST} is not among those"),
    "no names": ({"names": []}, "browsers, Go, urllib3", "no subject alternative names"),
    "an address as a name": (
        {"names": [HOST, x509.DNSName("192.0.2.1")]},
        "every client",
        "the address 192.0.2.1 is among its DNS names",
    ),
    "a URL as a name": ({"names": [HOST, x509.DNSName("https://a.example")]}, "every client", "is no host name"),
    "for clients alone": ({"extensions": [FOR_CLIENTS]}, "every client", "is not for this purpose"),
    "for nothing in particular": ({"extensions": []}, "Apple's systems", "does not say that it is for servers"),
    "years": ({"not_after": YEARS}, "Apple's systems", "825 are the most"),
    "a CA": ({"ca": True}, "Firefox, rustls", "it is a CA's certificate"),
    "may not sign": ({"extensions": [FOR_SERVERS, (MAY_NOT_SIGN, True)]}, "Chrome", "its key may not sign"),
    "must be stapled": (
        {"extensions": [FOR_SERVERS, (x509.TLSFeature([x509.TLSFeatureType.status_request]), False)]},
        "Firefox",
        "must-staple",
    ),
    "a short key": (
        {"key": rsa.generate_private_key(65537, 1024)},
        "OpenSSL at security level 2",
        "too short for the security level",
    ),
    "Ed25519": ({"key": ed25519.Ed25519PrivateKey.generate()}, "browsers", "RSA and ECDSA only"),
    "a curve": ({"key": ec.generate_private_key(ec.SECP224R1())}, "browsers", "none of P-256, P-384 and P-521"),
    "not by the book": (
        {"by_the_book": False},
        "Python 3.13 and newer (VERIFY_X509_STRICT)",
        "no authority key identifier",
    ),
    "a wrong signature": (
        {"signed_with": ec.generate_private_key(ec.SECP256R1())},
        "every client",
        "the signature of the certificate is wrong",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_a_reason_is_told_with_whom_it_concerns(files: Files, case: str) -> None:
    settings, who, reason = REASONS[case]
    facts = report(files.chain(files.server(**settings)), "--cafile", files.ca, "--name", HOST)

    told = [finding for finding in facts["findings"] if reason in finding["reason"]]
    assert [finding["who"] for finding in told] == [who], facts["findings"]


def test_a_public_ca_is_held_to_the_rules_for_those(files: Files) -> None:
    path = files.chain(files.server(not_before=NOW, not_after=NOW + 399 * DAY))

    [told] = [each for each in report(path)["findings"] if "CA/B Forum" in each["reason"]]
    assert told["who"] == "browsers, from a public CA"
    assert "400 days" in told["reason"]
    assert not [each for each in report(path, "--cafile", files.ca)["findings"] if "CA/B" in each["reason"]]


def test_names_that_a_ca_may_not_certify_are_told(files: Files) -> None:
    limits = x509.NameConstraints(permitted_subtrees=[x509.DNSName("example.org")], excluded_subtrees=None)
    ca = files.root.issue("limited", ca=True, by_the_book=True, extensions=[(limits, True)])
    leaf = ca.issue("server", names=[HOST], by_the_book=True, extensions=[FOR_SERVERS])

    facts = report(files.write("a.pem", leaf.pem, ca.pem), "--cafile", files.ca)
    assert facts["refused"] == "the certificate has a name that a CA above it may not certify"


def test_sha_1_is_refused_by_openssl_and_browsers(files: Files) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("SHA-1 signatures are made by the program of OpenSSL: apt install openssl")
    certificate = files.folder / "sha1.pem"
    files.write("ca.key", key_of(files.root))
    (files.folder / "sha1.csr").write_bytes(request_of(files.leaf).public_bytes(Encoding.PEM))
    command = ["openssl", "x509", "-req", "-sha1", "-in", "sha1.csr", "-CA", "ca.pem", "-CAkey", "ca.key"]
    command += ["-set_serial", "5", "-out", certificate]
    subprocess.run(command, check=True, capture_output=True, cwd=files.folder)

    told = {each["who"]: each["reason"] for each in report(certificate, "--cafile", files.ca)["findings"]}
    assert "which can be forged" in told["browsers"]
    assert "hash function that is too weak" in told["OpenSSL at security level 1"]


def test_what_this_system_refuses_is_status_1_and_one_line(files: Files) -> None:
    path = files.chain(files.server(not_after=NOW - dt.timedelta(hours=2)))
    result = wiretight_here("cert", path, "--cafile", files.ca, "--name", "x.example")

    assert_one_line(result, str(path), "would be refused", "expired less than a day ago", "the name x.example is not")
    assert "verified     NO: " in result.stdout
    assert report(path, "--insecure")["verified"] is None
    assert wiretight_here("cert", path, "--insecure").returncode == 0


# --- A server ---------------------------------------------------------------------------------------------------------


def test_the_certificates_of_a_server_are_judged(serving: Serving, certificates: Certificates) -> None:
    port = serving(certificates.server_context())
    facts = report(f"{HOST}:{port}", "--cafile", certificates.ca_file)

    assert (facts["target"], facts["form"], facts["name"]) == (f"{HOST}:{port}", "TLS", HOST)
    assert (facts["verified"], len(facts["certificates"])) == (True, 1)
    result = wiretight_here("cert", f"{HOST}:{port}", "--cafile", certificates.ca_file, "--name", "x.example")
    assert_one_line(result, "the name x.example is not among")


# --- For monitors -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "arguments", "status", "word"),
    [
        (40, ["--warn", "30"], 0, "OK"),
        (20, ["--warn", "30"], 1, "WARNING"),
        (20, ["--critical", "7"], 1, "WARNING"),
        (5, ["--warn", "30"], 2, "CRITICAL"),
        (5, ["--warn", "3", "--critical", "2"], 0, "OK"),
    ],
)
def test_a_monitor_gets_a_line_and_a_status(
    files: Files, days: int, arguments: list[str], status: int, word: str
) -> None:
    path = files.write("a.pem", files.server(not_after=NOW + days * DAY + dt.timedelta(hours=1)).pem)
    result = wiretight_here("cert", path, "--insecure", *arguments)

    numbers = {"--warn": "30", "--critical": "7", **dict(zip(arguments[::2], arguments[1::2], strict=True))}
    data = f"days_left={days};{numbers['--warn']}:;{numbers['--critical']}:"
    assert result.stdout == f"CERT {word} - {path}: {days} days left | {data}\n"
    assert (result.returncode, result.stderr) == (status, "")


def test_the_first_certificate_to_expire_counts(files: Files) -> None:
    path = files.chain(files.server(not_after=NOW + 90 * DAY))

    assert wiretight_here("cert", path, "--insecure", "--warn", "30").returncode == 2, "the intermediate has a day"


def test_whatever_is_refused_is_critical(files: Files) -> None:
    good = files.chain(files.leaf)
    for arguments, words in (
        (["--cafile", files.ca, "--name", "x.example"], "refused: the name x.example"),
        (["--insecure", "--key", files.write("other.key", key_of(files.root))], "is not that of any certificate"),
    ):
        result = wiretight_here("cert", good, *arguments, "--critical", "0", "--warn", "0")
        assert (result.returncode, result.stderr) == (2, "")
        assert result.stdout.startswith(f"CERT CRITICAL - {good}: ")
        assert words in result.stdout


def test_a_monitor_is_told_what_cannot_be_examined() -> None:
    missing = wiretight_here("cert", "/no/such.pem", "--warn", "30")
    assert missing.stdout == "CERT UNKNOWN - /no/such.pem cannot be read: No such file or directory\n"
    assert (missing.returncode, missing.stderr) == (3, "")
    down = wiretight_here("cert", f"{ADDRESS}:1", "--warn", "30")
    assert down.stdout == f"CERT CRITICAL - {ADDRESS}:1 refused the connection: nothing listens there\n"
    assert (down.returncode, down.stderr) == (2, "")
    document = wiretight_here("cert", f"{ADDRESS}:1", "--warn", "30", "--json")
    assert json.loads(document.stdout)["status"] == "CRITICAL"
    assert document.returncode == 2


def test_a_monitor_gets_no_second_bar(files: Files) -> None:
    path = files.write("a|b.pem", files.leaf.pem)

    assert wiretight_here("cert", path, "--insecure", "--warn", "0", "--critical", "0").stdout.count("|") == 1


# --- Whatever it is given ---------------------------------------------------------------------------------------------

HOSTILE: dict[str, tuple[Callable[[Files], list[object]], int, str]] = {
    "nothing there": (lambda files: ["/no/such/file"], 1, "No such file"),
    "a file by its ending": (lambda files: ["nothing.pem"], 1, "nothing.pem cannot be read: No such file"),
    "an empty file": (lambda files: [files.write("a", b"")], 1, "is empty"),
    "white space": (lambda files: [files.write("a", b" \n\n ")], 1, "is empty"),
    "random bytes": (lambda files: [files.write("a", bytes(range(200, 256)) * 9)], 1, "holds no certificate"),
    "text": (lambda files: [files.write("a", b"hello\n")], 1, "holds no certificate"),
    "a folder": (lambda files: [files.folder], 1, "Is a directory"),
    "a device without an end": (lambda files: ["/dev/zero"], 1, "is larger than 64 MiB"),
    "an empty device": (lambda files: ["/dev/null"], 1, "is empty"),
    "a file that is its own link": (lambda files: [looping(files)], 1, "symbolic links"),
    "a pipe without a writer": (lambda files: [fifo(files), "--timeout", "0.2"], 1, "does not end within 0.2 s"),
    "a name with a null character's like": (lambda files: ["\u2400/a"], 1, "cannot be read"),
    "a name that is too long": (lambda files: ["/" + "a" * 5000], 1, "File name too long"),
    "a name with an escape": (lambda files: ["/\x1b[2Jgone"], 1, "/\\x1b[2Jgone cannot be read"),
    "a name with a line break": (lambda files: ["/a\nb"], 1, "/a\\nb cannot be read"),
    "truncated DER": (lambda files: [files.write("a", files.leaf.der[:100])], 1, "it is truncated"),
    "a header alone": (lambda files: [files.write("a", b"\x30\x84\xff\xff\xff\xff")], 1, "it is truncated"),
    "an endless length": (lambda files: [files.write("a", b"\x30\x80" * 999)], 1, "DER does not allow"),
    "millions of parts": (
        lambda files: [files.write("a", b"\x30\x84" + (1 << 24).to_bytes(4, "big") + b"\5\0" * (1 << 23))],
        1,
        "too many parts",
    ),
    "DER with more behind": (lambda files: [files.write("a", files.leaf.der, b"more")], 1, "what follows cannot be"),
    "a block without an end": (lambda files: [files.write("a", files.leaf.pem[:200])], 1, "the file is truncated"),
    "millions of blocks": (
        lambda files: [files.write("a", b"-----BEGIN A-----\n" * 500_000)],
        1,
        "in line 1 has no end",
    ),
    "a block with something else": (
        lambda files: [files.write("a", files.leaf.pem.replace("MI", "!!", 1))],
        1,
        "cannot be decoded",
    ),
    "an empty block": (
        lambda files: [files.write("a", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n")],
        1,
        "cannot be decoded",
    ),
    "a key of SSH": (
        lambda files: [
            files.write("a", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----")
        ],
        1,
        "a private key of SSH, which is not for TLS",
    ),
    "a page": (lambda files: [files.write("a", b"<!DOCTYPE html>")], 1, "a page of HTML"),
    "a keystore of Java": (lambda files: [files.write("a", b"\xfe\xed\xfe\xed\0\0\0\2")], 1, "keytool"),
    "a locked PKCS#12": (lambda files: [files.write("a", bundle(files.leaf, b"x"))], 1, "give --password or"),
    "a wrong password": (
        lambda files: [files.write("a", bundle(files.leaf, b"x")), "--password-file", files.write("b", b"y")],
        1,
        "the password is wrong",
    ),
    "an empty password file": (
        lambda files: [files.write("a", bundle(files.leaf, b"x")), "--password-file", files.write("b", b"")],
        1,
        "has no password",
    ),
    "no terminal to ask at": (
        lambda files: [files.write("a", bundle(files.leaf, b"x")), "--password"],
        2,
        "use --password-file",
    ),
    "two passwords": (lambda files: [files.ca, "--password", "--password-file", "a"], 2, "exclude each other"),
    "a key file without a key": (lambda files: [files.ca, "--key", files.ca], 1, "holds no private key"),
    "a key file that is none": (lambda files: [files.ca, "--key", "/no/key"], 1, "/no/key cannot be read"),
    "a CA file without a CA": (
        lambda files: [files.ca, "--name", HOST, "--cafile", files.write("a", key_of(files.leaf))],
        1,
        "holds no CA certificate",
    ),
    "a CA file that is a pipe": (
        lambda files: [files.ca, "--name", HOST, "--cafile", fifo(files), "--timeout", "0.2"],
        1,
        "fifo cannot be read: it does not end within 0.2 s",
    ),
    "a CA file that is none": (
        lambda files: [files.ca, "--name", HOST, "--cafile", "/no/ca"],
        1,
        "/no/ca cannot be read",
    ),
    "a name that is none": (lambda files: [files.ca, "--name", ".x"], 2, "cannot be a server's name"),
    "a name with no letter": (lambda files: [files.ca, "--name", ""], 2, "cannot be a server's name"),
    "thresholds in the wrong order": (lambda files: [files.ca, "--warn", "1", "--critical", "2"], 2, "is below"),
    "an address that is none": (lambda files: ["a b:1"], 2, "is not HOST or HOST:PORT"),
    "STARTTLS with a file": (lambda files: [files.ca, "--starttls", "smtp"], 2, "is for a server"),
    "stdin twice": (lambda files: ["-", "--key", "-"], 2, "cannot both be"),
    "an empty stdin": (lambda files: ["-"], 1, "the standard input is empty"),
    "a closed port": (lambda files: [f"{ADDRESS}:1"], 1, "refused the connection"),
}


def fifo(files: Files) -> Path:
    os.mkfifo(files.folder / "fifo")
    return files.folder / "fifo"


def looping(files: Files) -> Path:
    (files.folder / "loop").symlink_to("loop")
    return files.folder / "loop"


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_certificate_is_one_line_and_a_document(files: Files, case: str) -> None:
    make, status, words = HOSTILE[case]
    arguments = make(files)
    result = wiretight_here("cert", *arguments, "--json")

    assert_one_line(result, words, status=status)
    document = json.loads(result.stdout)
    if set(document) == {"error"}:
        assert "Traceback" not in document["error"]


def test_an_argument_that_is_no_text_is_one_line() -> None:
    assert_one_line(wiretight_here("cert", os.fsdecode(b"/\xff\xfe.pem")), r"/\udcff\udcfe.pem cannot be read")


@pytest.mark.parametrize("columns", [0, 1, 15])
def test_a_terminal_of_no_width_gets_all_of_it(files: Files, columns: int) -> None:
    status, seen = in_terminal(
        "cert", files.chain(files.leaf), "--cafile", files.ca, environment={"COLUMNS": str(columns)}
    )
    assert status == 0
    assert "Traceback" not in seen
    assert "key pin" in seen


def test_a_certificate_cannot_control_the_terminal(files: Files) -> None:
    leaf = issue("\x1b[2Jgone\nverified     yes", names=[HOST, x509.DNSName("a\x07b")])
    for arguments in ([], ["--insecure"], ["--insecure", "--warn", "1"]):
        result = wiretight_here("cert", files.write("a.pem", leaf.pem), *arguments)
        assert "\x1b" not in result.stdout + result.stderr
        assert "\x07" not in result.stdout + result.stderr
        assert "  verified     yes" not in result.stdout.splitlines()
    _, seen = in_terminal("cert", files.folder / "a.pem")
    assert "\x1b[2J" not in seen


def test_a_closed_pipe_and_a_full_disk_cause_no_traceback(files: Files) -> None:
    with started("cert", files.chain(files.leaf), "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141
    with Path("/dev/full").open("w", encoding="ascii") as full:
        command = [*COMMAND, "cert", str(files.ca)]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert_one_line(result, "the output cannot be written: No space left on device")


def test_the_report_fits_80_columns_and_a_terminal_gets_colour(files: Files) -> None:
    path = files.chain(files.server(names=[f"host{number}.example.org" for number in range(30)], not_after=YEARS))
    lines = wiretight_here("cert", path, "--cafile", files.ca).stdout.splitlines()

    assert lines[0] == str(path)
    assert [line for line in lines[1:] if len(line) > 80] == []
    assert "and 10 more" in "".join(lines)
    pytest.importorskip("rich", reason="colour needs rich: pip install 'wiretight[demo]'")
    _, seen = in_terminal("cert", path, "--cafile", files.ca)
    assert COLOUR.search(seen)
