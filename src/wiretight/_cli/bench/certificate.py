"""Certificate: that of both ends of a measurement, whose key everybody knows, so that nothing is needed to make one."""

import base64
import textwrap
from pathlib import Path

# The private key of P-256 that is 1, and its public key, as RFC 5915 writes them.
_KEY = (
    bytes.fromhex("30770201010420")
    + (1).to_bytes(32, "big")
    + bytes.fromhex("a00a06082a8648ce3d030107a144034200")
    + bytes.fromhex(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
        "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
    )
)

# Of localhost, signed by itself, valid until 9999.
_CERTIFICATE = (
    "MIIBvzCCAWSgAwIBAgIBATAKBggqhkjOPQQDAjA5MTcwNQYDVQQDDC5sb2NhbGhvc3QsIGZvciBtZWFzdXJlbWVudHM6IGl0cyBrZXkgaXMgcHVi"
    "bGljMCAXDTIwMDEwMTAwMDAwMFoYDzk5OTkxMjMxMjM1OTU5WjA5MTcwNQYDVQQDDC5sb2NhbGhvc3QsIGZvciBtZWFzdXJlbWVudHM6IGl0cyBr"
    "ZXkgaXMgcHVibGljMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8"
    "D54WK84zV2sxXs7LtkBoN79R9aNbMFkwFAYDVR0RBA0wC4IJbG9jYWxob3N0MBIGA1UdEwEB/wQIMAYBAf8CAQAwDgYDVR0PAQH/BAQDAgKEMB0G"
    "A1UdDgQWBBS0Z6OZnrXvpnHeADLwipyeXv2g4TAKBggqhkjOPQQDAgNJADBGAiEA3os8b2UwNVGupxrOrae0m2FpXhDQTz1HaWvyUsHFkLgCIQCk"
    "RuPkjKWW92pH3118YjO38m49YpaDqdJkWMPz2SD0uw=="
)

NAME = "localhost"


def write_certificate(path: Path) -> Path:
    """The certificate and its key as PEM in `path`: for a server to show, and a client to trust in a measurement."""
    certificate = base64.b64decode(_CERTIFICATE)
    path.write_text(_pem("CERTIFICATE", certificate) + _pem("EC PRIVATE KEY", _KEY))
    return path


def _pem(label: str, der: bytes) -> str:
    lines = textwrap.wrap(base64.b64encode(der).decode("ascii"), 64)
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
