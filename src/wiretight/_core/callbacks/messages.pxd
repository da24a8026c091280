"""Messages: the callback of a Context that receives every TLS message, header and alert."""

from wiretight._core.context.context cimport Context
from wiretight._core.context.settings cimport Settings


cdef int set_msg_callback(Context context, object callback) except -1
cdef int hook_messages(Settings settings) except -1     # for who sets a callback that needs them
