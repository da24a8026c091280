"""Which certificate is valid for which name: 300 pairs, each with its verdict and the source of it."""

from __future__ import annotations

import datetime as dt
import functools
import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.incidents.references import reference
from tests.kit.pair import Pair
from tests.kit.subject import tls

HOSTNAME_MISMATCH, ADDRESS_MISMATCH = 62, 64  # X509_V_ERR_* of OpenSSL


def dns(name: str) -> x509.GeneralName:
    return x509.DNSName._init_without_validation(name)  # type: ignore[attr-defined]  # what a CA should not have signed


def address(text: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(text))


class Row(NamedTuple):
    """A certificate's names, and hosts that it is good for and not good for."""

    source: str | tuple[str, ...]
    names: tuple[x509.GeneralName, ...]
    good: str = ""
    bad: str = ""
    common_name: str = "nobody"


EXAMPLE = (dns("example.com"),)
STAR = (dns("*.example.com"),)

TABLE = [
    # --- The whole name -------------------------------------------------------------------------------------------
    Row(
        "RFC 9525, 6.3",
        EXAMPLE,
        good="example.com EXAMPLE.com Example.Com eXAMPLE.COM",
        bad="example.org example.net example.co example.comm example www.example.com a.b.example.com com xample.com "
        "example-com.org examplecom example.com.org myexample.com my-example.com exampl.com example.com.example.com",
    ),
    Row("RFC 9525, 6.3", (dns("EXAMPLE.COM"),), good="example.com EXAMPLE.COM Example.com", bad="example.org"),
    Row(
        "RFC 9525, 6.3",
        (dns("www.example.com"),),
        good="www.example.com WWW.EXAMPLE.COM",
        bad="example.com ww.example.com wwww.example.com www.www.example.com www-example.com wwwexample.com "
        "www.example.org www.example.com.evil.example",
    ),
    Row(
        "RFC 9525, 6.1",
        (dns("a.example"), dns("b.example"), dns("c.d.example")),
        good="a.example b.example c.d.example A.example B.EXAMPLE",
        bad="d.example c.example example a.d.example c.a.example ab.example a.b.example",
    ),
    Row(
        "RFC 9525, 6.3", (dns("localhost"),), good="localhost LOCALHOST", bad="localhos localhost.localdomain ocalhost"
    ),
    Row("RFC 9525, 6.3", (dns("server"),), good="server SERVER", bad="server.example example serve"),
    Row("RFC 1034, 3.1", EXAMPLE, bad="example.com."),
    Row("RFC 1034, 3.1", (dns("example.com."),), bad="example.com"),
    Row("RFC 5280, 4.2.1.6", (dns(".example.com"),), bad="example.com a.example.com a.b.example.com"),
    Row("RFC 1035, 2.3.4", (dns(f"{'a' * 63}.example"),), good=f"{'a' * 63}.example", bad=f"{'a' * 62}.example"),
    Row(
        "RFC 1035, 2.3.4",
        (dns(".".join(["abcdefghi"] * 24)),),
        good=".".join(["abcdefghi"] * 24),
        bad=".".join(["abcdefghi"] * 23) + " " + ".".join(["abcdefghi"] * 23) + ".abcdefghj",
    ),
    Row("RFC 1123, 2.1", (dns("3com.example"),), good="3com.example", bad="com.example 4com.example"),
    Row(
        "RFC 1123, 2.1",
        (dns("a-b.example"),),
        good="a-b.example A-B.example",
        bad="ab.example a.b.example a--b.example",
    ),
    Row("python/cpython#75580", (dns("a_b.example"),), good="a_b.example", bad="a-b.example ab.example ab_.example"),
    # --- Wildcards ------------------------------------------------------------------------------------------------
    Row(
        "RFC 9525, 6.3",
        STAR,
        good="a.example.com www.example.com WWW.example.com a.EXAMPLE.com a-b.example.com 1.example.com x1.example.com "
        "example.example.com com.example.com a--b.example.com",
        bad="example.com a.b.example.com a.b.c.example.com www.example.org aexample.com a.example.co a.example.com.org "
        "example a.com com a.xample.com a.bexample.com wwwexample.com a.example.comm",
    ),
    Row(
        "RFC 9525, 6.3", (dns("*.EXAMPLE.com"),), good="a.example.com A.EXAMPLE.COM", bad="example.com a.b.example.com"
    ),
    Row(
        "RFC 9525, 6.3",
        (dns("*.b.example.com"),),
        good="a.b.example.com c.b.example.com",
        bad="b.example.com a.c.example.com a.b.c.example.com a.example.com x.a.b.example.com ab.example.com",
    ),
    Row(
        "RFC 9525, 6.3",
        (*STAR, *EXAMPLE),
        good="example.com a.example.com www.example.com",
        bad="a.b.example.com example.org b.example.org",
    ),
    Row("RFC 6125, 7.2", (dns("*"),), bad="example example.com localhost a a.b.c com"),
    Row("RFC 6125, 7.2", (dns("*."),), bad="example example.com localhost"),
    Row("RFC 6125, 7.2", (dns("*.com"),), bad="example.com a.example.com com a.com"),
    Row("RFC 6125, 7.2", (dns("*.*"),), bad="example.com a.example.com com"),
    Row("RFC 9525, 6.3", (dns("*.*.example.com"),), bad="a.b.example.com a.example.com example.com b.a.example.com"),
    Row("RFC 9525, 6.3", (dns("**.example.com"),), bad="a.example.com ab.example.com a.b.example.com example.com"),
    Row(
        "RFC 9525, 6.3", (dns("a.*.example.com"),), bad="a.b.example.com a.a.example.com a.example.com b.a.example.com"
    ),
    Row("RFC 9525, 6.3", (dns("www.*.com"),), bad="www.example.com www.com www.a.com www.a.b.com"),
    Row("RFC 9525, 6.3", (dns("www.example.*"),), bad="www.example.com www.example.org www.example"),
    Row("RFC 9525, 6.3", (dns("example.*"),), bad="example.com example.org example"),
    Row(
        ("RFC 9525, 6.3", "pyca/service-identity#19"),
        (dns("w*.example.com"),),
        bad="www.example.com w.example.com wa.example.com a.example.com example.com",
    ),
    Row(
        ("RFC 9525, 6.3", "pyca/service-identity#19"),
        (dns("*w.example.com"),),
        bad="www.example.com w.example.com aw.example.com a.example.com",
    ),
    Row(
        ("RFC 9525, 6.3", "pyca/service-identity#19"),
        (dns("w*w.example.com"),),
        bad="www.example.com ww.example.com w.example.com waw.example.com",
    ),
    Row("RFC 9525, 6.3", (dns("*-a.example.com"),), bad="b-a.example.com -a.example.com a.example.com"),
    Row(
        ("CVE-2013-2099", "tornadoweb/tornado#799"),
        (dns(f"{'a*' * 30}.example.com"),),
        bad=f"{'a' * 60}.example.com {'ab' * 30}.example.com",
    ),
    Row("RFC 9525, 6.3", (dns(".*.example.com"),), bad="a.example.com a.b.example.com example.com"),
    Row("RFC 9525, 6.3", (dns("?.example.com"),), bad="a.example.com example.com"),
    Row("RFC 9525, 6.3", (dns("[a-z].example.com"),), bad="a.example.com example.com"),
    Row("RFC 9525, 6.3", (dns("a.example.com|b.example.com"),), bad="a.example.com b.example.com"),
    Row("RFC 9525, 6.3", (dns("a.example.com,b.example.com"),), bad="a.example.com b.example.com"),
    Row("RFC 9525, 6.3", (dns("a.example.com b.example.com"),), bad="a.example.com b.example.com"),
    Row("RFC 9525, 6.3", (dns(" example.com"),), bad="example.com"),
    Row("RFC 9525, 6.3", (dns("example.com "),), bad="example.com"),
    Row("RFC 9525, 6.3", (dns("https://example.com"),), bad="example.com"),
    Row("RFC 9525, 6.3", (dns("example.com:443"),), bad="example.com"),
    Row("RFC 9525, 6.3", (dns(""),), bad="example.com localhost"),
    # --- What is not ASCII ----------------------------------------------------------------------------------------
    Row(
        "RFC 9525, 6.3",
        (dns("xn--bcher-kva.example"),),
        good="xn--bcher-kva.example b\u00fccher.example B\u00dcCHER.example XN--BCHER-KVA.example",
        bad="bucher.example bcher.example xn--bcher-kvb.example b\u00fcche.example",
    ),
    Row(
        "RFC 9525, 6.3",
        (dns("www.xn--bcher-kva.example"),),
        good="www.b\u00fccher.example",
        bad="b\u00fccher.example www.bucher.example",
    ),
    Row(
        "RFC 9525, 6.3",
        (dns("*.xn--bcher-kva.example"),),
        good="www.b\u00fccher.example a.xn--bcher-kva.example",
        bad="b\u00fccher.example a.b.b\u00fccher.example",
    ),
    Row(
        ("RFC 9525, 6.3", "urllib3/urllib3#227", "chromium/badssl.com#52"),
        (dns("xn--*.example.com"),),
        bad="xn--bcher-kva.example.com b\u00fccher.example.com xn--a.example.com",
    ),
    Row(
        ("RFC 9525, 6.3", "urllib3/urllib3#227", "chromium/badssl.com#52", "apple/swift-nio-ssl#580"),
        (dns("*-kva.example.com"), dns("x*.example.com"), dns("*a.example.com")),
        bad="xn--bcher-kva.example.com b\u00fccher.example.com",
    ),
    Row("RFC 9525, 6.3", STAR, good="xn--bcher-kva.example.com b\u00fccher.example.com"),
    # --- Characters that end a name for others --------------------------------------------------------------------
    Row(
        ("CVE-2009-2408", "CVE-2013-4238"),
        (dns("example.com\0.evil.example"),),
        bad="example.com evil.example example.com.evil.example",
    ),
    Row(("CVE-2009-2408", "CVE-2013-4238"), (dns("\0example.com"),), bad="example.com"),
    Row(("CVE-2009-2408", "CVE-2013-4238"), (dns("example.com\0"),), bad="example.com"),
    Row(("CVE-2009-2408", "CVE-2013-4238"), (dns("*\0.example.com"),), bad="a.example.com example.com"),
    Row(
        ("CVE-2009-2408", "CVE-2013-4238"), (), bad="example.com evil.example", common_name="example.com\0.evil.example"
    ),
    Row("CVE-2021-44532", (dns('example.com", DNS:"other.example'),), bad="example.com other.example"),
    Row("CVE-2021-44532", (dns("evil.example, DNS:example.com"),), bad="example.com evil.example"),
    Row("CVE-2021-44532", (dns("evil.example\nDNS:example.com"),), bad="example.com evil.example"),
    # --- Addresses ------------------------------------------------------------------------------------------------
    Row(
        "RFC 9525, 6.5",
        (address("192.0.2.1"),),
        good="192.0.2.1",
        bad="192.0.2.2 192.0.2.10 192.0.2.11 192.0.2.0 1.2.0.192 ::ffff:192.0.2.1 example.com ::1",
    ),
    Row(
        "RFC 9525, 6.5",
        (address("2001:db8::1"),),
        good="2001:db8::1 2001:DB8::1 2001:db8:0:0:0:0:0:1 2001:0db8::0001 2001:db8::0:1",
        bad="2001:db8::2 2001:db8::1:1 ::1 192.0.2.1 2001:db8::",
    ),
    Row("RFC 9525, 6.5", (address("::1"),), good="::1 0:0:0:0:0:0:0:1", bad="::2 :: 127.0.0.1 0.0.0.1 localhost"),
    Row("RFC 9525, 6.5", (address("192.0.2.1"), address("::1")), good="192.0.2.1 ::1", bad="192.0.2.3 ::3"),
    Row("RFC 9525, 6.5", (address("192.0.2.1"), *EXAMPLE), good="192.0.2.1 example.com", bad="192.0.2.4 a.example.com"),
    Row(("RFC 9525, 6.5", "python/cpython#75580"), (dns("192.0.2.1"),), bad="192.0.2.1 192.0.2.2"),
    Row("RFC 9525, 6.5", (dns("::1"),), bad="::1 0:0:0:0:0:0:0:1"),
    Row("RFC 9525, 6.5", (dns("*.0.2.1"),), bad="192.0.2.1"),
    Row("RFC 9525, 6.5", (dns("*.2.1"),), bad="192.0.2.1"),
    Row("RFC 9525, 6.5", (), bad="192.0.2.1 ::1", common_name="192.0.2.1"),
    Row("RFC 9525, 6.5", (address("127.0.0.1"),), good="127.0.0.1", bad="localhost 127.0.0.2 ::1 ::ffff:127.0.0.1"),
    # --- Names of other kinds -------------------------------------------------------------------------------------
    Row("RFC 9525, 2", (), good="example.com EXAMPLE.com", bad="example.org a.example.com", common_name="example.com"),
    Row("RFC 9525, 2", (), good="a.example.com", bad="example.com a.b.example.com", common_name="*.example.com"),
    Row("RFC 6125, 6.4.4", EXAMPLE, good="example.com", bad="other.example nobody", common_name="other.example"),
    Row("RFC 6125, 6.4.4", STAR, good="a.example.com", bad="example.com other.example", common_name="example.com"),
    Row("RFC 9525, 2", (), bad="example.com example", common_name="example.com is not a name"),
    Row(
        "RFC 9525, 6.1",
        (x509.RFC822Name("root@example.com"), x509.UniformResourceIdentifier("https://example.com/")),
        bad="example.com root@example.com",
    ),
    Row("CVE-2021-44531", (x509.UniformResourceIdentifier("https://example.com/"),), bad="example.com a.example.com"),
    Row("RFC 9525, 6.1", (x509.RegisteredID(x509.ObjectIdentifier("1.2.3.4")),), bad="example.com 1.2.3.4"),
    Row("RFC 9525, 6.1", (), bad="example.com localhost nobody.example", common_name=""),
]


class Case(NamedTuple):
    row: Row
    host: str
    good: bool


def cases() -> Iterator[Any]:
    for number, row in enumerate(TABLE):
        sources = (row.source,) if isinstance(row.source, str) else row.source
        for good, hosts in ((True, row.good), (False, row.bad)):
            for host in hosts.split(" ") if hosts else ():
                yield pytest.param(
                    Case(row, host, good),
                    marks=reference(*sources),
                    id=f"{number}-{'good' if good else 'bad'}-{host[:40].encode('idna').decode()}",
                )


CASES = list(cases())


class Authority:
    """Signs what no authority should. One key does for all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "authority")])
        self.key_file = folder / "key.pem"
        self.key_file.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.file = self.write("ca.pem", self.name, (), ca=True)

    def write(self, file: str, subject: x509.Name, names: tuple[x509.GeneralName, ...], *, ca: bool = False) -> Path:
        now = dt.datetime.now(dt.timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        path = self.folder / file
        path.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path

    @functools.cache  # noqa: B019  # it lives as long as the module's tests
    def server_context(self, row: Row) -> Any:
        attributes = [x509.NameAttribute(x509.NameOID.ORGANIZATIONAL_UNIT_NAME, "tests")]
        if row.common_name:
            attributes.append(x509.NameAttribute(x509.NameOID.COMMON_NAME, row.common_name))
        context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.write(f"{TABLE.index(row)}.pem", x509.Name(attributes), row.names), self.key_file)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("names"))


@pytest.fixture(scope="module")
def client_context(authority: Authority) -> Any:
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.file)
    return context


def connects(client_context: Any, server_context: Any, host: str) -> bool:
    """Whether the certificate is accepted; if not, the name must be the only reason."""
    pair = Pair(client_context, server_context, server_hostname=host)
    try:
        pair.handshake()
    except tls.SSLCertVerificationError as error:
        mismatch = error.verify_code in (HOSTNAME_MISMATCH, ADDRESS_MISMATCH)
        if not mismatch or pair.client.server_hostname not in error.verify_message:
            raise
        return False
    return True


@reference("RFC 9525, 6.3")
def test_there_are_three_hundred_cases() -> None:
    assert len(CASES) >= 300


@pytest.mark.parametrize("case", CASES)
def test_a_certificate_is_valid_only_for_its_names(authority: Authority, client_context: Any, case: Case) -> None:
    assert connects(client_context, authority.server_context(case.row), case.host) is case.good


@reference("RFC 9525, 2")
@pytest.mark.parametrize("row", [row for row in TABLE if not row.names and row.good])
def test_the_common_name_can_be_ignored(authority: Authority, client_context: Any, row: Row) -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.file)
    context.hostname_checks_common_name = False
    for host in row.good.split():
        assert connects(client_context, authority.server_context(row), host)
        assert not connects(context, authority.server_context(row), host)


@reference("RFC 1035, 2.3.4")
@pytest.mark.parametrize(
    "host", ["", ".", ".example.com", "a..example.com", f"{'a' * 64}.example.com", "example.com\0.evil"]
)
def test_an_invalid_name_is_rejected_before_anything_is_sent(client_context: Any, host: str) -> None:
    outgoing = tls.MemoryBIO()
    with pytest.raises((ValueError, TypeError)):
        client_context.wrap_bio(tls.MemoryBIO(), outgoing, server_hostname=host)
    assert outgoing.pending == 0
