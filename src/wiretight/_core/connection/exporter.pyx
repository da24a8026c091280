"""Exporter: secrets and names that the two ends of a connection, and nobody else, derive from its handshake.

A secret is good for nothing where an attacker can make the two ends of two connections derive the same. TLS 1.2 allows
that unless it uses the extended master secret (RFC 7627), so without that there is no secret.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint64_t
from libc.string cimport memset

from operator import index

from wiretight._core.base.errors cimport check_memory, forget_errors, raise_queue
from wiretight._core.base.text cimport exact_text
from wiretight._core.openssl.asn1 cimport (
    NID_auth_null, NID_auth_psk, NID_auth_srp, NID_md5, NID_sha1, NID_sha256, NID_undef, OBJ_nid2sn,
)
from wiretight._core.openssl.ssl cimport (
    SSL_CIPHER_get_auth_nid, SSL_OP_ALLOW_CLIENT_RENEGOTIATION, SSL_OP_NO_RENEGOTIATION,
    SSL_export_keying_material, SSL_export_keying_material_early, SSL_get0_peer_certificate, SSL_get_certificate,
    SSL_get_current_cipher, SSL_get_extms_support, SSL_get_finished, SSL_get_options, SSL_get_peer_finished,
    SSL_is_init_finished, SSL_session_reused, SSL_version, TLS1_3_VERSION,
)
from wiretight._core.openssl.x509 cimport X509, X509_free, X509_get_signature_info
from wiretight._core.x509.certificate cimport owned
from wiretight._core.x509.digests cimport fingerprint

cdef enum:
    MOST = 8160             # bytes, of any cipher suite: 255 digests of SHA-256 (RFC 5869, 2.3)
    MOST_LABEL = 249        # with "tls13 " before it: RFC 8446, 7.1
    MOST_CONTEXT = 65535    # RFC 5705, 4
    SURE_CONTEXT = 512      # OpenSSL 3.0 has 1 KiB for all that TLS 1.2 derives a secret from
    MOST_FINISHED = 64      # the verify_data of any cipher suite

# What TLS 1.2 derives its own secrets with (RFC 5705, 4; RFC 7627, 4).
cdef tuple RESERVED = (
    "client finished", "server finished", "master secret", "extended master secret", "key expansion",
)

cdef str NO_EXTENDED_MASTER_SECRET = (
    "this connection of TLS 1.2 has no extended master secret (RFC 7627), without which an exported secret may be "
    "shared with an attacker: the peer has to support it, or TLS 1.3"
)


# Why there is no secret.
cdef enum Obstacle:
    NONE
    UNFINISHED              # there is no handshake that has succeeded
    AMBIGUOUS               # TLS 1.2 without the extended master secret
    RENEGOTIABLE
    REFUSED                 # by OpenSSL, whose queue says why, if anything does


cdef struct Export:
    const char *label
    size_t label_size
    const unsigned char *context
    size_t context_size
    bint has_context        # to TLS 1.2 an empty one is not none
    bint is_early
    bint is_binding
    unsigned char *secret
    size_t size
    Obstacle obstacle


def export_keying_material(
    Connection connection not None, label, length, context=None, *, bint early=False,
):
    """`length` bytes of a secret that both ends derive for `label` and `context`, of this connection alone.

    See Negotiated.export_keying_material(). Since 0.1. Source: RFC 5705; RFC 8446, section 7.5.

    OpenSSL: SSL_export_keying_material(3)
    """
    cdef Export it
    cdef bytes name = label_of(exact_text(label, "label"))
    cdef bytes data = b"" if context is None else context_of(context)
    size = index(length)
    if not 1 <= size <= MOST:
        raise ValueError(f"length must be 1 to {MOST} bytes, not {size}")
    memset(&it, 0, sizeof(Export))
    it.label = name
    it.label_size = len(name)
    it.context = data
    it.context_size = len(data)
    it.has_context = context is not None
    it.is_early = early
    cdef bytes secret = new_secret(&it, size)
    connection.ask(ask_secret, &it)
    if it.obstacle == UNFINISHED:
        raise ValueError("no keys to export: the handshake is not done yet, or has failed")
    if it.obstacle == AMBIGUOUS:
        raise ValueError(NO_EXTENDED_MASTER_SECRET)
    if it.obstacle == REFUSED and early:
        check_memory()
        raise ValueError("no early data was sent and accepted, so there is no secret of it: export without early=True")
    if it.obstacle == REFUSED and it.context_size > SURE_CONTEXT:
        check_memory()
        raise ValueError(f"OpenSSL takes no context of {it.context_size} bytes on this connection: use a digest of it")
    if it.obstacle == REFUSED:
        raise_queue()
    return secret


cdef bytes label_of(str label):
    if not label.isascii() or not 1 <= len(label) <= MOST_LABEL:
        raise ValueError(f"label must be 1 to {MOST_LABEL} ASCII characters, not {label!r}")
    if label in RESERVED:
        raise ValueError(f"the label {label!r} is reserved for TLS itself (RFC 5705, section 4)")
    return label.encode("ascii")


cdef bytes context_of(object context):
    if isinstance(context, str):
        raise TypeError("context must be bytes-like or None, not str")
    cdef bytes data = bytes(memoryview(context))
    if len(data) > MOST_CONTEXT:
        raise ValueError(f"context must be at most {MOST_CONTEXT} bytes long, not {len(data)}")
    return data


cdef bytes new_secret(Export *it, size_t size):
    """The object that the answer is written into, so that no copy of a secret is left anywhere."""
    cdef bytes secret = PyBytes_FromStringAndSize(NULL, size)
    it.secret = <unsigned char *>PyBytes_AS_STRING(secret)
    it.size = size
    return secret


cdef void ask_secret(Connection self, void *answer) noexcept nogil:
    cdef Export *it = <Export *>answer
    cdef bint is_older = SSL_version(self.ssl) < TLS1_3_VERSION
    cdef int done
    # The early secret is there before the handshake is done.
    if not it.is_early and (not SSL_is_init_finished(self.ssl) or (is_older and SSL_get_extms_support(self.ssl) < 0)):
        it.obstacle = UNFINISHED
    elif not it.is_early and is_older and not SSL_get_extms_support(self.ssl):
        it.obstacle = AMBIGUOUS
    elif it.is_binding and is_older and may_renegotiate(self):
        it.obstacle = RENEGOTIABLE
    else:
        forget_errors()
        if it.is_early:
            done = SSL_export_keying_material_early(
                self.ssl, it.secret, it.size, it.label, it.label_size, it.context, it.context_size)
        else:
            done = SSL_export_keying_material(
                self.ssl, it.secret, it.size, it.label, it.label_size, it.context, it.context_size, it.has_context)
        it.obstacle = NONE if done == 1 else REFUSED


cdef bint may_renegotiate(Connection self) noexcept nogil:
    """Whether the peer may make this end shake hands again, which changes the secrets. We never do it unasked."""
    cdef uint64_t options = SSL_get_options(self.ssl)
    if options & SSL_OP_NO_RENEGOTIATION:
        return False
    return not self.server_side or options & SSL_OP_ALLOW_CLIENT_RENEGOTIATION != 0


# --- Channel bindings -------------------------------------------------------------------------------------------------

cdef object channel_binding(Connection connection, str kind):
    """See Negotiated.get_channel_binding()."""
    if kind == "tls-unique":
        return first_finished(connection)
    if kind == "tls-exporter":
        return exporter_binding(connection)
    if kind == "tls-server-end-point":
        return endpoint_binding(connection)
    raise ValueError(f"{kind!r} channel binding type not implemented")


cdef object exporter_binding(Connection connection):
    """RFC 9266, 2."""
    cdef Export it
    memset(&it, 0, sizeof(Export))
    it.label = b"EXPORTER-Channel-Binding"
    it.label_size = 24
    it.context = b""
    it.has_context = it.is_binding = True
    cdef bytes secret = new_secret(&it, 32)
    connection.ask(ask_secret, &it)
    if it.obstacle == UNFINISHED:
        return None
    if it.obstacle == AMBIGUOUS:
        raise ValueError(NO_EXTENDED_MASTER_SECRET)
    if it.obstacle == RENEGOTIABLE:
        raise ValueError(
            'there is no "tls-exporter" of a TLS 1.2 connection that may be renegotiated (RFC 9266, section 4.2): '
            "set OP_NO_RENEGOTIATION in the options of the context"
        )
    if it.obstacle == REFUSED:
        raise_queue()
    return secret


cdef struct Finished:
    unsigned char octets[MOST_FINISHED]
    size_t size


cdef object first_finished(Connection connection):
    cdef Finished finished
    finished.size = 0
    connection.ask(ask_first_finished, &finished)
    return finished.octets[:finished.size] if finished.size else None


cdef void ask_first_finished(Connection self, void *answer) noexcept nogil:
    """The first Finished of the handshake: the client's, but the server's when the session was resumed."""
    cdef Finished *finished = <Finished *>answer
    cdef size_t size
    if (SSL_session_reused(self.ssl) != 0) != self.server_side:
        size = SSL_get_peer_finished(self.ssl, finished.octets, MOST_FINISHED)
    else:
        size = SSL_get_finished(self.ssl, finished.octets, MOST_FINISHED)
    finished.size = min(size, <size_t>MOST_FINISHED)


cdef struct EndPoint:
    bint is_finished
    bint was_resumed        # on a server
    X509 *certificate       # owned; NULL: the server has shown none


cdef object endpoint_binding(Connection connection):
    """RFC 5929, 4.1: a digest of the server's certificate."""
    cdef EndPoint server
    memset(&server, 0, sizeof(EndPoint))
    connection.ask(ask_endpoint, &server)
    try:
        if not server.is_finished:
            return None
        if server.was_resumed:
            raise ValueError(
                "a server does not know which certificate the client of a resumed session was shown: "
                'use "tls-exporter", or turn session tickets off'
            )
        if server.certificate == NULL:
            raise ValueError("the server has shown no certificate")
        return digest_of(server.certificate)
    finally:
        X509_free(server.certificate)


cdef void ask_endpoint(Connection self, void *answer) noexcept nogil:
    cdef EndPoint *server = <EndPoint *>answer
    cdef int authentication
    server.is_finished = SSL_is_init_finished(self.ssl)
    if not server.is_finished:
        return
    if not self.server_side:
        server.certificate = owned(SSL_get0_peer_certificate(self.ssl))
        return
    server.was_resumed = SSL_session_reused(self.ssl)
    authentication = SSL_CIPHER_get_auth_nid(SSL_get_current_cipher(self.ssl))
    if authentication not in (NID_auth_null, NID_auth_psk, NID_auth_srp):
        server.certificate = owned(self.shown if self.shown != NULL else SSL_get_certificate(self.ssl))


cdef bytes digest_of(X509 *certificate):
    """With the hash function of the certificate's own signature, but not an older one than SHA-256.

    OpenSSL: X509_get_signature_info(3)
    """
    cdef int function = NID_undef
    forget_errors()
    X509_get_signature_info(certificate, &function, NULL, NULL, NULL)
    check_memory()
    if function == NID_undef:
        raise ValueError(
            'there is no "tls-server-end-point" of a certificate whose signature names no hash function, such as '
            'Ed25519 and ML-DSA (RFC 5929, section 4.1): use "tls-exporter"'
        )
    if function in (NID_md5, NID_sha1):
        function = NID_sha256
    return fingerprint(certificate, OBJ_nid2sn(function).decode("ascii"))
