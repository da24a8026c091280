"""Terms: the conditions of a session, which a connection must share to resume it.

A resumed handshake sends no certificate and verifies none: it relies on what the first handshake verified. So a session
is valid only where the same verification would be repeated. Its terms are a digest of the server's name, of how the
connection verifies, and by which verify_callback, of its algorithms, and of what its context trusted at that time (RFC
8446, 4.6.1; RFC 6066, 3). On a client also of its certificates: a server goes on knowing by a session whom it was made
with. On a server they are not, so that its tickets outlive the renewal of its certificate; but the protocols that it
speaks are, so that servers with the same ticket keys are not taken for each other (RFC 9325, 3.4). A server that asks
for no certificate verifies nobody, and what it trusts does not matter. A session_id_context takes the place of what a
server negotiates, and not of what it verifies.

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
    SSL_CIPHER_get_id, SSL_VERIFY_PEER, SSL_VERIFY_POST_HANDSHAKE, SSL_get0_param, SSL_get_cipher_list_stack,
    SSL_get_security_level, SSL_get_verify_mode, SSL_is_server, sk_SSL_CIPHER_num, sk_SSL_CIPHER_value,
    stack_st_SSL_CIPHER,
)
from wiretight._core.openssl.x509 cimport (
    X509_VERIFY_PARAM, X509_VERIFY_PARAM_get0_host, X509_VERIFY_PARAM_get1_ip_asc, X509_VERIFY_PARAM_get_flags,
    X509_VERIFY_PARAM_get_hostflags,
)
from wiretight._core.trust.truststore cimport fingerprint_of
from wiretight._core.x509.digests cimport fingerprint
from wiretight._core.x509.distrusted cimport distrusted_keys

cdef enum:
    FORMAT = 3          # of the terms: another one resumes nothing that this one has negotiated
    SETTINGS = 8
    PARTS = 9
    CACHE_SIZE = 16     # terms per context: most serve one name, or connect to a few


@cython.final
cdef class Terms:
    """Immutable. What takes time is done when somebody wants to resume: most clients never do."""


cdef Terms terms_of(SSL *ssl, Settings settings, str server_name):
    """The terms of a connection: `ssl` as it was made with `settings`, to or as the server of that name (or None).

    OpenSSL: SSL_set_session_id_context(3)
    """
    return new_terms(ssl, settings, server_name, checks_name(SSL_get0_param(ssl)))


cdef Terms client_terms(SSL *ssl, Settings settings, str server_name):
    return new_terms(ssl, settings, server_name, settings.values.check_hostname and server_name is not None)


cdef Terms new_terms(SSL *ssl, Settings settings, str server_name, bint is_name_checked):
    cdef bint is_server = SSL_is_server(ssl)
    cdef int mode = SSL_get_verify_mode(ssl)
    cdef bint verifies = not is_server or mode & SSL_VERIFY_PEER
    cdef bytes given = settings.kept.get("session_id_context") if is_server else None
    cdef bint is_implicit = given is None
    cdef stack_st_SSL_CIPHER *ciphers = SSL_get_cipher_list_stack(ssl)
    cdef int count = sk_SSL_CIPHER_num(ciphers) if is_implicit else 0
    cdef bytes numbers = PyBytes_FromStringAndSize(NULL, (SETTINGS + PARTS + count) * sizeof(uint64_t))
    cdef uint64_t *number = <uint64_t *>PyBytes_AS_STRING(numbers)
    cdef list texts = [numbers]
    cdef bytes part, text
    cdef Terms terms
    cdef int i
    number[0] = FORMAT
    number[1] = is_server
    number[2] = mode if is_server else mode & ~SSL_VERIFY_POST_HANDSHAKE
    number[3] = X509_VERIFY_PARAM_get_flags(SSL_get0_param(ssl)) if verifies else 0
    number[4] = X509_VERIFY_PARAM_get_hostflags(SSL_get0_param(ssl)) if verifies else 0
    number[5] = is_name_checked
    number[6] = SSL_get_security_level(ssl) if is_implicit or verifies else 0
    number[7] = count
    for i in range(count):
        number[SETTINGS + PARTS + i] = SSL_CIPHER_get_id(sk_SSL_CIPHER_value(ciphers, i))
    i = SETTINGS
    for part in (
        None if server_name is None else server_name.lower().encode(),
        given,
        settings.alpn if is_server and is_implicit else None,
        settings.properties if is_implicit or verifies else None,
        settings.groups if is_implicit else None,
        settings.policy if verifies else None,
        settings.client_sigalgs if verifies else None,
        settings.server_sigalgs if verifies else None,
        settings.psk_terms,
    ):
        number[i] = 0
        if part is not None:
            number[i] = len(part) + 1       # so that no part can be taken for a part of the next one
            texts.append(part)
        i += 1
    in_one_order(number, SETTINGS + PARTS + count)
    text = b"".join(texts)
    terms = known_terms(settings.terms, text)
    if terms is None:
        terms = Terms.__new__(Terms)
        terms.text = text
        terms.server_name = None if server_name is None else server_name.lower()
        terms.is_server = is_server
        terms.trust = settings.trust if verifies else None
        terms.credentials = () if is_server else settings.credentials
        with cython.critical_section(settings.terms):
            if len(settings.terms) >= CACHE_SIZE:
                settings.terms.clear()
            settings.terms[text] = terms
    return terms


cdef void in_one_order(uint64_t *numbers, size_t count) noexcept:
    """Their bytes from the lowest to the highest: other machines of a fleet may have another order."""
    cdef uint64_t number
    cdef unsigned char *octets
    cdef size_t i
    cdef int place
    for i in range(count):
        number = numbers[i]
        octets = <unsigned char *>&numbers[i]
        for place in range(8):
            octets[place] = number >> 8 * place & 0xFF


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
    with cython.critical_section(terms):
        known = terms.digest
    if known is not None:
        return known
    text = b"" if terms.trust is None else fingerprint_of(terms.trust) + distrusted_keys()
    for credential in terms.credentials:
        text += fingerprint(credential.leaf, "sha256")
    text = b"%d:%b%d:%b" % (len(terms.text), terms.text, len(terms.credentials), text)
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
