"""Key log (RFC 9850): the file to which the TLS secrets of a Context's connections are appended."""

from wiretight._core.context.context cimport Context


cdef int set_keylog_filename(Context context, object path) except -1
cdef object keylog_filename(Context context)        # as it was given, or None
