"""Virtual hosts: a server switches to another context once it knows which name the client asks for.

SSL_set_SSL_CTX() switches certificates, ciphers, ALPN and CA certificates. The SSL has copies of everything else, from
its creation: they are replaced here, while the ClientHello is processed and nothing has been decided by them yet.

The other context may ask for more than the first, never for less: verify_mode, verify_flags and minimum_version are the
stricter of the two. A program that requires certificates by the context that it listens with must not lose that by a
choice; nor its verify_callback, by the choice of a context that verifies nobody.
"""

cimport cython
from libc.stdint cimport uint64_t

from wiretight._core.base.errors cimport forget_errors, raise_queue
from wiretight._core.base.mutex cimport wt_mutex_unlock
from wiretight._core.context.algorithms cimport ciphers_of
from wiretight._core.context.context cimport make_sealed
from wiretight._core.context.reloading cimport fresh_settings
from wiretight._core.context.settings cimport Settings, apply, apply_hooks, apply_loaded
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_OP_NO_SSLv3, SSL_OP_NO_TLSv1, SSL_OP_NO_TLSv1_1, SSL_OP_NO_TLSv1_2, SSL_VERIFY_PEER,
    SSL_VERIFY_POST_HANDSHAKE, SSL_certs_clear, SSL_copy_session_id, SSL_free, SSL_get0_param, SSL_get_certificate,
    SSL_get_min_proto_version, SSL_get_options, SSL_get_verify_mode, SSL_in_before, SSL_is_init_finished, SSL_new,
    SSL_set1_groups_list, SSL_set_SSL_CTX, SSL_set_cipher_list, SSL_set_ciphersuites, SSL_set_min_proto_version,
    SSL_set0_CA_list, SSL_set_options, SSL_set_session, SSL_set_verify, SSL_use_cert_and_key,
)
from wiretight._core.openssl.x509 cimport (
    X509_V_FLAG_ALLOW_PROXY_CERTS, X509_V_FLAG_CHECK_SS_SIGNATURE, X509_V_FLAG_CRL_CHECK, X509_V_FLAG_CRL_CHECK_ALL,
    X509_V_FLAG_EXPLICIT_POLICY, X509_V_FLAG_IGNORE_CRITICAL, X509_V_FLAG_INHIBIT_ANY, X509_V_FLAG_INHIBIT_MAP,
    X509_V_FLAG_NO_CHECK_TIME, X509_V_FLAG_PARTIAL_CHAIN, X509_V_FLAG_POLICY_CHECK, X509_V_FLAG_X509_STRICT,
    X509_VERIFY_PARAM, X509_VERIFY_PARAM_clear_flags, X509_VERIFY_PARAM_get_flags, X509_VERIFY_PARAM_set_flags,
)
from wiretight._core.x509.certificate cimport owned

cdef extern from "compat.h" nogil:
    int wt_set_default_groups(SSL *ssl)
    void wt_remove_psk(SSL *ssl)


# The older way to set a minimum version.
cdef uint64_t OLDER_VERSIONS = SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2


# The verify_flags with which a verification refuses more certificates, and fewer.
cdef unsigned long DEMANDS = (
    X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL | X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE
    | X509_V_FLAG_POLICY_CHECK | X509_V_FLAG_EXPLICIT_POLICY | X509_V_FLAG_INHIBIT_ANY | X509_V_FLAG_INHIBIT_MAP
)
cdef unsigned long CONCESSIONS = (
    X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_ALLOW_PROXY_CERTS | X509_V_FLAG_IGNORE_CRITICAL | X509_V_FLAG_NO_CHECK_TIME
)


cdef int choose_context(Connection connection, Context chosen) except -1:
    """Gives a connection another context: see Negotiated.context.

    OpenSSL: SSL_set_SSL_CTX(3)
    """
    cdef Settings settings, later, ongoing, before
    cdef Context former
    cdef Former kept = Former.__new__(Former)
    cdef bint switched, is_open
    make_sealed(chosen)
    settings = fresh_settings(chosen)       # may run Python, which may choose, too
    with cython.critical_section(connection):
        # Kept until the lock is released, because dropping them may run Python.
        former, before = connection._context, connection.settings
    if not settings.values.verify_mode & SSL_VERIFY_PEER:
        settings = settings.judging_as(before)
    later = settings.verifying_as(before)   # a handshake that has begun verifies as it began, and after it too
    # If its context is chosen again, OpenSSL goes on with the list that the certificate was chosen from: see Former.
    ongoing = showing_as(later, before) if chosen is former else later
    ciphers = ciphers_of(chosen, settings) if has_own_ciphers(former, before) else None
    connection.descriptor.take_turn_with_gil()    # so that no callback of another thread sees them meanwhile
    is_open = SSL_in_before(connection.ssl) or connection.is_undecided
    if not is_open:
        settings = later if SSL_is_init_finished(connection.ssl) else ongoing
    switched = (is_open or keep_former(connection, kept)) and switch_context(
        connection.ssl, before, chosen, settings, is_open, connection.server_side, ciphers)
    if is_open and not connection.server_side and chosen is not former:
        SSL_set_session(connection.ssl, NULL)   # the offered one belongs to another context
    with cython.critical_section(connection):
        if switched:
            connection._context, connection.settings = chosen, settings
    wt_mutex_unlock(&connection.descriptor.lock)
    if not switched:
        raise_queue()
    if is_open:
        connection.bind_sessions()
    elif not connection.server_side:
        connection.unbind_sessions()    # verified by one context, maybe with the certificate of another
    return 0


cdef int choose_credential(Connection connection, Credential credential) except -1:
    """In a callback that may choose: has the connection show this, and nothing of what its context has.

    Raises SSLError for a certificate that is too weak for the security level of the connection.

    OpenSSL: SSL_certs_clear(3), SSL_use_cert_and_key(3)
    """
    cdef Settings before, settings
    cdef bint used
    with cython.critical_section(connection):
        before = connection.settings        # kept until the lock is released
    settings = before.copy()
    settings.credentials = (credential,)
    connection.descriptor.take_turn_with_gil()
    forget_errors()
    SSL_certs_clear(connection.ssl)
    used = SSL_use_cert_and_key(connection.ssl, credential.leaf, credential.key, credential.chain, 1) > 0
    with cython.critical_section(connection):
        connection.settings = settings
    wt_mutex_unlock(&connection.descriptor.lock)
    if not used:
        raise_queue()
    return 0


cdef Settings showing_as(Settings settings, Settings earlier):
    cdef Settings other = settings.copy()
    other.credentials = earlier.credentials
    return other


@cython.final
cdef class Former:
    """What OpenSSL still uses of a context that was replaced after the handshake had begun.

    From the choice of a certificate to the signature, OpenSSL points into the SSL's own list, which SSL_set_SSL_CTX()
    frees. To the end of the connection, it points into the SSL_CTX, for the signature algorithms.
    """
    cdef Context context
    cdef SSL *certificates      # another SSL with the same list; NULL after the handshake
    cdef Former before

    def __dealloc__(self):
        SSL_free(self.certificates)


cdef bint keep_former(Connection connection, Former kept) noexcept:
    """Keeps the current context in `kept`, with the connection's lock held, and the certificate that a server sent.
    If it returns False, the reason is on OpenSSL's queue.

    OpenSSL: SSL_new(3), SSL_copy_session_id(3), SSL_get_certificate(3)
    """
    cdef Former other = connection.former
    if connection.server_side and connection.shown == NULL:
        connection.shown = owned(SSL_get_certificate(connection.ssl))
    kept.context = connection._context
    if not SSL_is_init_finished(connection.ssl):
        forget_errors()
        kept.certificates = SSL_new(kept.context.ctx)
        if kept.certificates == NULL or not SSL_copy_session_id(kept.certificates, connection.ssl):
            return False
    else:
        while other is not None:
            if other.context is kept.context:
                return True
            other = other.before
    kept.before = connection.former
    connection.former = kept
    return True


cdef bint switch_context(
    SSL *ssl, Settings before, Context context, Settings settings, bint is_open, bint server_side, tuple ciphers
) noexcept:
    """Gives `ssl` another, sealed context. If it returns False, the reason is on OpenSSL's queue.

    With `is_open`, nothing of the handshake is decided yet, and a server gets all of the context's settings. Other
    connections get its certificates, ciphers, callbacks and trust; once a handshake has begun, `settings` come from
    Settings.verifying_as(). `ciphers` come from ciphers_of() if `ssl` has ciphers of its own, which OpenSSL leaves.

    OpenSSL: SSL_set_SSL_CTX(3), SSL_set_cipher_list(3), SSL_set_ciphersuites(3)
    """
    cdef int mode = SSL_get_verify_mode(ssl)
    cdef unsigned long flags = X509_VERIFY_PARAM_get_flags(SSL_get0_param(ssl))
    cdef int minimum = SSL_get_min_proto_version(ssl)
    cdef uint64_t forbidden = SSL_get_options(ssl) & OLDER_VERSIONS
    forget_errors()
    if SSL_set_SSL_CTX(ssl, context.ctx) == NULL:
        return False
    wt_remove_psk(ssl)      # hooks only add
    SSL_set0_CA_list(ssl, NULL)
    if ciphers is not None and not (
        SSL_set_ciphersuites(ssl, <bytes>ciphers[1]) and SSL_set_cipher_list(ssl, <bytes>ciphers[0])
    ):
        return False
    if not (server_side and is_open):
        if not apply_loaded(ssl, context.sealed, settings):
            return False
        return apply_hooks(ssl, settings, server_side)
    if not apply(ssl, context.sealed, settings, True):
        return False
    SSL_set_verify(ssl, stricter(mode, SSL_get_verify_mode(ssl)), NULL)
    if not demand_as_much(SSL_get0_param(ssl), flags):
        return False
    SSL_set_options(ssl, forbidden)
    if SSL_get_min_proto_version(ssl) < minimum and not SSL_set_min_proto_version(ssl, minimum):
        return False
    if settings.groups is not None:
        return SSL_set1_groups_list(ssl, settings.groups)
    return before.groups is None or wt_set_default_groups(ssl)


cdef bint has_own_ciphers(Context context, Settings settings) noexcept:
    """Whether its ciphers are in no SSL_CTX, so that SSL_set_SSL_CTX() does not replace them."""
    return (
        settings.ciphers is not context.sealed.ciphers or settings.ciphersuites is not context.sealed.ciphersuites
    )


cdef int stricter(int first, int second) noexcept:
    """The stricter of two modes of SSL_set_verify(). To request a certificate after the handshake is less strict."""
    if not first & SSL_VERIFY_PEER:
        return second
    if not second & SSL_VERIFY_PEER:
        return first
    return (first | second) & ~SSL_VERIFY_POST_HANDSHAKE | (first & second & SSL_VERIFY_POST_HANDSHAKE)


cdef bint demand_as_much(X509_VERIFY_PARAM *parameters, unsigned long flags) noexcept:
    """Demands what `flags` demands, and concedes nothing that it does not, on top of its own.

    OpenSSL: X509_VERIFY_PARAM_set_flags(3)
    """
    return (
        X509_VERIFY_PARAM_set_flags(parameters, flags & DEMANDS)
        and X509_VERIFY_PARAM_clear_flags(parameters, CONCESSIONS & ~flags)
    )
