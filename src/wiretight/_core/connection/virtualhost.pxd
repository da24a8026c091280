"""Virtual hosts: a server takes another context once it knows which name the client asks for."""

from wiretight._core.context.context cimport Context
from wiretight._core.context.settings cimport Settings
from wiretight._core.openssl.ssl cimport SSL


cdef bint may_choose(SSL *ssl) noexcept
cdef bint has_own_ciphers(Context context, Settings settings) noexcept
cdef bint switch_context(
    SSL *ssl, Settings settings_before, Context context, Settings settings, bint server_side, tuple ciphers
) noexcept
