"""Bad keys, certificates, passwords and paths: the standard exception, at once, without a prompt or a change.

Each case is one call on a context, made on the standard `ssl` too.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import pty
import ssl as standard
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

import wiretight
from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import Pair
from tests.kit.subject import tls

Call = Callable[[Any, Path], object]
FOOTER = "-----END CERTIFICATE-----\n"


@pytest.fixture(scope="module")
def files(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the cases name."""
    folder = tmp_path_factory.mktemp("files")
    chain, key_pem = certificates.server.chain.read_text(), certificates.server.key.read_bytes()
    leaf = chain[: chain.index(FOOTER) + len(FOOTER)]
    key: Any = load_pem_private_key(key_pem, None)
    secret = BestAvailableEncryption(b"secret")
    pkcs8 = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret)
    legacy = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, secret)
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    texts = {
        "cert": chain,
        "other_ca": certificates.other_ca_file.read_text(),
        "other.key": certificates.client.key.read_text(),
        "rsa.key": _pem(small),
        "small": _self_signed(small) + _pem(small),
        "empty": "",
        "junk": "junk",
        "bücher": "junk",
        "truncated": leaf[:-60],
        "no_base64": leaf.replace("MII", "M*I", 1),
        "wrong_footer": leaf.replace("END CERTIFICATE", "END SOMETHING"),
        "wrong_second": chain + "-----BEGIN CERTIFICATE-----\nAAAA\n" + FOOTER,
        "truncated.key": key_pem.decode()[:-60],
        "public.key": key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "locked": chain + pkcs8.decode(),
        "locked_legacy": chain + legacy.decode(),
        "locked_cert": leaf.replace(
            "-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n", 1
        ),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    (folder / "key").write_bytes(key_pem)
    (folder / "der").write_bytes(standard.PEM_cert_to_DER_cert(leaf))
    (folder / "der.key").write_bytes(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "folder").mkdir()
    (folder / "loop").symlink_to("loop")
    return folder


def _pem(key: Any) -> str:
    pem: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


def _self_signed(key: Any) -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.timezone.utc)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def raising(error: BaseException) -> Callable[[], str]:
    def callback() -> str:
        raise error

    return callback


# Paths that lead to no file that can be read, by what they are.
PATHS: dict[str, Callable[[Path], Any]] = {
    "a missing file": lambda files: files / "missing",
    "a folder": lambda files: files / "folder",
    "a loop of links": lambda files: files / "loop",
    "a file for a folder": lambda files: files / "junk" / "x",
    "a name that is too long": lambda files: files / ("x" * 300),
    "a missing file with a name that is not ASCII": lambda files: files / "fehlt für immer",
    "a name that is no text": lambda files: os.fsencode(files) + b"/\xff",
    "an unpaired surrogate": lambda files: f"{files}/\ud800",
    "a null character": lambda files: f"{files}/a\0b",
    "a null byte": lambda files: os.fsencode(files) + b"/a\0b",
    "no name": lambda files: "",
    "a key instead of its path": lambda files: (files / "key").read_text(),
    "a key in bytes instead of its path": lambda files: (files / "key").read_bytes(),
    "a number": lambda files: 3,
    "a list": lambda files: [files],
}
# Files that hold none of what is wanted.
CONTENTS = ["empty", "junk", "bücher", "der"]

CHAIN: dict[str, Call] = {
    "nothing": lambda it, files: it.load_cert_chain(),
    "None": lambda it, files: it.load_cert_chain(None),
    "a certificate without a key": lambda it, files: it.load_cert_chain(files / "cert"),
    "a key without a certificate": lambda it, files: it.load_cert_chain(files / "key"),
    "a certificate for the key": lambda it, files: it.load_cert_chain(files / "cert", files / "cert"),
    "a public key": lambda it, files: it.load_cert_chain(files / "cert", files / "public.key"),
    "the key of another certificate": lambda it, files: it.load_cert_chain(files / "cert", files / "other.key"),
    "a key of another kind": lambda it, files: it.load_cert_chain(files / "cert", files / "rsa.key"),
    "a key that is too small": lambda it, files: it.load_cert_chain(files / "small"),
    "a key in DER": lambda it, files: it.load_cert_chain(files / "cert", files / "der.key"),
    "half a key": lambda it, files: it.load_cert_chain(files / "cert", files / "truncated.key"),
    "half a certificate": lambda it, files: it.load_cert_chain(files / "truncated", files / "key"),
    "a certificate that is no base64": lambda it, files: it.load_cert_chain(files / "no_base64", files / "key"),
    "a certificate without an end": lambda it, files: it.load_cert_chain(files / "wrong_footer", files / "key"),
    "a chain with a broken end": lambda it, files: it.load_cert_chain(files / "wrong_second", files / "key"),
}
PASSWORDS: dict[str, Any] = {
    "wrong": "wrong",
    "wrong bytes": b"wrong",
    "wrong bytearray": bytearray(b"wrong"),
    "of no letters": "",
    "too long": "x" * 1025,
    "not ASCII": "ä",
    "an unpaired surrogate": "\ud800",
    "a number": 3,
    "a list": ["secret"],
    "a memoryview": memoryview(b"secret"),
    "asked for, wrong": lambda: "wrong",
    "asked for, too long": lambda: "x" * 1025,
    "asked for, None": lambda: None,
    "asked for, a number": lambda: 3,
    "asked for with an argument": lambda purpose: "secret",
    "asked for, and an error": raising(ZeroDivisionError("no password today")),
    "asked for, and an error of the system": raising(OSError(5, "no password today")),
    "asked for, and an interrupt": raising(KeyboardInterrupt()),
}
TRUST: dict[str, Call] = {
    "nothing": lambda it, files: it.load_verify_locations(),
    "a key": lambda it, files: it.load_verify_locations(files / "key"),
    "half a certificate": lambda it, files: it.load_verify_locations(files / "truncated"),
    "a certificate that is no base64": lambda it, files: it.load_verify_locations(files / "no_base64"),
    "a chain with a broken end": lambda it, files: it.load_verify_locations(files / "wrong_second"),
    "a folder that is a number": lambda it, files: it.load_verify_locations(capath=3),
    "a folder with a null character": lambda it, files: it.load_verify_locations(capath="a\0b"),
    "no text": lambda it, files: it.load_verify_locations(cadata=""),
    "no bytes": lambda it, files: it.load_verify_locations(cadata=b""),
    "text that is no certificate": lambda it, files: it.load_verify_locations(cadata="junk"),
    "bytes that are no certificate": lambda it, files: it.load_verify_locations(cadata=b"junk"),
    "PEM in bytes": lambda it, files: it.load_verify_locations(cadata=(files / "other_ca").read_bytes()),
    "text that is not ASCII": lambda it, files: it.load_verify_locations(cadata="ä"),
    "data that is a number": lambda it, files: it.load_verify_locations(cadata=3),
    "half a certificate as text": lambda it, files: it.load_verify_locations(cadata=(files / "truncated").read_text()),
    "half a certificate in DER": lambda it, files: it.load_verify_locations(cadata=(files / "der").read_bytes()[:-9]),
    "a good file and bad data": lambda it, files: it.load_verify_locations(files / "other_ca", cadata=b"junk"),
}
OTHERS: dict[str, Call] = {
    "DH parameters from a certificate": lambda it, files: it.load_dh_params(files / "cert"),
    "DH parameters from nothing": lambda it, files: it.load_dh_params(None),
    "a log of keys in a folder that is missing": lambda it, files: setattr(it, "keylog_filename", files / "x" / "y"),
    "a log of keys that is a folder": lambda it, files: setattr(it, "keylog_filename", files / "folder"),
}


TAKERS: dict[str, Callable[[Any, Path, Any], object]] = {
    "chain": lambda it, files, path: it.load_cert_chain(path, files / "key"),
    "key": lambda it, files, path: it.load_cert_chain(files / "cert", path),
    "trust": lambda it, files, path: it.load_verify_locations(path),
    "DH parameters": lambda it, files, path: it.load_dh_params(path),
}


def with_path(taker: str, path: Callable[[Path], Any]) -> Call:
    return lambda it, files: TAKERS[taker](it, files, path(files))


def with_content(taker: str, name: str) -> Call:
    return with_path(taker, lambda files: files / name)


def with_password(file: str, password: Any) -> Call:
    return lambda it, files: it.load_cert_chain(files / file, password=password)


TABLE: dict[str, Call] = {
    **{f"{taker}: {name}": with_path(taker, path) for taker in TAKERS for name, path in PATHS.items()},
    **{f"{taker}: {name}": with_content(taker, name) for taker in TAKERS for name in CONTENTS},
    **{
        f"{file}, password: {name}": with_password(file, password)
        for file in ("locked", "locked_legacy")
        for name, password in PASSWORDS.items()
    },
    **{f"chain: {name}": call for name, call in CHAIN.items()},
    **{f"trust: {name}": call for name, call in TRUST.items()},
    **OTHERS,
}
# `ssl` has loaded the certificate by then, and says that the key has none: NO_CERTIFICATE_ASSIGNED.
OWN_REASONS = {"chain: a key of another kind": "KEY_TYPE_MISMATCH"}
SAME_OPENSSL = tls.OPENSSL_VERSION_INFO[:2] == standard.OPENSSL_VERSION_INFO[:2]


def error_of(call: Call, context: Any, files: Path) -> BaseException:
    try:
        call(context, files)
    except BaseException as error:  # an interrupt is among them
        return error
    raise AssertionError("no error")


def prepared(certificates: Certificates, version: Any, module: ModuleType) -> Any:
    """A server's context that also has a trusted CA."""
    context = certificates.server_context(version, module=module)
    context.load_verify_locations(certificates.ca_file)
    return context


def state(context: Any) -> tuple[Any, ...]:
    return (
        context.cert_store_stats(),
        context.get_ca_certs(),
        [cipher["name"] for cipher in context.get_ciphers()],
        context.keylog_filename,
        context.verify_mode,
        context.options,
    )


@pytest.mark.parametrize("case", TABLE)
def test_it_fails_like_ssl_and_the_old_pair_stays_in_use(
    case: str, certificates: Certificates, files: Path, version: Any
) -> None:
    context = prepared(certificates, version, tls)
    before = state(context)
    ours = error_of(TABLE[case], context, files)
    theirs = error_of(TABLE[case], prepared(certificates, version, standard), files)
    assert type(ours) is type(theirs), f"wiretight: {ours!r}, ssl: {theirs!r}"
    if case in OWN_REASONS:
        assert ours.reason == OWN_REASONS[case]  # type: ignore[attr-defined]
    elif isinstance(theirs, standard.SSLError) and SAME_OPENSSL:
        assert (ours.errno, ours.reason) == (theirs.errno, theirs.reason)  # type: ignore[attr-defined]
    elif isinstance(theirs, OSError) and not isinstance(theirs, standard.SSLError):
        assert ours.errno == theirs.errno  # type: ignore[attr-defined]
    assert state(context) == before
    pair = Pair(certificates.client_context(version), context)
    pair.handshake()
    assert pair.client.getpeercert(True) == (files / "der").read_bytes()
    assert pair.transfer(b"data", pair.server) == b"data"


@pytest.mark.parametrize("taker", TAKERS)
def test_a_key_instead_of_its_path_is_not_told_on(
    taker: str, certificates: Certificates, files: Path, version: Any
) -> None:
    """`ssl` names no files in its errors; ours do, and would name the key."""
    for name in ("a key instead of its path", "a key in bytes instead of its path"):
        error = error_of(TABLE[f"{taker}: {name}"], prepared(certificates, version, tls), files)
        assert isinstance(error, OSError)
        assert error.filename is None
        assert "path of a file was expected" in str(error)
        assert "PRIVATE KEY" not in repr(error) + str(error) + repr(error.__context__)


def test_there_are_more_than_forty_cases() -> None:
    assert len(TABLE) > 40


# --- Nobody is asked ------------------------------------------------------------------------------------------------

UNASKED = """
import sys
import wiretight as ssl
from pathlib import Path
files = Path(sys.argv[1])
for name in ("locked", "locked_legacy", "locked_cert"):
    for load in (
        lambda context, path: context.load_cert_chain(path),
        lambda context, path: context.load_cert_chain(files / "cert", path),
        lambda context, path: context.load_verify_locations(path),
        lambda context, path: context.load_verify_locations(cadata=path.read_text()),
    ):
        try:
            load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), files / name)
        except ssl.SSLError as error:
            print("no password was given" in str(error))
        else:
            print("loaded")
"""


def test_nothing_prompts_for_the_password_of_an_encrypted_key(files: Path) -> None:
    # With a terminal of its own, where OpenSSL would ask.
    terminal, theirs = pty.openpty()
    paths = [str(Path(wiretight.__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    program = subprocess.Popen(
        [sys.executable, "-c", UNASKED, str(files)],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    os.write(terminal, b"secret\n" * 100)  # so that a question ends the test and not the day
    os.set_blocking(terminal, False)
    output, errors = program.communicate()
    shown = []
    try:
        while part := os.read(terminal, 4096):
            shown.append(part)
    except OSError:  # nothing more, or the other end is closed
        pass
    os.close(terminal)
    asked = b"".join(shown).replace(b"secret\r\n", b"")
    assert (asked, errors) == (b"", "")
    assert output.split() == [
        *("True", "True", "loaded", "loaded") * 2,  # of a file for trust, only the certificates are read
        *("True", "True", "False", "False"),
    ]
