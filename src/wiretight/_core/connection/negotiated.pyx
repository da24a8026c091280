"""Negotiated: a Connection that answers what the handshake agreed on.

Each answer is a Question: C reads OpenSSL's object with the lock held and copies the answer, and the lock is released
before Python creates an object from it. So a question waits for no callback, of this connection or another, and may be
asked in any of them.

No answer is kept, because OpenSSL changes its answers after the handshake, too. A server of TLS 1.2 may
shake hands again, with another certificate, cipher and session, and without an application protocol. While it does,
while a server of TLS 1.3 waits to ask for a certificate, and after a fatal alert, the handshake is "not done", and
there is no version.
"""

from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cimport cython

from wiretight._core.base.errors cimport check, forget_errors
from wiretight._core.base.text cimport exact_text
from wiretight._core.connection.connection cimport Connection
from wiretight._core.connection.exporter cimport channel_binding
from wiretight._core.connection.peer cimport ca_names_of, peer_certificate, sent_chain, verified_chain
from wiretight._core.connection.resumption cimport offer_session, session_of
from wiretight._core.connection.virtualhost cimport choose_context
from wiretight._core.context.context cimport Context
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_CIPHER, SSL_CIPHER_get_bits, SSL_CIPHER_get_name, SSL_CIPHER_get_version, SSL_COMP_get_name,
    SSL_get0_alpn_selected, SSL_get_cipher_list_stack, SSL_get_client_ciphers, SSL_get_current_cipher,
    SSL_get_current_compression, SSL_get_version, SSL_is_init_finished, SSL_pending, SSL_session_reused,
    SSL_verify_client_post_handshake, sk_SSL_CIPHER_find, sk_SSL_CIPHER_num, sk_SSL_CIPHER_value,
    stack_st_SSL_CIPHER,
)
from wiretight._core.session.session cimport SSLSession

cdef extern from "compat.h" nogil:
    const char *wt_group_name(SSL *ssl)
    const char *wt_signature_name(const SSL *ssl, bint of_peer)

from wiretight._core.base.tables import FEATURES


cdef class Negotiated(Connection):
    """What a connection agreed on with its peer."""

    def pending(self):
        """How many decrypted bytes can be read without the transport. Since 0.1.

        OpenSSL: SSL_pending(3)
        """
        cdef int waiting = 0
        self.ask(ask_pending, &waiting)
        return waiting

    def version(self):
        """The protocol as in "TLSv1.3", or None before the handshake is done. Since 0.1.

        OpenSSL: SSL_get_version(3)
        """
        cdef Facts facts
        self.look(&facts)
        return text(facts.version)

    def cipher(self):
        """The cipher suite as (name, protocol that defines it, secret bits), or None before one is chosen. Since 0.1.

        OpenSSL: SSL_get_current_cipher(3)
        """
        cdef Facts facts
        self.look(&facts)
        return cipher_tuple(facts.cipher)

    def shared_ciphers(self):
        """On a server, the suites of the client's offer that the server has too, in the client's order; else None.

        Since 0.1. OpenSSL: SSL_get_client_ciphers(3)
        """
        cdef Ciphers shared
        cdef list tuples = []
        cdef int i
        shared.ciphers = NULL
        shared.count = 0
        if not self.server_side:
            return None
        self.ask(ask_shared_ciphers, &shared)
        try:
            if shared.count < 0:
                raise MemoryError
            if shared.ciphers == NULL:
                return None
            for i in range(shared.count):
                tuples.append(cipher_tuple(shared.ciphers[i]))
            return tuples
        finally:
            free(shared.ciphers)

    def compression(self):
        """The compression method, or None: TLS 1.3 has none, and contexts disable it (RFC 7457, 2.6). Since 0.1.

        OpenSSL: SSL_get_current_compression(3)
        """
        cdef Facts facts
        self.look(&facts)
        return text(facts.compression)

    def group(self):
        """The group of the key exchange, as in "x25519", or None if there was none. Since 0.1.

        OpenSSL: SSL_get0_group_name(3)
        """
        cdef Facts facts
        self.look(&facts)
        return text(facts.group)

    def client_sigalg(self):
        """The algorithm that the client signed with, as in "rsa_pss_rsae_sha256", or None if it sent no certificate.

        Raises NotImplementedError on an OpenSSL older than 3.5. Since 0.1.

        OpenSSL: SSL_get0_signature_name(3), SSL_get0_peer_signature_name(3)
        """
        return self.signature_name(self.server_side)

    def server_sigalg(self):
        """The algorithm that the server signed with, as in "rsa_pss_rsae_sha256", or None if it sent no certificate.

        Raises NotImplementedError on an OpenSSL older than 3.5. Since 0.1.

        OpenSSL: SSL_get0_signature_name(3), SSL_get0_peer_signature_name(3)
        """
        return self.signature_name(not self.server_side)

    cdef str signature_name(self, bint of_peer):
        if not FEATURES["HAS_SIGALG_NAMES"]:
            raise NotImplementedError(
                "the signature algorithms of a connection need OpenSSL 3.5 or newer: build wiretight with one")
        cdef Facts facts
        self.look(&facts)
        return text(facts.signatures[of_peer])

    def selected_alpn_protocol(self):
        """The application protocol that was agreed on (RFC 7301), or None. Since 0.1.

        OpenSSL: SSL_get0_alpn_selected(3)
        """
        cdef Facts facts
        self.look(&facts)
        return facts.protocol.octets[:facts.protocol.size].decode("ascii") if facts.protocol.size else None

    def get_channel_binding(self, cb_type="tls-unique"):
        """Bytes that name this connection (RFC 5929, RFC 9266), or None while the handshake has not come so far.

        Raises ValueError for a type that is unknown, or not defined for this connection. Since 0.1.
        OpenSSL: SSL_get_finished(3), SSL_export_keying_material(3), X509_digest(3)
        """
        return channel_binding(self, exact_text(cb_type, "cb_type"))

    # --- Certificates -------------------------------------------------------------------------------------------------

    def getpeercert(self, binary_form=False):
        """The peer's certificate: a dictionary ({} if it was not verified), DER bytes if `binary_form`, None if
        there is none.

        Raises ValueError before the handshake is done. Since 0.1. OpenSSL: SSL_get0_peer_certificate(3)
        """
        return peer_certificate(self, binary_form)

    def get_verified_chain(self):
        """The chain that verification built, as a list of Certificate from the peer's to the root; None if there is
        none.

        Since 0.1. OpenSSL: SSL_get0_verified_chain(3)
        """
        return verified_chain(self)

    def get_unverified_chain(self):
        """The chain that the peer sent, as a list of Certificate, its own first; None if it sent none.

        Since 0.1. OpenSSL: SSL_get_peer_cert_chain(3)
        """
        return sent_chain(self)

    def peer_ca_names(self):
        """The names of the CAs that the peer trusts, as far as it has said, each as DER; a list. Since 0.1.

        OpenSSL: SSL_get0_peer_CA_list(3)
        """
        return ca_names_of(self)

    def verify_client_post_handshake(self):
        """Asks the client for a certificate now (TLS 1.3); the request leaves with the next write.

        Raises SSLError on a client, before the handshake, on TLS 1.2, or if the client did not offer it. Since 0.1.
        OpenSSL: SSL_verify_client_post_handshake(3)
        """
        check(self.change(request_certificate, NULL))

    # --- Context and session ------------------------------------------------------------------------------------------

    @property
    def context(self):
        """The context of the connection; a server's sni_callback may set another, all of whose settings take effect,
        but none that makes verify_mode or minimum_version less strict.

        Set after that, or on a client, it changes certificate, ciphers and callbacks, and before the handshake whom to
        trust. A client that changes it later has no session to resume. Since 0.1.

        OpenSSL: SSL_set_SSL_CTX(3)
        """
        with cython.critical_section(self):
            return self._context

    @context.setter
    def context(self, value):
        if not isinstance(value, Context):
            raise TypeError(f"The value must be a SSLContext, not {type(value).__name__}")
        choose_context(self, value)

    @property
    def session(self):
        """The session, to resume with another connection of the same context, or None. Settable on a client before the
        handshake; one that is bound to other terms is not offered. With TLS 1.3 it has its ticket when the client has
        read something. A server's is a copy, as it is now. Since 0.1.

        OpenSSL: SSL_get1_session(3), SSL_set_session(3)
        """
        return session_of(self)

    @session.setter
    def session(self, value):
        if not isinstance(value, SSLSession):
            raise TypeError("Value is not a SSLSession.")
        offer_session(self, value)

    @property
    def session_reused(self):
        """Whether the handshake resumed a session. Since 0.1.

        OpenSSL: SSL_session_reused(3)
        """
        cdef Facts facts
        self.look(&facts)
        return facts.session_reused

    cdef int look(self, Facts *facts) except -1:
        """Copies what was agreed on, all of it at the same moment."""
        return self.ask(ask_facts, facts)


# --- The questions ----------------------------------------------------------------------------------------------------

cdef struct Ciphers:
    const SSL_CIPHER **ciphers
    int count               # -1: no memory


cdef void ask_pending(Connection self, void *answer) noexcept nogil:
    (<int *>answer)[0] = SSL_pending(self.ssl)


cdef void ask_facts(Connection self, void *answer) noexcept nogil:
    """OpenSSL: SSL_get_version(3), SSL_get_current_cipher(3), SSL_get0_alpn_selected(3) and so on"""
    cdef Facts *facts = <Facts *>answer
    cdef const void *method = SSL_get_current_compression(self.ssl)
    cdef const unsigned char *protocol = NULL
    cdef unsigned int size = 0
    facts.version = SSL_get_version(self.ssl) if SSL_is_init_finished(self.ssl) else NULL
    facts.cipher = SSL_get_current_cipher(self.ssl)
    facts.compression = NULL if method == NULL else SSL_COMP_get_name(method)
    forget_errors()
    facts.group = wt_group_name(self.ssl)
    forget_errors()
    facts.signatures[False] = wt_signature_name(self.ssl, False)
    facts.signatures[True] = wt_signature_name(self.ssl, True)
    SSL_get0_alpn_selected(self.ssl, &protocol, &size)
    facts.protocol.size = 0
    if protocol != NULL and size <= MOST_OCTETS:
        memcpy(facts.protocol.octets, protocol, size)
        facts.protocol.size = size
    facts.session_reused = SSL_session_reused(self.ssl)


cdef bint has_protocol(const SSL *ssl) noexcept nogil:
    """OpenSSL: SSL_get0_alpn_selected(3)"""
    cdef const unsigned char *protocol
    cdef unsigned int size
    SSL_get0_alpn_selected(ssl, &protocol, &size)
    return size > 0


cdef void ask_shared_ciphers(Connection self, void *answer) noexcept nogil:
    cdef Ciphers *shared = <Ciphers *>answer
    cdef stack_st_SSL_CIPHER *theirs = SSL_get_client_ciphers(self.ssl)
    cdef stack_st_SSL_CIPHER *ours = SSL_get_cipher_list_stack(self.ssl)
    cdef int i
    if theirs == NULL or ours == NULL:
        return
    shared.ciphers = <const SSL_CIPHER **>malloc((sk_SSL_CIPHER_num(theirs) + 1) * sizeof(SSL_CIPHER *))
    if shared.ciphers == NULL:
        shared.count = -1
        return
    for i in range(sk_SSL_CIPHER_num(theirs)):
        if sk_SSL_CIPHER_find(ours, sk_SSL_CIPHER_value(theirs, i)) >= 0:
            shared.ciphers[shared.count] = sk_SSL_CIPHER_value(theirs, i)
            shared.count += 1


cdef int request_certificate(Connection self, void *_) noexcept nogil:
    forget_errors()
    return SSL_verify_client_post_handshake(self.ssl)


cdef str text(const char *name):
    return None if name == NULL else name.decode("ascii")


cdef object cipher_tuple(const SSL_CIPHER *cipher):
    if cipher == NULL:
        return None
    return (
        SSL_CIPHER_get_name(cipher).decode("ascii"),
        SSL_CIPHER_get_version(cipher).decode("ascii"),
        SSL_CIPHER_get_bits(cipher, NULL),
    )
