"""_SSLSocket: a connection with the shape of CPython's `_ssl._SSLSocket`."""

from wiretight._core.context.context cimport Context
from wiretight._core.drivers.driver cimport Call, Driver
from wiretight._core.wire.descriptor cimport Descriptor
from wiretight._core.wire.wire cimport Wire


cdef class _SSLSocket(Driver):
    cdef bint descriptor_is_claimed

    cdef object read_bytes(self, size_t size, bint peeks)
    cdef int check_release(self) except -1


cdef int count_end(Driver connection) except -1
cdef _SSLSocket new_connection(
    Wire wire, Descriptor descriptor, Context context, bint server_side, object hostname, object owner, object session
)
cdef _SSLSocket for_socket(
    Context context, object sock, bint server_side, object hostname, object owner, object session
)
cdef _SSLSocket for_bios(
    Context context, object incoming, object outgoing, bint server_side, object hostname, object owner, object session
)
