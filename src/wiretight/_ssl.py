"""The low level, with the names of CPython's `_ssl`: programs use it as `ssl._ssl`."""

from wiretight._core.base.random import RAND_add, RAND_bytes, RAND_status
from wiretight._core.base.tables import CONSTANTS, OPENSSL_VERSION, OPENSSL_VERSION_INFO, OPENSSL_VERSION_NUMBER
from wiretight._core.base.tables import OPENSSL_VERSION_INFO as _OPENSSL_API_VERSION
from wiretight._core.context.algorithms import get_sigalgs
from wiretight._core.drivers.sslsocket import _SSLSocket
from wiretight._core.session.session import SSLSession
from wiretight._core.sslcontext import _SSLContext
from wiretight._core.trust.truststore import default_verify_paths as get_default_verify_paths
from wiretight._core.wire.memorybio import MemoryBIO
from wiretight._core.x509.certificate import ENCODING_DER, ENCODING_PEM, Certificate
from wiretight._core.x509.certificate import test_decode_cert as _test_decode_cert
from wiretight._core.x509.objects import nid2obj, txt2obj
from wiretight._standard.errors import (
    SSLCertVerificationError,
    SSLEOFError,
    SSLError,
    SSLSyscallError,
    SSLWantReadError,
    SSLWantWriteError,
    SSLZeroReturnError,
)
from wiretight._tls import constants as _constants
from wiretight._tls import removed as _removed
from wiretight._tls.constants import _DEFAULT_CIPHERS

__all__ = [
    "ENCODING_DER",
    "ENCODING_PEM",
    "OPENSSL_VERSION",
    "OPENSSL_VERSION_INFO",
    "OPENSSL_VERSION_NUMBER",
    "_DEFAULT_CIPHERS",
    "_OPENSSL_API_VERSION",
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
    "get_default_verify_paths",
    "get_sigalgs",
    "nid2obj",
    "txt2obj",
]

# As numbers, like in CPython's `_ssl`: exactly the members of this Python's enums, which are built from that module.
for _enum in (
    _constants.AlertDescription,
    _constants.Options,
    _constants.SSLErrorNumber,
    _constants.VerifyFlags,
    _constants.VerifyMode,
    _constants._SSLMethod,
):
    globals().update({_name: int(_member) for _name, _member in _enum.__members__.items()})
globals().update({f"PROTO_{_name}": int(_member) for _name, _member in _constants.TLSVersion.__members__.items()})
globals().update(
    {
        _name.replace("X509_CHECK_FLAG_", "HOSTFLAG_"): _number
        for _name, _number in CONSTANTS.items()
        if "CHECK_FLAG" in _name
    }
)
globals().update({_name: _value for _name, _value in vars(_constants).items() if _name.startswith("HAS_")})
PROTOCOL_SSLv23 = int(_constants.PROTOCOL_SSLv23)
HAS_TLS_UNIQUE = True

# What only this Python's `_ssl` still has.
globals().update({_name: _removed.NAMES[_name] for _name in ("RAND_pseudo_bytes",) if _name in _removed.NAMES})


def __getattr__(name: str) -> object:
    """The tables of errors are made when they are asked for: that takes longer than the rest of the import."""
    if name in _removed.ERROR_TABLES:
        globals().update(_removed.error_tables())
        return globals()[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
