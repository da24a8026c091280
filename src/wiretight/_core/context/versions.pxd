"""Versions: the protocol of a context, and the versions of TLS that it allows."""

from wiretight._core.openssl.ssl cimport SSL_METHOD

# The protocols of a context, as the standard library numbers them.
cdef enum:
    PROTOCOL_TLS = 2
    PROTOCOL_TLSv1 = 3
    PROTOCOL_TLSv1_1 = 4
    PROTOCOL_TLSv1_2 = 5
    PROTOCOL_TLS_CLIENT = 16
    PROTOCOL_TLS_SERVER = 17

# The two members of TLSVersion that are not versions.
cdef enum:
    MINIMUM_SUPPORTED = -2
    MAXIMUM_SUPPORTED = -1


cdef const SSL_METHOD *method_of(int protocol) except NULL  # raises ValueError for an unknown one
cdef int warn_of(int protocol) except -1                    # of an old one
cdef int only_version(int protocol) except -1               # 0: the version is negotiated
cdef int shown_limit(int protocol, int version, int unlimited) except? -1
cdef int check_version(int protocol, int version) except -1     # raises ValueError, warns of an old one
