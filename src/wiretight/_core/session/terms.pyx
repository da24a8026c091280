"""Terms: the conditions of a session, which a connection must share to resume it.

A resumed handshake sends no certificate and verifies none: it relies on what the first handshake verified. So a session
is valid only where the same verification would be repeated. Its terms are a digest of the server's name, of how the
connection verifies, and by which verify_callback, of its ciphers and signature algorithms, and of the trust that its
context had loaded at that time (RFC 8446, 4.6.1; RFC 6066, 3). On a client also of its certificates: a server goes on
knowing by a session whom it was made with. On a server they are not, so that its tickets outlive the renewal of its
certificate.

All of it is read from the SSL that verifies, or from the settings that it was made with, which never change.

A client's SSLSession keeps them, and only a connection with the same terms offers it. On a server they are the
session ID context, which OpenSSL writes into every ticket and compares before it resumes.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t

from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.err cimport ERR_pop_to_mark, ERR_set_mark
from wiretight._core.openssl.evp cimport SHA256, SHA256_DIGEST_LENGTH
from wiretight._core.openssl.ssl cimport (
    SSL_CIPHER_get_id, SSL_get0_param, SSL_get_cipher_list_stack, SSL_get_security_level, SSL_get_verify_mode,
    SSL_is_server, sk_SSL_CIPHER_num, sk_SSL_CIPHER_value, stack_st_SSL_CIPHER,
)
from wiretight._core.openssl.x509 cimport (
    X509_VERIFY_PARAM, X509_VERIFY_PARAM_get0_host, X509_VERIFY_PARAM_get1_ip_asc, X509_VERIFY_PARAM_get_flags,
    X509_VERIFY_PARAM_get_hostflags,
)

cdef enum:
    SETTINGS = 7
    CACHE_SIZE = 16     # digests per context: most serve one name, or connect to a few


cdef bytes terms_of(SSL *ssl, Settings settings, str server_name):
    """The terms of a connection: `ssl` as it was made with `settings`, to or as the server of that name (or None).

    OpenSSL: SSL_set_session_id_context(3), SHA256(3)
    """
    cdef unsigned char digest[SHA256_DIGEST_LENGTH]
    cdef stack_st_SSL_CIPHER *ciphers = SSL_get_cipher_list_stack(ssl)
    cdef int count = sk_SSL_CIPHER_num(ciphers)
    cdef bytes numbers = PyBytes_FromStringAndSize(NULL, (SETTINGS + count) * sizeof(uint64_t))
    cdef uint64_t *number = <uint64_t *>PyBytes_AS_STRING(numbers)
    cdef bytes text, terms
    cdef int i
    number[0] = SSL_get_verify_mode(ssl)
    number[1] = X509_VERIFY_PARAM_get_flags(SSL_get0_param(ssl))
    number[2] = X509_VERIFY_PARAM_get_hostflags(SSL_get0_param(ssl))
    number[3] = checks_name(SSL_get0_param(ssl))
    number[4] = SSL_get_security_level(ssl)
    number[5] = server_name is None
    number[6] = len(settings.policy)
    for i in range(count):
        number[SETTINGS + i] = SSL_CIPHER_get_id(sk_SSL_CIPHER_value(ciphers, i))
    text = numbers + settings.generation + (b"" if SSL_is_server(ssl) else settings.identity) + settings.policy
    text += b"" if server_name is None else server_name.lower().encode()
    if settings.client_sigalgs is not None or settings.server_sigalgs is not None:
        text += b"\0%b\0%b" % (settings.client_sigalgs or b"", settings.server_sigalgs or b"")
    terms = known_terms(settings.terms, text)
    if terms is None:
        if SHA256(text, len(text), digest) == NULL:
            raise MemoryError
        terms = PyBytes_FromStringAndSize(<const char *>digest, SHA256_DIGEST_LENGTH)
        if len(settings.terms) >= CACHE_SIZE:
            settings.terms.clear()
        settings.terms[text] = terms
    return terms


cdef bytes known_terms(dict terms, bytes text):
    """Cython's dict.get() borrows what it finds, and another thread may free it where there is no GIL."""
    with cython.critical_section(terms):
        return terms.get(text)


cdef bint checks_name(X509_VERIFY_PARAM *parameters) noexcept:
    """OpenSSL: X509_VERIFY_PARAM_set1_host(3)"""
    cdef char *address
    if X509_VERIFY_PARAM_get0_host(parameters, 0) != NULL:
        return True
    ERR_set_mark()
    address = X509_VERIFY_PARAM_get1_ip_asc(parameters)
    ERR_pop_to_mark()       # without an address it leaves an error, which a handshake would mistake for its own
    OPENSSL_free(address)
    return address != NULL
