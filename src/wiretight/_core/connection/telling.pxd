"""Telling: what a program's handshake_callback is told, once a verb is over."""

from wiretight._core.connection.connection cimport Connection

cdef int tell_of_handshake(Connection connection) except -1     # if it is over, and nobody was told
