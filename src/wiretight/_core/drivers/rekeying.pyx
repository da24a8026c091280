"""Rekeying: a key update that the program asks for."""

from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport Py_XDECREF
from libc.errno cimport EAGAIN

from wiretight._core.base.errors cimport FAILED, Failure, Status, chained, turn_refused
from wiretight._core.base.mutex cimport wt_mutex_unlock
from wiretight._core.connection.connection cimport Connection
from wiretight._core.connection.stream cimport UPDATE, UPDATE_BOTH, Operation, Stream, operation
from wiretight._core.drivers.driver cimport Driver
from wiretight._core.openssl.ssl cimport SSL, SSL_get_version, SSL_is_init_finished, SSL_version, TLS1_3_VERSION

cdef extern from "compat.h" nogil:
    bint wt_in_error_state(const SSL *ssl)


# Whether a connection can have new keys.
cdef struct Readiness:
    bint is_finished        # or has failed: then the step says how
    bint is_possible
    const char *version


def key_update(Driver connection not None, /, *, bint request_peer=False):
    """See SSLSocket.key_update(). Sends as far as that is possible without waiting. Since 0.1.

    OpenSSL: SSL_key_update(3)
    """
    cdef Operation op = operation(UPDATE_BOTH if request_peer else UPDATE, NULL, 0)
    cdef object _sock = connection.socket_to_use() if connection.wire.on_socket else None    # kept until the end
    cdef Failure failure
    cdef Status status = FAILED
    cdef int error = EAGAIN
    check_readiness(connection)
    connection.raise_owed()
    while error == EAGAIN:
        PyErr_CheckSignals()
        with nogil:
            error = connection.descriptor.take_turn()
            if error == 0:
                status = connection.step(&op)
                failure = connection.failure
                wt_mutex_unlock(&connection.descriptor.lock)
    if error:
        raise turn_refused(error)
    problem = connection.exception_for_failure(&failure) if status == FAILED else None
    if op.raised != NULL:
        raised = <object>op.raised
        Py_XDECREF(op.raised)
        problem = chained(problem, raised)
    if problem is not None:
        raise problem


cdef int check_readiness(Stream connection) except -1:
    cdef Readiness readiness
    connection.ask(ask_readiness, &readiness)
    if not readiness.is_finished:
        raise ValueError("key_update() needs a finished handshake: call do_handshake() first")
    if not readiness.is_possible:
        version = readiness.version.decode("ascii")
        raise ValueError(f"key_update() needs TLS 1.3, and this connection is {version}: make a new connection instead")
    return 0


cdef void ask_readiness(Connection connection, void *answer) noexcept nogil:
    """OpenSSL: SSL_is_init_finished(3), SSL_get_version(3)"""
    cdef Readiness *readiness = <Readiness *>answer
    readiness.is_finished = SSL_is_init_finished(connection.ssl) or wt_in_error_state(connection.ssl)
    readiness.is_possible = SSL_version(connection.ssl) >= TLS1_3_VERSION
    readiness.version = SSL_get_version(connection.ssl)
