"""Resumption: the session that a connection has, and the one that it offers."""

from wiretight._core.connection.connection cimport Connection
from wiretight._core.session.session cimport SSLSession


cdef SSLSession session_of(Connection connection)                           # or None
cdef int offer_session(Connection connection, SSLSession offered) except -1
# Names the peer, (host, port), a path or None, to the session_store, and offers one of its sessions
cdef int use_store(Connection connection, object peer) except -1
