"""Negotiated: a Connection that answers what the handshake agreed on.

Every method holds the connection's lock while it asks OpenSSL, and may be called from the connection's own callbacks.
"""

from wiretight._core.algorithms cimport switch_ciphers
from wiretight._core.certificate cimport borrow_certificate, chain_of, decoded, der
from wiretight._core.context cimport Context
from wiretight._core.errors cimport check, forget_errors, raise_queue
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_CIPHER, SSL_CIPHER_get_bits, SSL_CIPHER_get_name, SSL_CIPHER_get_version, SSL_COMP_get_name,
    SSL_CTX_get_verify_mode, SSL_SESSION, SSL_VERIFY_PEER, SSL_get0_alpn_selected, SSL_get0_peer_certificate,
    SSL_get0_verified_chain, SSL_get1_session, SSL_get_SSL_CTX, SSL_get_cipher_list_stack, SSL_get_client_ciphers,
    SSL_get_current_cipher, SSL_get_current_compression, SSL_get_finished, SSL_get_peer_cert_chain,
    SSL_get_peer_finished, SSL_get_version, SSL_in_before, SSL_is_init_finished, SSL_pending, SSL_session_reused,
    SSL_set_SSL_CTX, SSL_set_session, SSL_verify_client_post_handshake, sk_SSL_CIPHER_find, sk_SSL_CIPHER_num,
    sk_SSL_CIPHER_value, stack_st_SSL_CIPHER,
)
from wiretight._core.openssl.x509 cimport X509
from wiretight._core.virtualhost cimport apply_settings, chooses_context
from wiretight._core.session cimport SSLSession, take_session

cdef extern from "compat.h" nogil:
    const char *wt_group_name(SSL *ssl)
    const char *wt_signature_name(const SSL *ssl, bint of_peer)

from wiretight._core.tables import FEATURES

cdef enum:
    FINISHED_SIZE = 64      # the longest verify_data of any cipher suite


cdef class Negotiated(Connection):
    """What a connection agreed on with its peer."""

    cdef bint is_finished(self) noexcept:
        return SSL_is_init_finished(self.ssl)

    def pending(self):
        """How many decrypted bytes wait: a read of so many needs no transport. Since 0.1.

        OpenSSL: SSL_pending(3)
        """
        cdef bint locked = self.guard()
        cdef int waiting = SSL_pending(self.ssl)
        self.unguard(locked)
        return waiting

    def version(self):
        """The protocol as in "TLSv1.3", or None before the handshake is done. Since 0.1.

        OpenSSL: SSL_get_version(3)
        """
        cdef bint locked = self.guard()
        cdef const char *name = SSL_get_version(self.ssl) if self.is_finished() else NULL
        self.unguard(locked)
        return None if name == NULL else name.decode("ascii")

    def cipher(self):
        """The cipher suite as (name, protocol that defines it, secret bits), or None before one is chosen. Since 0.1.

        OpenSSL: SSL_get_current_cipher(3)
        """
        cdef bint locked = self.guard()
        try:
            return cipher_tuple(SSL_get_current_cipher(self.ssl))
        finally:
            self.unguard(locked)

    def shared_ciphers(self):
        """On a server, the suites of the client's offer that the server has too, in the client's order; else None.

        Since 0.1. OpenSSL: SSL_get_client_ciphers(3)
        """
        cdef stack_st_SSL_CIPHER *theirs
        cdef stack_st_SSL_CIPHER *ours
        cdef list shared = []
        cdef int i
        cdef bint locked = self.guard()
        try:
            theirs = SSL_get_client_ciphers(self.ssl)
            ours = SSL_get_cipher_list_stack(self.ssl)
            if not self.server_side or theirs == NULL or ours == NULL:
                return None
            for i in range(sk_SSL_CIPHER_num(theirs)):
                if sk_SSL_CIPHER_find(ours, sk_SSL_CIPHER_value(theirs, i)) >= 0:
                    shared.append(cipher_tuple(sk_SSL_CIPHER_value(theirs, i)))
            return shared
        finally:
            self.unguard(locked)

    def compression(self):
        """The compression method, or None: TLS 1.3 has none, and contexts refuse it (RFC 7457, 2.6). Since 0.1.

        OpenSSL: SSL_get_current_compression(3)
        """
        cdef bint locked = self.guard()
        cdef const void *method = SSL_get_current_compression(self.ssl)
        cdef const char *name = NULL if method == NULL else SSL_COMP_get_name(method)
        self.unguard(locked)
        return None if name == NULL else name.decode("ascii")

    def group(self):
        """The group of the key exchange, as in "x25519", or None where there was none. Since 0.1.

        OpenSSL: SSL_get0_group_name(3)
        """
        cdef const char *name = NULL
        cdef bint locked = self.guard()
        forget_errors()
        name = wt_group_name(self.ssl)
        forget_errors()
        self.unguard(locked)
        return None if name == NULL else name.decode("ascii")

    def client_sigalg(self):
        """The algorithm that the client signed with, as in "rsa_pss_rsae_sha256", or None if it showed no certificate.

        Raises NotImplementedError on an OpenSSL older than 3.5. Since 0.1.

        OpenSSL: SSL_get0_signature_name(3), SSL_get0_peer_signature_name(3)
        """
        return self.signature_name(self.server_side)

    def server_sigalg(self):
        """The algorithm that the server signed with, as in "rsa_pss_rsae_sha256", or None if it showed no certificate.

        Raises NotImplementedError on an OpenSSL older than 3.5. Since 0.1.

        OpenSSL: SSL_get0_signature_name(3), SSL_get0_peer_signature_name(3)
        """
        return self.signature_name(not self.server_side)

    cdef str signature_name(self, bint of_peer):
        if not FEATURES["HAS_SIGALG_NAMES"]:
            raise NotImplementedError(
                "the signature algorithms of a connection need OpenSSL 3.5 or newer: build wiretight with one")
        cdef bint locked = self.guard()
        cdef const char *name = wt_signature_name(self.ssl, of_peer)
        self.unguard(locked)
        return None if name == NULL else name.decode("ascii")

    def selected_alpn_protocol(self):
        """The application protocol that was agreed on (RFC 7301), or None. Since 0.1.

        OpenSSL: SSL_get0_alpn_selected(3)
        """
        cdef const unsigned char *name = NULL
        cdef unsigned int size = 0
        cdef bint locked = self.guard()
        try:
            SSL_get0_alpn_selected(self.ssl, &name, &size)
            return None if name == NULL else (<const char *>name)[:size].decode("ascii")
        finally:
            self.unguard(locked)

    def get_channel_binding(self, str cb_type not None="tls-unique"):
        """Bytes that name this connection (RFC 5929, 3), or None while the handshake has not come so far.

        Raises ValueError for another type than "tls-unique". Since 0.1. OpenSSL: SSL_get_finished(3)
        """
        cdef char data[FINISHED_SIZE]
        cdef size_t size
        if cb_type != "tls-unique":
            raise ValueError(f"{cb_type!r} channel binding type not implemented")
        cdef bint locked = self.guard()
        # The first Finished of the handshake: the client's, but the server's when the session was resumed.
        if bool(SSL_session_reused(self.ssl)) != bool(self.server_side):
            size = SSL_get_peer_finished(self.ssl, data, FINISHED_SIZE)
        else:
            size = SSL_get_finished(self.ssl, data, FINISHED_SIZE)
        self.unguard(locked)
        return data[:min(size, <size_t>FINISHED_SIZE)] if size else None

    # --- Certificates -------------------------------------------------------------------------------------------------

    def getpeercert(self, binary_form=False):
        """The peer's certificate: a dictionary ({} if it was not verified), DER bytes if `binary_form`, None if
        there is none.

        Raises ValueError before the handshake is done. Since 0.1. OpenSSL: SSL_get0_peer_certificate(3)
        """
        cdef X509 *x509
        cdef bint locked = self.guard()
        try:
            if not self.is_finished():
                raise ValueError("handshake not done yet")
            x509 = SSL_get0_peer_certificate(self.ssl)
            if x509 == NULL:
                return None
            if binary_form:
                return der(x509)
            if not SSL_CTX_get_verify_mode(SSL_get_SSL_CTX(self.ssl)) & SSL_VERIFY_PEER:
                return {}
            return decoded(x509)
        finally:
            self.unguard(locked)

    def get_verified_chain(self):
        """The chain that verification built, as a list of Certificate from the peer's to the root; None if there is
        none.

        Since 0.1. OpenSSL: SSL_get0_verified_chain(3)
        """
        cdef bint locked = self.guard()
        try:
            chain = chain_of(SSL_get0_verified_chain(self.ssl))
            return chain or None
        finally:
            self.unguard(locked)

    def get_unverified_chain(self):
        """The chain that the peer sent, as a list of Certificate, its own first; None if it sent none.

        Since 0.1. OpenSSL: SSL_get_peer_cert_chain(3)
        """
        cdef X509 *x509
        cdef bint locked = self.guard()
        try:
            chain = chain_of(SSL_get_peer_cert_chain(self.ssl))
            x509 = SSL_get0_peer_certificate(self.ssl)
            # On a server OpenSSL leaves the peer's own certificate out of the list; on a resumption there is only that.
            if x509 != NULL and (self.server_side or not chain):
                chain.insert(0, borrow_certificate(x509))
            return chain or None
        finally:
            self.unguard(locked)

    def verify_client_post_handshake(self):
        """Asks the client for a certificate now (TLS 1.3); the request leaves with the next write.

        Raises SSLError on a client, before the handshake, on TLS 1.2, or if the client did not offer it. Since 0.1.
        OpenSSL: SSL_verify_client_post_handshake(3)
        """
        cdef bint locked = self.guard()
        try:
            forget_errors()
            check(SSL_verify_client_post_handshake(self.ssl))
        finally:
            self.unguard(locked)

    # --- Context and session ------------------------------------------------------------------------------------------

    @property
    def context(self):
        """The context of the connection; a server's sni_callback may set another, all of whose settings hold then.

        Set elsewhere after the handshake has begun, it changes certificate, ciphers and ALPN only. Since 0.1.

        OpenSSL: SSL_set_SSL_CTX(3)
        """
        return self._context

    @context.setter
    def context(self, value):
        if not isinstance(value, Context):
            raise TypeError(f"The value must be a SSLContext, not {type(value).__name__}")
        cdef bint locked = self.guard()
        try:
            forget_errors()
            if SSL_set_SSL_CTX(self.ssl, (<Context>value).ctx) == NULL:
                raise_queue()
            before, self._context = self._context, value
            switch_ciphers(self.ssl, before, value)
            if self.server_side and chooses_context(self.ssl):
                apply_settings(self.ssl, value)
            self.bind_sessions()
        finally:
            self.unguard(locked)

    @property
    def session(self):
        """The session, to resume with another connection of the same context, or None. Settable on a client before the
        handshake; one that is bound to other terms is not offered. With TLS 1.3 it has its ticket when the client has
        read something. Since 0.1.

        OpenSSL: SSL_get1_session(3), SSL_set_session(3)
        """
        cdef SSL_SESSION *session
        cdef bint locked = self.guard()
        try:
            session = SSL_get1_session(self.ssl)
            return None if session == NULL else take_session(session, self._context, self.terms)
        finally:
            self.unguard(locked)

    @session.setter
    def session(self, value):
        if not isinstance(value, SSLSession):
            raise TypeError("Value is not a SSLSession.")
        cdef bint locked = self.guard()
        try:
            if (<SSLSession>value).context.ctx != SSL_get_SSL_CTX(self.ssl):
                raise ValueError("Session refers to a different SSLContext.")
            if self.server_side:
                raise ValueError("Cannot set session for server-side SSLSocket.")
            if self.is_finished():
                raise ValueError("Cannot set session after handshake.")
            # In the middle of one OpenSSL would lose what it has agreed on so far, and crash.
            if not SSL_in_before(self.ssl):
                raise ValueError("Cannot set session once the handshake has begun.")
            if (<SSLSession>value).terms != self.terms:
                return      # what was verified for it is not what this connection verifies: a full handshake
            forget_errors()
            check(SSL_set_session(self.ssl, (<SSLSession>value).session))
        finally:
            self.unguard(locked)

    @property
    def session_reused(self):
        """Whether the handshake resumed a session. Since 0.1.

        OpenSSL: SSL_session_reused(3)
        """
        cdef bint locked = self.guard()
        cdef bint reused = SSL_session_reused(self.ssl)
        self.unguard(locked)
        return reused

    @property
    def truncated(self):
        """Whether the peer's stream ended without its close_notify: what came may be cut short. Since 0.1.

        Source: RFC 8446, section 6.1.
        """
        return self.at_eof

    def counters(self):
        """What the wire has moved: bytes and TLS records in and out, and system calls made for them.

        Since 0.1.
        """
        return {
            "bytes_in": self.wire.bytes_in,
            "bytes_out": self.wire.bytes_out,
            "records_in": self.wire.records_in.count,
            "records_out": self.wire.records_out.count,
            "syscalls": self.wire.syscalls,
        }


cdef object cipher_tuple(const SSL_CIPHER *cipher):
    if cipher == NULL:
        return None
    return (
        SSL_CIPHER_get_name(cipher).decode("ascii"),
        SSL_CIPHER_get_version(cipher).decode("ascii"),
        SSL_CIPHER_get_bits(cipher, NULL),
    )
