"""Alerts: which fatal alert a step of a connection has sent, for the exception that it ends in."""

from wiretight._core.context.context cimport Context
from wiretight._core.openssl.ssl cimport SSL

cdef int install(Context context) noexcept
cdef void on_event(const SSL *ssl, int event, int value) noexcept nogil      # for who sets another such callback
