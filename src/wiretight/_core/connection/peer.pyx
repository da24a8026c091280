"""Peer: the certificates that the other side of a connection has sent, and the names of CAs."""

from wiretight._core.context.canames cimport encoded_names
from wiretight._core.openssl.ssl cimport (
    SSL_VERIFY_PEER, SSL_dup_CA_list, SSL_get0_peer_CA_list, SSL_get0_peer_certificate, SSL_get0_verified_chain,
    SSL_get_peer_cert_chain, SSL_get_verify_mode, SSL_is_init_finished, sk_X509_NAME_pop_free, stack_st_X509_NAME,
)
from wiretight._core.openssl.x509 cimport X509, X509_NAME_free, X509_free, sk_X509_pop_free
from wiretight._core.x509.certificate cimport Chain, chain_of, decoded, der, owned, owned_chain, share_certificate


# The answer to a question. It owns `certificate` and `chain`.
cdef struct Shown:
    bint is_finished
    bint is_verified
    X509 *certificate
    Chain chain


cdef object peer_certificate(Connection connection, bint binary_form):
    """OpenSSL: SSL_get0_peer_certificate(3)"""
    cdef Shown shown
    shown.certificate = NULL
    connection.ask(ask_peer_certificate, &shown)
    try:
        if not shown.is_finished:
            raise ValueError("handshake not done yet")
        if shown.certificate == NULL:
            return None
        if binary_form:
            return der(shown.certificate)
        return decoded(shown.certificate) if shown.is_verified else {}
    finally:
        X509_free(shown.certificate)


cdef void ask_peer_certificate(Connection self, void *answer) noexcept nogil:
    cdef Shown *shown = <Shown *>answer
    shown.is_finished = SSL_is_init_finished(self.ssl)
    if shown.is_finished:
        shown.is_verified = SSL_get_verify_mode(self.ssl) & SSL_VERIFY_PEER
        shown.certificate = owned(SSL_get0_peer_certificate(self.ssl))


cdef list verified_chain(Connection connection):
    """OpenSSL: SSL_get0_verified_chain(3)"""
    cdef Chain chain
    chain.certificates = NULL
    connection.ask(ask_verified_chain, &chain)
    try:
        return chain_of(&chain) or None
    finally:
        sk_X509_pop_free(chain.certificates, X509_free)


cdef void ask_verified_chain(Connection self, void *answer) noexcept nogil:
    (<Chain *>answer)[0] = owned_chain(SSL_get0_verified_chain(self.ssl))


cdef list sent_chain(Connection connection):
    """OpenSSL: SSL_get_peer_cert_chain(3)"""
    cdef Shown shown
    shown.certificate = NULL
    shown.chain.certificates = NULL
    connection.ask(ask_sent_chain, &shown)
    try:
        chain = chain_of(&shown.chain)
        # On a server, OpenSSL's list lacks the peer's own certificate; after a resumption, there is only that.
        if shown.certificate != NULL and (connection.server_side or not chain):
            chain.insert(0, share_certificate(shown.certificate))
        return chain or None
    finally:
        X509_free(shown.certificate)
        sk_X509_pop_free(shown.chain.certificates, X509_free)


cdef void ask_sent_chain(Connection self, void *answer) noexcept nogil:
    cdef Shown *shown = <Shown *>answer
    shown.chain = owned_chain(SSL_get_peer_cert_chain(self.ssl))
    shown.certificate = owned(SSL_get0_peer_certificate(self.ssl))


# The answer to a question. It owns `names`.
cdef struct Named:
    bint are_there
    stack_st_X509_NAME *names


cdef list ca_names_of(Connection connection):
    """OpenSSL: SSL_get0_peer_CA_list(3)"""
    cdef Named named
    connection.ask(ask_ca_names, &named)
    if not named.are_there:
        return []
    if named.names == NULL:
        raise MemoryError
    try:
        return encoded_names(named.names)
    finally:
        sk_X509_NAME_pop_free(named.names, X509_NAME_free)


cdef void ask_ca_names(Connection self, void *answer) noexcept nogil:
    cdef Named *named = <Named *>answer
    cdef const stack_st_X509_NAME *names = SSL_get0_peer_CA_list(self.ssl)
    named.are_there = names != NULL
    named.names = NULL if names == NULL else SSL_dup_CA_list(names)
