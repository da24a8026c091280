"""Resumption: the session that a connection has, and the one that it offers."""

cimport cython
from cpython.exc cimport PyErr_SetObject, PyErr_WriteUnraisable
from libc.time cimport time

from wiretight._core.base.coroutines cimport no_coroutine
from wiretight._core.base.errors cimport check, forget_errors
from wiretight._core.context.context cimport Context
from wiretight._core.openssl.evp cimport SHA256, SHA256_DIGEST_LENGTH
from wiretight._core.openssl.ssl cimport (
    SSL_SESSION, SSL_SESSION_dup, SSL_SESSION_free, SSL_get0_session, SSL_get1_session, SSL_in_before,
    SSL_is_init_finished, SSL_set_session,
)
from wiretight._core.session.session cimport adopt_session, expires_at, is_another_process
from wiretight._core.session.terms cimport Terms, are_equal, digest_of

# Why a session cannot be set; OpenSSL's own failures are 0.
cdef enum:
    FINISHED = -2
    BEGUN = -3


cdef struct Shown:
    SSL_SESSION *session
    bint lacks_memory


cdef SSLSession session_of(Connection connection):
    """OpenSSL: SSL_get1_session(3), SSL_SESSION_dup(3)"""
    cdef Shown shown
    cdef Context context
    cdef Terms terms
    while True:
        with cython.critical_section(connection):
            context, terms = connection._context, connection.terms
        shown.session, shown.lacks_memory = NULL, False
        connection.ask(ask_session, &shown)
        if shown.lacks_memory:
            forget_errors()
            raise MemoryError
        if is_bound_to(connection, context, terms):     # so that all three belong together
            return None if shown.session == NULL else adopt_session(shown.session, context, terms)
        SSL_SESSION_free(shown.session)


cdef bint is_bound_to(Connection connection, Context context, Terms terms) noexcept:
    with cython.critical_section(connection):
        return context is connection._context and terms is connection.terms


cdef void ask_session(Connection self, void *answer) noexcept nogil:
    """Of a server a copy: what it has may still change, before its next ticket, while another thread reads it."""
    cdef Shown *shown = <Shown *>answer
    cdef SSL_SESSION *session = SSL_get0_session(self.ssl)
    if session == NULL:
        return
    if not self.server_side:
        shown.session = SSL_get1_session(self.ssl)
        return
    shown.session = SSL_SESSION_dup(session)
    shown.lacks_memory = shown.session == NULL


cdef int offer_session(Connection connection, SSLSession offered) except -1:
    """OpenSSL: SSL_set_session(3)"""
    cdef int result
    with cython.critical_section(connection):
        context, terms = connection._context, connection.terms
    if offered.context is not context:
        raise ValueError("Session refers to a different SSLContext.")
    if connection.server_side:
        raise ValueError("Cannot set session for server-side SSLSocket.")
    # With other terms, its handshake verified something else than this connection has to: a full handshake. So it is
    # after its end, which may be that of the server's certificate.
    is_of_use = are_equal(offered.terms, terms) and expires_at(offered.session) > time(NULL)
    result = connection.change(set_session, offered.session if is_of_use else NULL)
    if result == FINISHED:
        raise ValueError("Cannot set session after handshake.")
    if result == BEGUN:
        raise ValueError("Cannot set session once the handshake has begun.")
    check(result)
    connection.was_given_session = True
    return 0


cdef int use_store(Connection connection, object peer) except -1:
    """OpenSSL: SSL_set_session(3)"""
    cdef SSLSession found
    cdef Terms terms
    store = connection.settings.kept.get("session_store")
    if store is None:
        return 0
    with cython.critical_section(connection):
        terms = connection.terms
    key = key_of(connection, terms, peer)
    if key is None:
        return 0
    with cython.critical_section(connection):
        connection.session_key = key
    if connection.was_given_session:
        return 0
    try:
        found = no_coroutine(store.take(key), "session_store.take()")
        if found is None or is_another_process(found):
            return 0
        if are_equal(found.terms, terms) and expires_at(found.session) > time(NULL):
            if connection.change(set_session, found.session) <= 0:      # another thread has begun the handshake
                forget_errors()
                no_coroutine(store.put(key, found), "session_store.put()", False)
    except Exception as error:      # a full handshake needs no store
        PyErr_SetObject(type(error), error)
        PyErr_WriteUnraisable(store)
    return 0


cdef str key_of(Connection connection, Terms terms, object peer):
    """What is the same for all connections that may share a session. None: nobody knows which server this is.

    OpenSSL: SHA256(3)
    """
    cdef unsigned char digest[SHA256_DIGEST_LENGTH]
    cdef bytes text
    if connection.server_hostname is None:
        place = peer
    else:
        place = connection.server_hostname.lower(), peer[1] if isinstance(peer, tuple) and len(peer) > 1 else None
    if terms is None or place is None:
        return None
    text = digest_of(terms) + b"%b\0%b" % (connection.settings.alpn or b"", repr(place).encode())
    if SHA256(text, len(text), digest) == NULL:
        raise MemoryError
    return (<bytes>digest[:SHA256_DIGEST_LENGTH]).hex()


cdef int set_session(Connection self, void *session) noexcept nogil:
    if SSL_is_init_finished(self.ssl):
        return FINISHED
    # In the middle of a handshake, OpenSSL would lose what was agreed on so far, and crash.
    if not SSL_in_before(self.ssl):
        return BEGUN
    if session == NULL:
        return 1
    forget_errors()
    return SSL_set_session(self.ssl, <SSL_SESSION *>session)
