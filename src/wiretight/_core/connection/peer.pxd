"""Peer: the certificates that the other side of a connection has shown."""

from wiretight._core.connection.connection cimport Connection


cdef object peer_certificate(Connection connection, bint binary_form)
cdef list verified_chain(Connection connection)     # of Certificate, the peer's first; None: there is none
cdef list sent_chain(Connection connection)         # as the last one
cdef list ca_names_of(Connection connection)        # that it trusts, each as DER
