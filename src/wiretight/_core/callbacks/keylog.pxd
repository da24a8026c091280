"""Key log (RFC 9850): the file, and the callback, that get the TLS secrets of a Context's connections."""

from wiretight._core.context.context cimport Context


cdef int set_keylog_filename(Context context, object path) except -1
cdef object keylog_filename(Context context)        # as it was given, or None
cdef int set_keylog_callback(Context context, object callback) except -1
cdef object keylog_callback(Context context)
