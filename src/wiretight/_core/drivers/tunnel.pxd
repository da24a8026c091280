"""Tunnel: the wire of a connection inside another one, which carries its bytes: TLS in TLS."""

from wiretight._core.base.errors cimport Failure, Status
from wiretight._core.connection.backlog cimport Writing
from wiretight._core.connection.stream cimport Operation
from wiretight._core.drivers.driver cimport Driver
from wiretight._core.wire.wire cimport Wire


cdef class Tunnel(Wire):
    cdef Driver carrier
    cdef Writing writing            # the last that it took from us: it takes no more before that is in the kernel
    cdef Failure cause              # why it failed, behind the errno that this wire reports
    cdef bint has_cause
    cdef bint rest_is_awaited       # other threads wait for what OpenSSL has: the rest of a record, or the end

    cdef void count_sent(self) noexcept nogil
    cdef Status carry(self, Operation *op) noexcept nogil
    cdef void carrier_failed(self) noexcept nogil
