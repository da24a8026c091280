"""Exceptions: told apart, raised again, and made by hand."""

import errno
import ssl
from collections.abc import Callable
from typing import TypeVar

from typing_extensions import assert_type

Result = TypeVar("Result")
RETRY: tuple[type[ssl.SSLError], ...] = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


def explain(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        assert_type(error.verify_code, int)
        return error.verify_message.capitalize()
    if isinstance(error, ssl.SSLEOFError):
        return "cut short"
    if isinstance(error, ssl.SSLZeroReturnError):
        return "closed"
    if isinstance(error, ssl.SSLSyscallError):
        return errno.errorcode[error.errno or 0]
    if isinstance(error, ssl.SSLError):
        assert_type(error.library, str)
        assert_type(error.reason, str)
        return f"{error.library}: {error.reason}"
    return str(error)


def attempt(operation: Callable[[], Result], times: int) -> Result:
    for _ in range(times):
        try:
            return operation()
        except RETRY:
            continue
        except ssl.CertificateError as refused:
            raise PermissionError(refused.verify_message) from refused
        except ssl.SSLError as error:
            if error.args and error.args[0] == ssl.SSL_ERROR_EOF:
                continue
            raise
        except ssl.socket_error as error:
            raise ConnectionError(str(error)) from error
    raise ssl.SSLError(ssl.SSL_ERROR_SSL, "gave up")


class Refused(ssl.SSLError):
    """A program's own."""

    def __init__(self, alert: ssl.AlertDescription) -> None:
        super().__init__(ssl.SSL_ERROR_SSL, alert.name)
        self.alert = alert


def number(error: ssl.SSLError) -> ssl.SSLErrorNumber:
    return ssl.SSLErrorNumber(error.errno or ssl.SSL_ERROR_SYSCALL)


def as_standard(error: ssl.SSLError) -> OSError:
    return error
