"""The callbacks that OpenSSL makes from a handshake into Python: ALPN, key log, messages."""

from wiretight._core.context.context cimport Context


cdef int install(Context context) noexcept
cdef int set_alpn_protocols(Context context, bytes protocols) except -1
cdef int set_keylog_filename(Context context, object path) except -1
cdef object keylog_filename(Context context)
cdef int set_msg_callback(Context context, object callback) except -1

# For every module with a callback
cdef object callable_or_none(object callback, str refusal=*)
cdef int report_unraisable(object error, object where) noexcept
