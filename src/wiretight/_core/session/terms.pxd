"""Terms: what a session was made on, which a connection that resumes it must share."""

from wiretight._core.context.settings cimport Settings
from wiretight._core.openssl.ssl cimport SSL


cdef bytes terms_of(SSL *ssl, Settings settings, str server_name)
