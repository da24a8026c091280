"""Pre-shared keys (RFC 4279; RFC 8446, 2.2): the callbacks that a Context gets them from."""

from wiretight._core.context.context cimport Context


cdef int set_psk_client_callback(Context context, object callback) except -1
cdef int set_psk_server_callback(Context context, object callback, str identity_hint) except -1
