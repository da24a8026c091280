"""Alerts: which fatal alert a step of a connection has sent, for the exception that it ends in."""

from wiretight._core.context.context cimport Context

cdef int install(Context context) noexcept
