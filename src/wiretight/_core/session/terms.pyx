"""Terms: the conditions of a session, which a connection must share to resume it.

A resumed handshake sends no certificate and verifies none: it relies on what the first handshake verified. So a session
is valid only where the same verification would be repeated. Its terms are a digest of the server's name, of how the
connection verifies, and by which verify_callback, of its algorithms, and of what its context trusted at that time (RFC
8446, 4.6.1; RFC 6066, 3). On a client also of its certificates: a server goes on knowing by a session whom it was made
with. On a server they are not, so that its tickets outlive the renewal of its certificate; but the protocols that it
speaks are, so that servers with the same ticket keys are not taken for each other (RFC 9325, 3.4). A server that asks
for no certificate verifies nobody, and what it trusts does not matter.

Whatever has the same content has the same terms: other contexts and other processes resume what one has negotiated. A
verify_callback without a policy_id has terms of its own, because nobody knows what it decides by.

All of it is read from the SSL that verifies, or from the settings that it was made with, which never change.

A client's SSLSession keeps them, and only a connection with the same terms offers it. On a server they are the
session ID context, which OpenSSL writes into every ticket and compares before it resumes.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t

from wiretight._core.context.material cimport Credential
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.err cimport ERR_pop_to_mark, ERR_set_mark
from wiretight._core.openssl.evp cimport SHA256, SHA256_DIGEST_LENGTH
from wiretight._core.openssl.ssl cimport (
    SSL_CIPHER_get_id, SSL_VERIFY_PEER, SSL_get0_param, SSL_get_cipher_list_stack, SSL_get_security_level,
    SSL_get_verify_mode, SSL_is_server, sk_SSL_CIPHER_num, sk_SSL_CIPHER_value, stack_st_SSL_CIPHER,
)
from wiretight._core.openssl.x509 cimport (
    X509_VERIFY_PARAM, X509_VERIFY_PARAM_get0_host, X509_VERIFY_PARAM_get1_ip_asc, X509_VERIFY_PARAM_get_flags,
    X509_VERIFY_PARAM_get_hostflags,
)
from wiretight._core.trust.truststore cimport fingerprint_of
from wiretight._core.x509.digests cimport fingerprint
from wiretight._core.x509.distrusted cimport distrusted_keys

cdef enum:
    FORMAT = 1          # of the terms: another one resumes nothing that this one has negotiated
    SETTINGS = 9
    CACHE_SIZE = 16     # terms per context: most serve one name, or connect to a few


@cython.final
cdef class Terms:
    """Immutable. What takes time is done when somebody wants to resume: most clients never do."""


cdef Terms terms_of(SSL *ssl, Settings settings, str server_name):
    """The terms of a connection: `ssl` as it was made with `settings`, to or as the server of that name (or None).

    OpenSSL: SSL_set_session_id_context(3)
    """
    cdef bint is_server = SSL_is_server(ssl)
    cdef int mode = SSL_get_verify_mode(ssl)
    cdef bint verifies = not is_server or mode & SSL_VERIFY_PEER
    cdef stack_st_SSL_CIPHER *ciphers = SSL_get_cipher_list_stack(ssl)
    cdef int count = sk_SSL_CIPHER_num(ciphers)
    cdef bytes numbers = PyBytes_FromStringAndSize(NULL, (SETTINGS + count) * sizeof(uint64_t))
    cdef uint64_t *number = <uint64_t *>PyBytes_AS_STRING(numbers)
    cdef bytes text
    cdef Terms terms
    cdef int i
    number[0] = FORMAT
    number[1] = is_server
    number[2] = mode
    number[3] = X509_VERIFY_PARAM_get_flags(SSL_get0_param(ssl)) if verifies else 0
    number[4] = X509_VERIFY_PARAM_get_hostflags(SSL_get0_param(ssl)) if verifies else 0
    number[5] = checks_name(SSL_get0_param(ssl))
    number[6] = SSL_get_security_level(ssl)
    number[7] = server_name is None
    number[8] = count
    for i in range(count):
        number[SETTINGS + i] = SSL_CIPHER_get_id(sk_SSL_CIPHER_value(ciphers, i))
    text = joined((
        numbers,
        b"" if server_name is None else server_name.lower().encode(),
        settings.alpn if is_server else None,
        settings.properties,
        settings.groups,
        settings.policy if verifies else None,
        settings.client_sigalgs if verifies else None,
        settings.server_sigalgs if verifies else None,
    ))
    terms = known_terms(settings.terms, text)
    if terms is None:
        terms = Terms.__new__(Terms)
        terms.text = text
        terms.trust = settings.trust if verifies else None
        terms.credentials = () if is_server else settings.credentials
        if len(settings.terms) >= CACHE_SIZE:
            settings.terms.clear()
        settings.terms[text] = terms
    return terms


cdef bytes joined(tuple parts):
    """So that no part can be taken for a part of its neighbour."""
    cdef bytes part, text = b""
    for part in parts:
        text += b"%d:" % len(part) + part if part is not None else b":"
    return text


cdef Terms known_terms(dict terms, bytes text):
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


# --- comparing -------------------------------------------------------------------------------------------------------
cdef bytes digest_of(Terms terms):
    """OpenSSL: SHA256(3)"""
    cdef unsigned char digest[SHA256_DIGEST_LENGTH]
    cdef Credential credential
    cdef bytes text, known
    cdef list parts
    with cython.critical_section(terms):
        known = terms.digest
    if known is not None:
        return known
    parts = [terms.text]
    if terms.trust is not None:
        parts += [fingerprint_of(terms.trust), distrusted_keys()]
    for credential in terms.credentials:
        parts.append(fingerprint(credential.leaf, "sha256"))
    text = joined(tuple(parts))
    if SHA256(text, len(text), digest) == NULL:
        raise MemoryError
    known = digest[:SHA256_DIGEST_LENGTH]
    with cython.critical_section(terms):
        terms.digest = known
    return known


cdef bint are_equal(Terms ours, Terms theirs) except -1:
    if ours is None or theirs is None:
        return False
    return ours is theirs or digest_of(ours) == digest_of(theirs)
