"""The error funnel: the only reader of SSL_get_error and of OpenSSL's error queue.

A verb of a connection clears the thread's queue immediately before its OpenSSL call and reads the outcome immediately
after it, so that an entry left behind by another user of the same OpenSSL is never mistaken for ours. The outcome is
plain numbers, recorded without the GIL; the caller that raises turns them into an exception later.
"""

from cpython.exc cimport PyErr_SetObject
from libc.errno cimport EAGAIN, EBADF
from libc.string cimport memset

from wiretight._core.base.ranking cimport put_behind
from wiretight._core.base.tables cimport library_name, reason_name
from wiretight._core.openssl.err cimport (
    ERR_GET_LIB, ERR_GET_REASON, ERR_LIB_SSL, ERR_RFLAG_COMMON, ERR_R_MALLOC_FAILURE, ERR_R_NESTED_ASN1_ERROR,
    ERR_SYSTEM_ERROR, ERR_get_error, ERR_peek_error, ERR_peek_last_error, ERR_reason_error_string,
)
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_AD_REASON_OFFSET, SSL_ERROR_NONE, SSL_ERROR_SSL, SSL_ERROR_SYSCALL, SSL_ERROR_WANT_CLIENT_HELLO_CB,
    SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE, SSL_ERROR_WANT_X509_LOOKUP, SSL_ERROR_ZERO_RETURN,
    SSL_RECEIVED_SHUTDOWN, SSL_R_BAD_WRITE_RETRY, SSL_R_CERTIFICATE_VERIFY_FAILED, SSL_R_UNEXPECTED_EOF_WHILE_READING,
    SSL_get_error, SSL_get_shutdown, SSL_get_verify_result,
)
from wiretight._core.openssl.x509 cimport (
    X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH, X509_verify_cert_error_string,
)

cdef extern from "<errno.h>" nogil:
    int ECANCELED, EDEADLK

cdef extern from "compat.h" nogil:
    bint wt_in_error_state(const SSL *ssl)

from wiretight._standard.system import os

from wiretight._standard.errors import (
    SSLCertVerificationError, SSLEOFError, SSLError, SSLWantCallbackError, SSLWantReadError, SSLWantWriteError,
    SSLZeroReturnError,
)

# CPython's own number for "the stream ended without close_notify"; OpenSSL has none.
cdef enum:
    SSL_ERROR_EOF = 8


cdef Status outcome(SSL *ssl, int ret, Failure *failure) noexcept nogil:
    """The outcome of the I/O call that returned `ret`. Fills `failure` if it is FAILED or WANT_CALLBACK.

    OpenSSL: SSL_get_error(3)
    """
    cdef int error = SSL_get_error(ssl, ret)
    if error == SSL_ERROR_NONE:
        return DONE
    if error == SSL_ERROR_WANT_READ:
        return WANT_READ
    if error == SSL_ERROR_WANT_WRITE:
        return WANT_WRITE
    if error == SSL_ERROR_ZERO_RETURN:
        return CLOSED
    memset(failure, 0, sizeof(Failure))
    failure.ssl_error = error
    if error == SSL_ERROR_WANT_CLIENT_HELLO_CB or error == SSL_ERROR_WANT_X509_LOOKUP:
        return WANT_CALLBACK
    failure.code = ERR_peek_last_error()
    forget_errors()
    if error == SSL_ERROR_SYSCALL and failure.code == 0 and hides_close_notify(ssl):
        return CLOSED
    if error == SSL_ERROR_SSL and failure.code == 0:
        # OpenSSL 4.0 no longer looks at its queue to tell an error of its own from one of the system.
        failure.ssl_error = SSL_ERROR_SYSCALL
    if ERR_GET_LIB(failure.code) == ERR_LIB_SSL:
        if ERR_GET_REASON(failure.code) == SSL_R_UNEXPECTED_EOF_WHILE_READING:
            failure.ssl_error = SSL_ERROR_EOF
        elif ERR_GET_REASON(failure.code) == SSL_R_CERTIFICATE_VERIFY_FAILED:
            failure.verify_result = SSL_get_verify_result(ssl)
    return FAILED


cdef bint hides_close_notify(SSL *ssl) noexcept nogil:
    """Whether the peer has closed cleanly after an alert user_canceled, as servers on Java do: OpenSSL 3.2 and newer
    then report the end of the data as a failure of the system (openssl/openssl#25254).

    OpenSSL: SSL_get_shutdown(3)
    """
    return SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN and not wt_in_error_state(ssl)


cdef Status failed(Failure *failure, int ssl_error, int errno_, unsigned long code) noexcept nogil:
    """Fills `failure` with an error that OpenSSL did not report."""
    memset(failure, 0, sizeof(Failure))
    failure.ssl_error = ssl_error
    failure.errno_ = errno_
    failure.code = code
    return FAILED


cdef bint is_of_tls(const Failure *failure) noexcept nogil:
    """Whether the reason concerns TLS or its use, unlike those that all of OpenSSL shares, such as a lack of memory.

    OpenSSL: ERR_GET_REASON(3)
    """
    return ERR_GET_LIB(failure.code) == ERR_LIB_SSL and not ERR_GET_REASON(failure.code) & ERR_RFLAG_COMMON


cdef bint is_alert(const Failure *failure) noexcept nogil:
    """Whether the peer sent a fatal alert."""
    return failure.ssl_error == SSL_ERROR_SSL and alert_in(failure.code) >= 0


cdef int alert_in(unsigned long code) noexcept nogil:
    """The number of the peer's alert that this error stands for; -1: for none.

    OpenSSL: SSL_alert_type_string(3)
    """
    cdef int number = ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET
    return number if ERR_GET_LIB(code) == ERR_LIB_SSL and 0 <= number <= 255 else -1


# The members of enums that name alerts, by number: the face knows them.
cdef dict ALERTS = {}


def name_alerts(members, /):
    """Has SSLError.alert be one of these members, where it has their number. Since 0.1."""
    for member in members:
        ALERTS[int(member)] = member


cdef int explain(object error, int alert, bint was_sent) except -1:
    """Gives an SSLError the alert that told one end what the other found; -1: there was none."""
    error.alert = None if alert < 0 else ALERTS.get(alert, alert)
    error.alert_sent = was_sent
    return 0


cdef object failure_exception(const Failure *failure, object hostname, str refusal=None):
    """The exception for a FAILED outcome; `hostname` is the name that the certificate was checked against, or None.

    `refusal` says why the certificate was refused, if that is not OpenSSL's text for it.
    """
    error = unexplained(failure, hostname, refusal)
    # At the end of the stream OpenSSL sends one, too, to a peer that is gone.
    if failure.sent_alert and failure.ssl_error != SSL_ERROR_EOF and isinstance(error, SSLError):
        explain(error, failure.sent_alert & 0xFF, True)
    return error


cdef object unexplained(const Failure *failure, object hostname, str refusal):
    if failure.turn:
        return turn_refused(failure.turn)
    if failure.errno_:
        error = OSError(failure.errno_, os.strerror(failure.errno_))
        if failure.alert:
            error.__cause__ = ssl_error(SSL_ERROR_SSL, failure.alert)
        return error
    if failure.ssl_error == SSL_ERROR_EOF or (failure.ssl_error == SSL_ERROR_SYSCALL and not failure.code):
        return described(SSLEOFError, SSL_ERROR_EOF, failure.code, "EOF occurred in violation of protocol")
    if ERR_SYSTEM_ERROR(failure.code):
        return OSError(ERR_GET_REASON(failure.code), os.strerror(ERR_GET_REASON(failure.code)))
    if failure.verify_result:
        return verification_error(failure, refusal or verify_message(failure.verify_result, hostname))
    if ERR_GET_LIB(failure.code) == ERR_LIB_SSL and ERR_GET_REASON(failure.code) == SSL_R_BAD_WRITE_RETRY:
        return ssl_error(
            failure.ssl_error, failure.code,
            "an earlier send is incomplete, and the peer expects the rest of it: send the same bytes again first",
        )
    return ssl_error(failure.ssl_error, failure.code)


cdef object chained(object problem, object cause):
    """What a callback raised, or the problem of the verb with that behind it; not a want, which callers just repeat.

    What ends the program is never behind an error, which the program handles.
    """
    if problem is None or isinstance(problem, (SSLWantCallbackError, SSLWantReadError, SSLWantWriteError)):
        return cause
    if isinstance(cause, (KeyboardInterrupt, SystemExit)):
        put_behind(cause, problem)
        return cause
    put_behind(problem, cause)
    return problem


cdef object turn_refused(int turn):
    if turn == OWN_CALLBACK:
        return ValueError("a callback cannot read, write or unwrap the connection that called it; return first")
    if turn == CARRIES:
        return OSError(EBADF, "this connection carries another one inside it: use that, until its unwrap()")
    if turn == EDEADLK:
        return OSError(EDEADLK, (
            "a callback of this connection waits for a callback of another one, which waits for this one: "
            "read and write outside of callbacks"
        ))
    if turn == EAGAIN:
        return BlockingIOError(EAGAIN, (
            "a callback of this connection is running in another thread, which is in the middle of a call: "
            "call again when it has returned"
        ))
    if turn == ECANCELED:
        return OSError(ECANCELED, "the interpreter is shutting down, and the thread using this connection has ended")
    return OSError(EBADF, "another thread was using this connection when the process forked")


cdef str verify_message(long code, object hostname):
    if code == X509_V_ERR_HOSTNAME_MISMATCH:
        return f"Hostname mismatch, certificate is not valid for '{hostname}'."
    if code == X509_V_ERR_IP_ADDRESS_MISMATCH:
        return f"IP address mismatch, certificate is not valid for '{hostname}'."
    return text(X509_verify_cert_error_string(code))


cdef object verification_error(const Failure *failure, str message):
    error = described(
        SSLCertVerificationError, failure.ssl_error, failure.code, f"{reason_text(failure.code)}: {message}",
    )
    error.verify_code = failure.verify_result
    error.verify_message = message
    return error


cdef int check(int ret) except -1:
    """Returns `ret`, which is positive on success; otherwise raises the error on the queue."""
    if ret <= 0:
        raise_queue()
    return ret


cdef int raise_queue(str what=None) except -1:
    """Empties the queue and raises its error, with `what`, if given, as its message."""
    error = queue_exception(what)
    PyErr_SetObject(type(error), error)
    return -1


cdef object queue_exception(str what=None):
    """The same error, returned instead of raised.

    OpenSSL: ERR_peek_last_error(3)
    """
    cdef unsigned long code = ERR_peek_last_error()
    if empty_queue():
        return MemoryError()
    if ERR_SYSTEM_ERROR(code):
        return OSError(ERR_GET_REASON(code), os.strerror(ERR_GET_REASON(code)))
    # `ssl` numbers an error outside of I/O by OpenSSL's reason.
    return ssl_error(ERR_GET_REASON(code), code, what)


cdef object queue_cause():
    """The same, as the cause of another error. A lack of memory is raised at once: the other error would hide it."""
    cause = queue_exception()
    if isinstance(cause, MemoryError):
        raise cause
    return cause


cdef int check_memory() except -1:
    """Empties the queue, and raises MemoryError if it reports a lack of memory: for OpenSSL functions whose results do
    not reveal one.
    """
    if empty_queue():
        raise MemoryError
    return 0


cdef int check_decoder_memory() except -1:
    """The same after a decoder of OpenSSL's has failed on an empty queue.

    Since 3.2 a realloc() that fails is not reported, and all that is heard of it is that a lower layer failed. What is
    wrong with the data is always said by a reason of the decoder's own, which is first on the queue, unless the data is
    nested so deeply that what is above has pushed it out.
    """
    cdef unsigned long first = ERR_peek_error()
    cdef int reason = ERR_GET_REASON(first)
    check_memory()
    if not first or (reason & ERR_RFLAG_COMMON and reason != ERR_R_NESTED_ASN1_ERROR):
        raise MemoryError
    return 0


cdef bint empty_queue() noexcept nogil:
    """Whether a lack of memory was on it, maybe below the errors that OpenSSL's upper layers added.

    OpenSSL: ERR_get_error(3)
    """
    cdef bint out_of_memory = False
    cdef unsigned long code = ERR_get_error()
    while code:
        out_of_memory = out_of_memory or ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE
        code = ERR_get_error()
    return out_of_memory


cdef object ssl_error(int ssl_error, unsigned long code, str message=None):
    """An SSLError with its library and reason."""
    return described(SSLError, ssl_error, code, message or reason_text(code))


cdef object plain_error(type kind, int number, str message):
    error = kind(number, message)
    error.library = error.reason = None
    explain(error, -1, False)
    return error


cdef object closed_by_peer():
    return plain_error(SSLZeroReturnError, SSL_ERROR_ZERO_RETURN, "TLS/SSL connection has been closed (EOF)")


cdef object described(type kind, int number, unsigned long code, str message):
    library = text_or_none(library_name(ERR_GET_LIB(code))) if code else None
    reason = mnemonic(code) if code else None
    if library and reason:
        message = f"[{library}: {reason}] {message}"
    elif library:
        message = f"[{library}] {message}"
    error = kind(number, message)
    error.library = library
    error.reason = reason
    explain(error, alert_in(code), False)
    return error


cdef str mnemonic(unsigned long code):
    """The name of its reason, or None. The loaded OpenSSL may be newer than the headers: then it is made of its text.

    OpenSSL: ERR_reason_error_string(3)
    """
    name = text_or_none(reason_name(ERR_GET_LIB(code), ERR_GET_REASON(code)))
    cdef const char *reason = ERR_reason_error_string(code)
    if name is None and reason != NULL and not ERR_GET_REASON(code) & ERR_RFLAG_COMMON:
        name = text(reason).upper().replace(" ", "_")
    return name


cdef str reason_text(unsigned long code):
    if not code:
        return "A failure in the SSL library occurred"
    cdef const char *reason = ERR_reason_error_string(code)
    return f"unknown error (0x{code:x})" if reason == NULL else text(reason)


cdef str text(const char *message):
    return message.decode("ascii", "backslashreplace")


cdef object text_or_none(const char *name):
    return None if name == NULL else text(name)
