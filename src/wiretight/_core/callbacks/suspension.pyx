"""Suspension: callbacks that may decide later, while OpenSSL waits in the middle of the handshake.

OpenSSL calls such a callback again when the verb is called again. Who calls the verb, and how it waits, decides what a
callback may answer. A blocking socket has a thread that can wait, so that its callback does. On a non-blocking one, and
over BIOs, PENDING has the verb raise SSLWantCallbackError; the callback is called again with the same argument. The
transport of an event loop awaits what a coroutine function returns, and the callback is not called again: its result
is there when OpenSSL asks.
"""

cimport cython

from wiretight._core.base.coroutines cimport close_coroutine
from wiretight._core.callbacks.failures cimport subject_of


@cython.final
cdef class Pending:
    """The type of `PENDING`: see `SSLContext.client_hello_callback`. Since 0.1."""

    __module__ = "wiretight"

    def __repr__(self):
        return "wiretight.PENDING"

    def __reduce__(self):
        return "PENDING"


PENDING = Pending()
globals()["PENDING"] = PENDING      # for Python, which does not see what other modules cimport


@cython.final
cdef class Awaited:
    """What a transport awaits for a connection, and then its outcome."""
    cdef object awaitable       # until the transport has taken it
    cdef bint is_decided
    cdef object result
    cdef object error


cdef object decision(Connection connection, str name, object callback, object argument):
    cdef Awaited awaited = connection.awaited
    if awaited is not None:
        if not awaited.is_decided:
            return PENDING
        connection.awaited = None
        if awaited.error is not None:
            raise awaited.error
        return checked(awaited.result, name)
    subject = subject_of(connection)
    if subject is None:
        raise ReferenceError(f"the connection is gone, and {name} cannot be asked about it")
    answer = callback(subject, argument)
    if hasattr(type(answer), "__await__"):
        if not connection.is_awaited:
            close_coroutine(answer)
            raise TypeError(f"nobody awaits {name} here: only wiretight's transports of an event loop do")
        awaited = Awaited.__new__(Awaited)
        awaited.awaitable = answer
        connection.awaited = awaited
        return PENDING
    if answer is PENDING and connection.is_awaited:
        raise TypeError(f"{name} cannot answer PENDING to a transport, which awaits it: make it a coroutine function")
    if answer is PENDING and not connection.may_suspend:
        raise TypeError(f"{name} cannot answer PENDING on a blocking socket: decide before it returns")
    return answer


cdef object checked(object result, str name):
    if result is PENDING or hasattr(type(result), "__await__"):
        raise TypeError(f"what {name} returns has been awaited, and must not be pending again")
    return result


def take_awaitable(Connection connection not None, /):
    """What a transport has to await for the connection, once; or None. Since 0.1."""
    cdef Awaited awaited = connection.awaited
    if awaited is None:
        return None
    awaitable, awaited.awaitable = awaited.awaitable, None
    return awaitable


def drop_awaitable(Connection connection not None, /):
    """The same, which nobody will await. Since 0.1."""
    close_coroutine(take_awaitable(connection))


def put_decision(Connection connection not None, result, error, /):
    """What has come of it: the next call of the verb goes on with that. Since 0.1."""
    cdef Awaited awaited = connection.awaited
    if awaited is not None:
        awaited.result, awaited.error, awaited.is_decided = result, error, True
