"""ALPN (RFC 7301): the application protocols of a Context, and how a server chooses one."""

from wiretight._core.context.context cimport Context


cdef int install(Context context) noexcept
cdef int set_alpn_protocols(Context context, bytes protocols) except -1
