"""Suspension: callbacks that may decide later, while OpenSSL waits in the middle of the handshake."""

from wiretight._core.connection.connection cimport Connection

cdef enum:
    SUSPENDED = 2       # of the body of a callback: see decision()

cdef object PENDING

# What the program decides, or PENDING
cdef object decision(Connection connection, str name, object callback, object argument)
