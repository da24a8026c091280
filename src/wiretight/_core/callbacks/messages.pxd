"""Messages: the callback of a Context that receives every TLS message, header and alert."""

from wiretight._core.context.context cimport Context


cdef int set_msg_callback(Context context, object callback) except -1
