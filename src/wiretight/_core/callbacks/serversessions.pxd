"""Server sessions: how long a server's sessions last, and what they are bound to."""

from wiretight._core.context.context cimport Context
from wiretight._core.openssl.ssl cimport SSL, SSL_SESSION


cdef int install(Context context) noexcept
cdef int check_server(Context context, str name, object value) except -1
cdef void end_in_time(SSL *ssl) noexcept nogil      # the session of a server's handshake
cdef bint is_over(SSL *ssl, SSL_SESSION *session) noexcept nogil        # one that a client offers
