"""Encoding: a session as bytes, for another process.

    4 bytes     b"WTS" and the version of this format
    32 bytes    the digest of its terms
    1 byte      how long the server's name is, or 0, and the name
    the rest    OpenSSL's SSL_SESSION in DER

What comes before the DER is read, and the terms are compared, before OpenSSL parses anything.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.string cimport memcmp

from wiretight._core.base.errors cimport check_memory, forget_errors, raise_queue
from wiretight._core.openssl.evp cimport SHA256_DIGEST_LENGTH
from wiretight._core.openssl.ssl cimport (
    SSL_SESSION_free, SSL_SESSION_get_protocol_version, SSL_SESSION_is_resumable, TLS1_3_VERSION, TLS1_VERSION,
    d2i_SSL_SESSION, i2d_SSL_SESSION,
)

cdef bytes FORMAT = b"WTS\x02"

cdef enum:
    FORMAT_SIZE = 4
    NAME = FORMAT_SIZE + SHA256_DIGEST_LENGTH       # where its length is
    MOST = 256 * 1024       # bytes: a ticket has 64 KiB at most, and OpenSSL accepts chains of 100 KiB


cdef bytes encoded(SSL_SESSION *session, bytes terms, str name):
    """OpenSSL: i2d_SSL_SESSION(3)"""
    cdef bytes host = b"" if name is None else name.encode("ascii")
    cdef int length
    cdef bytes der
    cdef unsigned char *at
    forget_errors()
    length = i2d_SSL_SESSION(session, NULL)
    if length <= 0:
        raise_queue()
    der = PyBytes_FromStringAndSize(NULL, length)
    at = der
    if i2d_SSL_SESSION(session, &at) != length:
        raise_queue()
    return FORMAT + terms + bytes((len(host),)) + host + der


cdef str name_in(const unsigned char *data, Py_ssize_t length):
    cdef int size
    cdef bytes name
    if not NAME < length <= MOST or memcmp(data, <const char *>FORMAT, FORMAT_SIZE) or length <= NAME + 1 + data[NAME]:
        raise no_session()
    size = data[NAME]
    name = data[NAME + 1:NAME + 1 + size]
    if not name.isascii():
        raise no_session()
    return name.decode("ascii") if name else None


cdef SSL_SESSION *decoded(const unsigned char *data, Py_ssize_t length, bytes terms) except? NULL:
    """OpenSSL: d2i_SSL_SESSION(3)"""
    cdef const unsigned char *at
    cdef SSL_SESSION *session
    name_in(data, length)
    if memcmp(data + FORMAT_SIZE, <const char *>terms, SHA256_DIGEST_LENGTH):
        return NULL
    at = data + NAME + 1 + data[NAME]
    forget_errors()
    session = d2i_SSL_SESSION(NULL, &at, data + length - at)
    if session == NULL:
        check_memory()      # and forgets the errors
        raise no_session()
    if at != data + length or not is_usable(session):
        SSL_SESSION_free(session)
        raise no_session()
    return session


cdef bint is_usable(SSL_SESSION *session) noexcept:
    """OpenSSL: SSL_SESSION_is_resumable(3)"""
    cdef int version = SSL_SESSION_get_protocol_version(session)
    return TLS1_VERSION <= version <= TLS1_3_VERSION and SSL_SESSION_is_resumable(session)


cdef object no_session():
    return ValueError("data is no session: pass what SSLSession.to_bytes() has returned")
