"""Verification: the one callback that OpenSSL has for a peer's certificates, and the program's behind it."""

from wiretight._core.context.context cimport Context


cdef int install(Context context) noexcept
cdef int set_verify_callback(Context context, object callback) except -1
cdef object verify_callback(Context context)
cdef int set_policy_id(Context context, object policy_id) except -1
cdef object policy_id(Context context)
