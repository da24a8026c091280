"""The references of the pack look like what they are."""

from __future__ import annotations

import pytest

from tests.incidents.references import link, reference

pytestmark = reference("RFC 7322, 4.8.6")


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("RFC 8446, 6.1", "https://www.rfc-editor.org/rfc/rfc8446"),
        ("CVE-2023-40217", "https://www.cve.org/CVERecord?id=CVE-2023-40217"),
        ("GHSA-cx63-2mw6-8hw5", "https://github.com/advisories/GHSA-cx63-2mw6-8hw5"),
        ("python/cpython#124618", "https://github.com/python/cpython/issues/124618"),
        ("SSL_shutdown(3)", "https://docs.openssl.org/master/man3/SSL_shutdown/"),
    ],
)
def test_a_reference_can_be_looked_up(source: str, address: str) -> None:
    assert link(source) == address


@pytest.mark.parametrize("source", ["", "somewhere", "RFC 8446", "CVE-2023", "python/cpython"])
def test_an_invalid_reference_is_rejected(source: str) -> None:
    with pytest.raises(ValueError, match="not a public reference"):
        link(source)
