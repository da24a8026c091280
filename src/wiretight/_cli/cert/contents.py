"""Contents: the certificates, keys, requests and CRLs that a file holds, told apart."""

import base64
import binascii
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import wiretight as ssl
from wiretight._cli.cert import der
from wiretight._cli.cert.crl import Crl, read_crl
from wiretight._cli.cert.privatekey import PrivateKey, read_key
from wiretight._cli.cert.request import Request, read_request
from wiretight._cli.errors import CommandError

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"
_SIGNED_DATA = "1.2.840.113549.1.7.2"

# What is often taken for a certificate, by how it begins.
_OTHERS = (
    (b"\xfe\xed\xfe\xed", "a Java keystore: convert it with `keytool -importkeystore -deststoretype pkcs12`"),
    (b"PuTTY-User-Key-File", "a key of PuTTY, which is for SSH and not for TLS"),
    (b"ssh-", "a public key of SSH, which is not for TLS"),
    (b"<", "a page of HTML or XML"),
    (b"\x7fELF", "a program"),
    (b"PK\x03\x04", "a zip archive: unpack it"),
    (b"\x1f\x8b", "compressed: unpack it with gunzip"),
)

# Blocks that are neither certificates nor what goes with them, by their label.
_ELSEWHERE = {
    "OPENSSH PRIVATE KEY": "a private key of SSH, which is not for TLS",
    "SSH2 PUBLIC KEY": "a public key of SSH, which is not for TLS",
    "PGP PUBLIC KEY BLOCK": "a key of OpenPGP, which is not for TLS",
    "PGP PRIVATE KEY BLOCK": "a key of OpenPGP, which is not for TLS",
    "PUBLIC KEY": "a public key",
    "DH PARAMETERS": "parameters for Diffie-Hellman",
}

_MOST = 10_000  # objects in a file

Password = Callable[[], bytes]  # called when it is needed


@dataclass
class Contents:
    """What was found, in its order. `form` is PEM, DER, PKCS#12, PKCS#7, or TLS for what a server sent; `others` are
    sentences about what is none of these, or damaged.
    """

    form: str
    certificates: list[ssl.Certificate] = field(default_factory=list)
    keys: list[PrivateKey] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    crls: list[Crl] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """Such as "2 certificates, 1 private key"."""
        counted = (
            (self.certificates, "certificate"),
            (self.keys, "private key"),
            (self.requests, "certificate signing request"),
            (self.crls, "certificate revocation list"),
        )
        return ", ".join(f"{len(all_)} {word}{'s' * (len(all_) > 1)}" for all_, word in counted if all_)


def contents_of(data: bytes, name: str, password: "Password | None") -> Contents:
    """What `data`, the content of the file `name`, holds. Raises `CommandError` if that is nothing of these.

    `password` is called for an encrypted PKCS#12 or private key; None leaves a key closed.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # as PowerShell writes text
        data = data.decode("utf-16", "replace").encode("utf-8")
    if not data.strip():
        raise CommandError(f"{name} is empty")
    if _BEGIN in data:
        contents = _from_pem(data)
    elif data[0] == der.SEQUENCE:
        contents = _from_der(data, name, password)
    else:
        what = next((words for start, words in _OTHERS if data.lstrip().startswith(start)), None)
        raise CommandError(f"{name} is {what}" if what else f"{name} holds no certificate, key, request or CRL")
    if not contents.words and not contents.others and contents.damaged:
        raise CommandError(f"{name} cannot be used: {contents.damaged[0]}")
    if not contents.words:
        raise CommandError(f"{name} holds {contents.others[0] if contents.others else 'nothing that is known here'}")
    return contents


# --- PEM --------------------------------------------------------------------------------------------------------------


def _from_pem(data: bytes) -> Contents:
    contents = Contents("PEM")
    for number, (line, label, body) in enumerate(_blocks(data)):
        if number == _MOST:
            contents.damaged.append(f"it has more than {_MOST:,} blocks, of which the others are not looked at")
            break
        where = f"the block {label!r} in line {line}"
        if body is None:
            contents.damaged.append(f"{where} has no end: the file is truncated")
            continue
        if label == "EC PARAMETERS":  # of the key that follows, which names the curve, too
            continue
        if label in _ELSEWHERE:
            contents.others.append(_ELSEWHERE[label])
            continue
        try:
            _put(contents, label, body)
        except (ValueError, ssl.SSLError, binascii.Error) as error:
            contents.damaged.append(f"{where} cannot be decoded: {_why(error)}")
    return contents


def _blocks(data: bytes) -> Iterator[tuple[int, str, "bytes | None"]]:
    """(number of its line, label, what stands in it) of each block; None for one without an end."""
    at, line = 0, 1
    while (start := data.find(_BEGIN, at)) >= 0:
        line += data.count(b"\n", at, start)
        label_end = data.find(_DASHES, start + len(_BEGIN), start + len(_BEGIN) + 64)
        if label_end < 0:
            line += data.count(b"\n", start, start + len(_BEGIN))
            at = start + len(_BEGIN)
            continue
        label = data[start + len(_BEGIN) : label_end]
        following = data.find(_BEGIN, label_end)
        end = data.find(_END + label + _DASHES, label_end, None if following < 0 else following)
        yield line, label.decode("latin-1"), None if end < 0 else data[label_end + len(_DASHES) : end]
        stop = label_end if end < 0 else end
        line += data.count(b"\n", start, stop)
        at = stop


def _put(contents: Contents, label: str, body: bytes) -> None:
    # Headers, which an encrypted key may have, end with an empty line (RFC 1421, section 4.4).
    headers, blank, rest = body.replace(b"\r\n", b"\n").partition(b"\n\n") if b":" in body else (b"", b"", body)
    octets = base64.b64decode(b"".join((rest or headers).split()), validate=True)
    encrypted = bool(blank) and b"ENCRYPTED" in headers
    if label.endswith("PRIVATE KEY"):
        pem = _BEGIN + label.encode("latin-1") + _DASHES + body + _END + label.encode("latin-1") + _DASHES + b"\n"
        contents.keys.append(read_key(octets, label, encrypted, pem))
    elif label in ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"):
        # What a TRUSTED CERTIFICATE is trusted for stands behind it.
        contents.certificates.append(ssl.Certificate.from_der(_object(octets, "certificate", label != "CERTIFICATE")))
    elif label in ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"):
        contents.requests.append(read_request(octets))
    elif label == "X509 CRL":
        contents.crls.append(read_crl(octets))
    elif label in ("PKCS7", "PKCS #7 SIGNED DATA", "CMS"):
        contents.certificates += _certificates_of_pkcs7(octets)
    else:
        contents.others.append(f"a block {label!r}, which is nothing of TLS")


def _object(octets: bytes, kind: str, more_may_follow: bool = False) -> memoryview:
    first = der.first_element(octets)
    if len(first.whole) < len(octets) and not more_may_follow:
        raise ValueError(f"{len(octets) - len(first.whole)} bytes follow the {kind}")
    return first.whole


# --- DER --------------------------------------------------------------------------------------------------------------


def _from_der(data: bytes, name: str, password: "Password | None") -> Contents:
    contents = Contents("DER")
    try:
        kind = _kind_of(der.first_element(data))
        if kind == "PKCS#12":
            return _from_pkcs12(data, name, password)
        if kind == "PKCS#7":
            return Contents("PKCS#7", _certificates_of_pkcs7(data))
        if kind == "certificate":
            for each in itertools.islice(der.elements(data), _MOST):
                contents.certificates.append(ssl.Certificate.from_der(each.whole))
        elif kind == "request":
            contents.requests.append(read_request(data))
        elif kind == "CRL":
            contents.crls.append(read_crl(data))
        elif kind == "public key":
            contents.others.append("a public key")
        else:
            contents.keys.append(read_key(data, kind, kind == "ENCRYPTED PRIVATE KEY", None))
    except (ValueError, ssl.SSLError) as error:
        if contents.certificates:
            contents.damaged.append(f"what follows cannot be decoded: {_why(error)}")
        else:
            raise CommandError(f"{name} holds no certificate, key, request or CRL in DER: {_why(error)}") from error
    return contents


def _kind_of(outer: der.Element) -> str:
    """By its structure: RFC 7292, 2315, 5958, 5915, 8017, 5280 and 2986. Keys have the label of their PEM block."""
    if outer.tag != der.SEQUENCE:
        raise ValueError("it begins with something else")
    parts = outer.parts
    tags = [part.tag for part in parts]
    if tags[:2] == [der.INTEGER, der.SEQUENCE]:
        return "PRIVATE KEY" if tags[2:3] == [der.OCTET_STRING] else "PKCS#12"
    if tags[:2] == [der.INTEGER, der.OCTET_STRING]:
        return "EC PRIVATE KEY"
    if tags[:2] == [der.INTEGER, der.INTEGER]:
        return "RSA PRIVATE KEY"
    if tags[:1] == [der.OID] and parts[0].oid == _SIGNED_DATA:
        return "PKCS#7"
    if tags == [der.SEQUENCE, der.OCTET_STRING]:
        return "ENCRYPTED PRIVATE KEY"
    if tags == [der.SEQUENCE, der.BIT_STRING]:
        return "public key"
    if tags == [der.SEQUENCE, der.SEQUENCE, der.BIT_STRING]:
        return _kind_of_signed([part.tag for part in parts[0].parts])
    raise ValueError("its structure is that of something else")


def _kind_of_signed(tags: list[int]) -> str:
    if tags[:1] != [der.INTEGER]:
        return "certificate" if tags[:1] == [der.CONTEXT | der.CONSTRUCTED] else "CRL"
    if {der.UTC_TIME, der.GENERALIZED_TIME} & set(tags[:4]):
        return "CRL"
    return "request" if len(tags) <= 4 else "certificate"


def _from_pkcs12(data: bytes, name: str, password: "Password | None") -> Contents:
    try:
        credential = ssl.Credential.from_pkcs12(data, password=password)
    except (ssl.SSLError, ValueError) as error:
        why = str(getattr(error, "reason", None) or error)
        if "no password was given" in str(error):
            raise CommandError(f"{name} is an encrypted PKCS#12: give --password or --password-file") from error
        if "password is wrong" in str(error):
            raise CommandError(f"{name} cannot be opened: the password is wrong") from error
        raise CommandError(f"{name} is a PKCS#12 that cannot be used: {_why(error) or why}") from error
    key = PrivateKey(
        "PKCS#12", password is not None, credential.key_type, credential.certificates[0].key_bits, None, fits=0
    )
    return Contents("PKCS#12", list(credential.certificates), [key])


def _certificates_of_pkcs7(octets: bytes) -> list[ssl.Certificate]:
    """SignedData: its version, digests and content, and then the certificates (RFC 2315, section 9.1)."""
    context = der.CONTEXT | der.CONSTRUCTED
    signed = der.first_element(octets).part(1, context).part(0, der.SEQUENCE)
    found = [part for part in signed.parts if part.tag == context]
    if not found:
        raise ValueError("the PKCS#7 holds no certificates")
    return [ssl.Certificate.from_der(each.whole) for each in itertools.islice(found[0].each(), _MOST)]


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        text = str(error.args[1] if len(error.args) > 1 else error)
        return text.partition(": ")[2] or text
    return str(error)
