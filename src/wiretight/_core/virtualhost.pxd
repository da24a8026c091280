"""Virtual hosts: a server takes another context once it knows which name the client asks for."""

from wiretight._core.context cimport Context
from wiretight._core.openssl.ssl cimport SSL


cdef bint chooses_context(SSL *ssl) noexcept
cdef int apply_settings(SSL *ssl, Context context) except -1
