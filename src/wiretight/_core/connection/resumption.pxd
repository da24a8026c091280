"""Resumption: the session that a connection has, and the one that it offers."""

from wiretight._core.connection.connection cimport Connection
from wiretight._core.session.session cimport SSLSession


cdef SSLSession session_of(Connection connection)                           # or None
cdef int offer_session(Connection connection, SSLSession offered) except -1
# Whether its context has a session_store
# Names the peer, (host, port), a path or None, to the session_store, and offers a session from it if `takes`
cdef int use_store(Connection connection, object peer) except -1
