"""Context: one SSL_CTX and what every connection made from it starts with."""

from wiretight._core.openssl.ssl cimport SSL, SSL_CTX

# The protocols of a context, as the standard library numbers them.
cdef enum:
    PROTOCOL_TLS = 2
    PROTOCOL_TLSv1 = 3
    PROTOCOL_TLSv1_1 = 4
    PROTOCOL_TLSv1_2 = 5
    PROTOCOL_TLS_CLIENT = 16
    PROTOCOL_TLS_SERVER = 17


cdef class Context:
    # Libraries that know CPython's layout read an SSL_CTX* from the first field (aiofastnet, google-auth); NULL makes
    # them fail cleanly. A cdef method would put a vtable pointer here instead: Context has none.
    cdef void *reserved
    cdef SSL_CTX *ctx
    cdef int _protocol
    cdef bint _check_hostname
    cdef bint _in_use                       # a connection has been made
    cdef bytes _later_ciphers               # as they were set after that, or None
    cdef bytes _later_ciphersuites
    cdef bint _post_handshake_auth
    cdef bytes _generation                  # names what is loaded into it: another one after every change
    cdef dict _terms                        # those of its last connections; of the resumption module
    cdef bytes _groups                      # as they were set, or None
    cdef object _sni_callback               # callable or None; of the callbacks module, as are the next four
    cdef object _message_callback           # callable or None
    cdef object _keylog_filename            # as it was given, or None
    cdef object _keylog                     # a KeyLog or None
    cdef bytes _alpn                        # in the format of RFC 7301, in the order of preference
    cdef object _psk_client_callback        # callable or None; of the psk module, as is the next one
    cdef object _psk_server_callback
    cdef dict __dict__
    cdef object __weakref__


cdef int renew(Context context) except -1               # after a change of what is loaded
cdef int verify_mode_for(Context context, bint server_side) noexcept    # as SSL_set_verify takes it
cdef SSL *new_connection(Context context) except NULL   # with everything that the context prescribes
cdef SSL *configured(Context context) except NULL       # the same for a look at it, not for a connection
cdef bytes c_string(str text)                           # raises ValueError for an embedded null character
