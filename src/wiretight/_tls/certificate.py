"""Certificates as DER bytes and as PEM text, and the dates in them."""

# ruff: noqa: N802  the names are those of `ssl`

from __future__ import annotations

import base64
import re

from wiretight._core.x509.certificate import ENCODING_DER, ENCODING_PEM
from wiretight._standard.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

PEM_HEADER = "-----BEGIN CERTIFICATE-----"
PEM_FOOTER = "-----END CERTIFICATE-----"

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CERT_TIME = r"([a-z]{3})\s+(\d\d?)\s+(\d\d?):(\d\d?):(\d\d?)\s+(\d{4})\s+gmt\s*"


def DER_cert_to_PEM_cert(der_cert_bytes: Buffer) -> str:
    """The PEM text of a DER certificate, with header, footer and lines of 64 characters.

    Since 0.1. Source: RFC 7468, section 5.
    """
    body = base64.standard_b64encode(der_cert_bytes).decode("ascii")
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    return "\n".join([PEM_HEADER, *lines, PEM_FOOTER, ""])


def PEM_cert_to_DER_cert(pem_cert_string: str) -> bytes:
    """The DER bytes of a certificate in PEM text, which must contain that certificate and nothing else.

    Raises ValueError if the header or the footer is missing. Since 0.1. Source: RFC 7468, section 5.
    """
    if not pem_cert_string.startswith(PEM_HEADER):
        raise ValueError(f"Invalid PEM encoding; must start with {PEM_HEADER}")
    text = pem_cert_string.strip()
    if not text.endswith(PEM_FOOTER):
        raise ValueError(f"Invalid PEM encoding; must end with {PEM_FOOTER}")
    return base64.decodebytes(text[len(PEM_HEADER) : -len(PEM_FOOTER)].encode("ascii", "strict"))


def cert_time_to_seconds(cert_time: str) -> int:
    """Seconds since the Epoch (UTC) for a date in the format of getpeercert(): "Jan  5 09:34:43 2018 GMT".

    Raises ValueError for anything else; month names are English whatever the locale.
    Since 0.1. Source: RFC 5280, section 4.1.2.5.
    """
    parts = re.fullmatch(_CERT_TIME, cert_time.lower(), re.ASCII)  # compiled for the first date
    if parts is not None and parts[1] in _MONTHS:
        day, hour, minute, second, year = map(int, parts.group(2, 3, 4, 5, 6))
        if year and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 62:
            return ((_days(year, _MONTHS.index(parts[1])) + day - 1) * 24 + hour) * 3600 + minute * 60 + second
    raise ValueError(f'time data {cert_time!r} does not match format "%b %d %H:%M:%S %Y GMT"')


def _days(year: int, month: int) -> int:
    """From the Epoch to the first of a month, 0 for January. Unlike calendar, it costs no import."""
    year, month = divmod(year * 12 + month - 2, 12)  # of a year that begins in March, and ends with the leap day
    return year * 365 + year // 4 - year // 100 + year // 400 + (month * 153 + 2) // 5 - 719468


class CertificateBytes(bytes):
    """The DER bytes of one certificate of a chain.

    They are `bytes`, as in Python 3.13, with the method that the certificates of `_sslobj` have: code for an older
    Python, which lacks SSLSocket.get_unverified_chain(), expects that method and finds it here. Since 0.1.
    """

    __slots__ = ()

    def public_bytes(self, format: int = ENCODING_PEM) -> str | bytes:
        """PEM text (1) or DER bytes (2). Raises ValueError for another number. Since 0.1."""
        if format == ENCODING_PEM:
            return DER_cert_to_PEM_cert(self)
        if format == ENCODING_DER:
            return bytes(self)
        raise ValueError(f"Unsupported format {format}: use ENCODING_PEM (1) or ENCODING_DER (2)")
