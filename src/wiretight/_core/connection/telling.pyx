"""Telling: what a program's handshake_callback is told, once a verb is over.

It runs when the verb has given back lock and turn, so that it may do anything. The handshake is over by then, well or
badly, and the verb has a result of its own: so what the callback raises goes to sys.unraisablehook, unless it ends the
program.
"""

cimport cython
from cpython.exc cimport PyErr_SetObject, PyErr_WriteUnraisable

from wiretight._core.base.coroutines cimport no_coroutine
from wiretight._core.context.settings cimport Settings
from wiretight._core.context.tally cimport wt_take_news
from wiretight._core.openssl.ssl cimport SSL_CIPHER, SSL_CIPHER_standard_name, SSL_get_current_cipher


# How the handshake has ended.
cdef struct Told:
    unsigned long long outcome      # 0: it is done
    long long took
    const char *cipher              # as IANA has it


cdef object make_event = None


def make_events_with(function, /):
    """Has a handshake_callback get what `function` makes of (connection, outcome, ns, cipher). Since 0.1."""
    global make_event
    make_event = function


cdef int tell_of_handshake(Connection connection) except -1:
    cdef Settings settings
    cdef Told told
    if not wt_take_news(&connection.account.news):
        return 0
    with cython.critical_section(connection):
        settings = connection.settings
    callback = settings.kept.get("handshake_callback")
    if callback is None:
        return 0
    subject = connection if connection.owner_reference is None else connection.owner_reference()
    if subject is None:
        return 0
    try:
        connection.ask(ask_outcome, &told)
        cipher = None if told.cipher == NULL else told.cipher.decode("ascii")
        answer = callback(subject, make_event(connection, told.outcome, told.took, cipher))
        no_coroutine(answer, "handshake_callback", False)
    except Exception as error:
        PyErr_SetObject(type(error), error)
        PyErr_WriteUnraisable(callback)
    return 0


cdef void ask_outcome(Connection connection, void *answer) noexcept nogil:
    """OpenSSL: SSL_CIPHER_standard_name(3)"""
    cdef Told *told = <Told *>answer
    cdef const SSL_CIPHER *cipher = SSL_get_current_cipher(connection.ssl)
    told.outcome = connection.account.handshake
    told.took = connection.account.took
    told.cipher = <const char *>NULL if cipher == NULL else SSL_CIPHER_standard_name(cipher)
