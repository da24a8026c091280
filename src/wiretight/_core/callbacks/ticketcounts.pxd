"""Ticket counts: how many a server sends, and why one that a client offers is not taken."""

from wiretight._core.context.context cimport Context

cdef int install(Context context) noexcept
