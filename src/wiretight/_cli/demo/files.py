"""Files that a user names, with errors that name them in a sentence."""

import stat
from pathlib import Path

import wiretight as ssl
from wiretight._cli.errors import CommandError
from wiretight._core.base.files import read_file

_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_KEY = "PRIVATE KEY-----"


def readable(path: str) -> str:
    """The text of `path`. Raises `CommandError` if it cannot be read."""
    try:
        if not stat.S_ISREG(mode := Path(path).stat().st_mode) and not stat.S_ISDIR(mode):
            raise CommandError(f"{path} cannot be read: it is not a file, but a pipe or a device")
        return read_file(path).decode("latin-1")
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error


def folder(path: str) -> str:
    """`path`, if it is a folder that can be listed."""
    try:
        next(Path(path).iterdir(), None)
    except OSError as error:
        raise CommandError(f"{path} cannot be served: {error.strerror}") from error
    return path


def load_chain(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    """Load a server's certificate and key. Raises `CommandError` with which of the two is wrong, and how."""
    if _CERTIFICATE not in readable(certificate):
        raise CommandError(f"{certificate} holds no certificate in PEM form")
    if _KEY not in readable(key or certificate):
        raise CommandError(f"{key or certificate} holds no private key in PEM form (see --key)")

    def encrypted() -> str:
        # Instead of OpenSSL's error, one that tells the user what to do.
        raise CommandError(f"{key or certificate} is encrypted: decrypt it with `openssl pkey -in … -out …`")

    try:
        context.load_cert_chain(certificate, key, password=encrypted)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CommandError(f"{key or certificate} is not the private key of {certificate}") from error
        raise CommandError(f"{certificate} and its key cannot be used: {error.reason or error}") from error


def load_authorities(context: ssl.SSLContext, path: str) -> None:
    """Trust the CA certificates in `path`. Raises `CommandError`."""
    readable(path)
    try:
        context.load_verify_locations(path)
    except ssl.SSLError:
        raise CommandError(f"{path} holds no CA certificate in PEM form") from None
