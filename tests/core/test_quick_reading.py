"""What is read of a file of CAs without decoding it is what OpenSSL decodes, and all else is left to OpenSSL."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

import wiretight
from fuzz.mutations import mutated
from tests.kit.authority import issue
from tests.kit.bundles import check_is_read_alike, pem
from tests.kit.standard import beside_ssl
from wiretight._core.trust.index import certificates_in

CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus" / "certificate"


def test_the_systems_certificates_need_not_be_decoded() -> None:
    system = wiretight.get_default_verify_paths().cafile
    if system is None:
        pytest.skip("this system has no file of CA certificates")
    assert certificates_in(Path(system).read_bytes())


@pytest.fixture(scope="module")
def ders() -> list[bytes]:
    """Of three CAs, and of what the fuzzers start from."""
    made = [issue(name, ca=True, by_the_book=True).der for name in ("one", "two", "three")]
    return [*made, *(path.read_bytes() for path in sorted(CORPUS.iterdir()))]


def test_the_certificates_are_found_in_their_order(ders: list[bytes]) -> None:
    assert certificates_in(pem(*ders)) == ders
    assert certificates_in(pem(*reversed(ders))) == ders[::-1]
    assert certificates_in(pem(*ders) * 2) is None
    assert certificates_in(b"") is None


# What is the same to OpenSSL, and whether it is of the usual form.
FORMS: dict[str, tuple[Callable[[bytes], bytes], bool]] = {
    "as it is": (lambda text: text, True),
    "with CRLF": (lambda text: text.replace(b"\n", b"\r\n"), True),
    "without the last line end": (lambda text: text.rstrip(), True),
    "after a comment": (lambda text: "# Issuer: CN=Főtanúsítvány - 2026\n\n".encode() + text, True),
    "between comments": (lambda text: text.replace(b"-----BEGIN", b"== two --\r\n\0\xff\r# \n-----BEGIN"), True),
    "with spaces at line ends": (lambda text: text.replace(b"\n", b" \n"), False),
    "with empty lines": (lambda text: text.replace(b"CATE-----\n", b"CATE-----\n\n", 1), False),
    "with short lines": (lambda text: text.replace(b"CATE-----\nMIIB", b"CATE-----\nMIIB\n", 1), False),
    "in one line": (lambda text: b"-----\n".join(part.replace(b"\n", b"") for part in text.split(b"-----\n")), False),
    "with a byte order mark": (lambda text: b"\xef\xbb\xbf" + text, False),
    "indented": (lambda text: text.replace(b"-----BEGIN", b" -----BEGIN", 1), False),
    "as X509 CERTIFICATE": (lambda text: text.replace(b"CERTIFICATE", b"X509 CERTIFICATE"), False),
    "as TRUSTED CERTIFICATE": (lambda text: text.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"), False),
    "with a header": (lambda text: text.replace(b"CATE-----\n", b"CATE-----\nName: value\n\n", 1), False),
    "with another block": (lambda text: b"-----BEGIN A-----\nAAAA\n-----END A-----\n" + text, False),
    "twice": (lambda text: text * 2, False),
    "without an end": (lambda text: text.replace(b"-----END CERTIFICATE-----", b"", 1), False),
    "with another end": (lambda text: text.replace(b"END CERTIFICATE", b"END NOTHING", 1), False),
    "with an empty block": (lambda text: b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n" + text, False),
    "with a letter that is none": (lambda text: text.replace(b"MIIB", b"MI!B", 1), False),
    "with padding in the middle": (lambda text: text.replace(b"MIIB", b"MI==", 1), False),
    "cut": (lambda text: text[:-40], False),
}


@beside_ssl
@pytest.mark.parametrize(("form", "is_usual"), FORMS.values(), ids=FORMS)
def test_only_the_usual_form_is_read_without_openssl(
    ders: list[bytes], tmp_path: Path, form: Callable[[bytes], bytes], is_usual: bool
) -> None:
    (tmp_path / "ca.pem").write_bytes(form(pem(*ders[:3])))
    assert check_is_read_alike(tmp_path / "ca.pem", tmp_path / "at_once.pem") is is_usual


@beside_ssl
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_an_empty_line_after_nothing_but_full_lines_ends_a_header(tmp_path: Path, line_end: bytes) -> None:
    names = ("x" * (number % 48 + 1) for number in range(10_000))
    der = next(made.der for made in (issue(name, ca=True) for name in names) if len(made.der) % 48 == 0)
    text = pem(der).replace(b"\n", line_end)
    (tmp_path / "ca.pem").write_bytes(text)
    assert check_is_read_alike(tmp_path / "ca.pem", tmp_path / "at_once.pem")
    (tmp_path / "ca.pem").write_bytes(text.replace(b"-----END", line_end + b"-----END"))
    assert not check_is_read_alike(tmp_path / "ca.pem", tmp_path / "at_once.pem")


@beside_ssl
def test_mutated_files_are_read_as_by_ssl(ders: list[bytes], tmp_path: Path) -> None:
    chance = random.Random(15)
    text = pem(*ders[:3])
    others = [pem(der) for der in ders]
    for _ in range(300):
        (tmp_path / "ca.pem").write_bytes(mutated(text, chance, others))
        check_is_read_alike(tmp_path / "ca.pem", tmp_path / "at_once.pem")


def test_whatever_is_found_can_be_decoded(ders: list[bytes]) -> None:
    chance = random.Random(15)
    found = 0
    for _ in range(4000):
        certificates = certificates_in(pem(mutated(chance.choice(ders), chance, ders)))
        if certificates is not None:
            (der,) = certificates
            assert wiretight.Certificate.from_der(der).der() == der, der.hex()
            found += 1
    assert found > 400


def test_a_part_that_goes_on_too_long_is_refused(ders: list[bytes]) -> None:
    """Each length is one too large, or too small: the part after it begins in the wrong place."""
    for der in ders[:3]:
        for at in range(len(der)):
            for change in (-1, 1):
                changed = bytearray(der)
                changed[at] = (changed[at] + change) % 256
                certificates = certificates_in(pem(bytes(changed)))
                assert certificates is None or wiretight.Certificate.from_der(bytes(changed)).der() == bytes(changed)
