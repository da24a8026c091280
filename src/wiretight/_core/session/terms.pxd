"""Terms: the conditions of a session, which a connection must share to resume it."""

from wiretight._core.context.settings cimport Settings
from wiretight._core.openssl.ssl cimport SSL


cdef bytes terms_of(SSL *ssl, Settings settings, str server_name)
