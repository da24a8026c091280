"""Virtual hosts: a server switches to another context once it knows which name the client asks for."""

from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.context cimport Context
from wiretight._core.context.material cimport Credential


cdef int choose_context(Connection connection, Context chosen) except -1
cdef int choose_credential(Connection connection, Credential credential) except -1
