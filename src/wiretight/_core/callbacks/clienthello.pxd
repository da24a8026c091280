"""The ClientHello: the callbacks that choose by it, and by the server name in it (RFC 6066, 3)."""

from wiretight._core.context.context cimport Context


cdef int install(Context context) noexcept
cdef int set_sni_callback(Context context, object callback) except -1
