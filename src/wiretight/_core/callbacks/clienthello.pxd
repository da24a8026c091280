"""The server name (RFC 6066, 3) that a client requests: the callback that chooses a context by it."""

from wiretight._core.context.context cimport Context


cdef int install(Context context) noexcept
cdef int set_sni_callback(Context context, object callback) except -1
