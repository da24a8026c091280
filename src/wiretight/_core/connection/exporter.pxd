"""Exporter: secrets and names that the two ends of a connection, and nobody else, derive from its handshake."""

from wiretight._core.connection.connection cimport Connection

cdef object channel_binding(Connection connection, str kind)
