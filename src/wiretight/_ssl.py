"""The low level, named as in CPython's `_ssl`: programs reach it as `ssl._ssl`."""

from wiretight._constants import _DEFAULT_CIPHERS
from wiretight._core.certificate import ENCODING_DER, ENCODING_PEM, Certificate, nid2obj, txt2obj
from wiretight._core.certificate import test_decode_cert as _test_decode_cert
from wiretight._core.memorybio import MemoryBIO
from wiretight._core.session import SSLSession
from wiretight._core.sslcontext import _SSLContext
from wiretight._core.sslsocket import _SSLSocket
from wiretight._core.tables import OPENSSL_VERSION, OPENSSL_VERSION_INFO, OPENSSL_VERSION_NUMBER
from wiretight._errors import (
    SSLCertVerificationError,
    SSLEOFError,
    SSLError,
    SSLSyscallError,
    SSLWantReadError,
    SSLWantWriteError,
    SSLZeroReturnError,
)
from wiretight._random import RAND_add, RAND_bytes, RAND_status

__all__ = [
    "ENCODING_DER",
    "ENCODING_PEM",
    "OPENSSL_VERSION",
    "OPENSSL_VERSION_INFO",
    "OPENSSL_VERSION_NUMBER",
    "_DEFAULT_CIPHERS",
    "Certificate",
    "MemoryBIO",
    "RAND_add",
    "RAND_bytes",
    "RAND_status",
    "SSLCertVerificationError",
    "SSLEOFError",
    "SSLError",
    "SSLSession",
    "SSLSyscallError",
    "SSLWantReadError",
    "SSLWantWriteError",
    "SSLZeroReturnError",
    "_SSLContext",
    "_SSLSocket",
    "_test_decode_cert",
    "nid2obj",
    "txt2obj",
]
