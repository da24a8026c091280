"""Virtual hosts: a server takes another context once it knows which name the client asks for.

SSL_set_SSL_CTX() switches certificates, ciphers, ALPN and CA certificates. An SSL has copies of everything else, made
when it was: they are replaced here, while the ClientHello is looked at and nothing has been decided by them yet.
"""

from libc.stdint cimport uint64_t

from wiretight._core.context cimport verify_mode_for
from wiretight._core.errors cimport check
from wiretight._core.openssl.err cimport ERR_clear_error
from wiretight._core.openssl.ssl cimport (
    SSL_CTX_get0_param, SSL_CTX_get_max_proto_version, SSL_CTX_get_min_proto_version, SSL_CTX_get_num_tickets,
    SSL_CTX_get_options, SSL_clear_options, SSL_get0_param, SSL_get_options, SSL_get_state, SSL_get_verify_callback,
    SSL_in_before, SSL_set1_groups_list, SSL_set_max_proto_version, SSL_set_min_proto_version, SSL_set_num_tickets,
    SSL_set_options, SSL_set_verify, TLS_ST_SR_CLNT_HELLO,
)
from wiretight._core.openssl.x509 cimport (
    X509_VERIFY_PARAM, X509_VERIFY_PARAM_clear_flags, X509_VERIFY_PARAM_get_flags, X509_VERIFY_PARAM_get_hostflags,
    X509_VERIFY_PARAM_set_flags, X509_VERIFY_PARAM_set_hostflags,
)


cdef bint chooses_context(SSL *ssl) noexcept:
    """Whether nothing has been decided yet: before the handshake, and in the callback for the ClientHello.

    OpenSSL: SSL_get_state(3)
    """
    return SSL_in_before(ssl) or SSL_get_state(ssl) == TLS_ST_SR_CLNT_HELLO


cdef int apply_settings(SSL *ssl, Context context) except -1:
    """Gives a server's `ssl` the versions, options, groups, verification and number of tickets of `context`.

    OpenSSL: SSL_set_options(3), SSL_set_min_proto_version(3), SSL_set_verify(3), SSL_set_num_tickets(3)
    """
    cdef X509_VERIFY_PARAM *theirs = SSL_CTX_get0_param(context.ctx)
    cdef X509_VERIFY_PARAM *ours = SSL_get0_param(ssl)
    cdef uint64_t options = SSL_CTX_get_options(context.ctx)
    ERR_clear_error()
    SSL_clear_options(ssl, SSL_get_options(ssl) & ~options)
    SSL_set_options(ssl, options)
    check(SSL_set_min_proto_version(ssl, SSL_CTX_get_min_proto_version(context.ctx)))
    check(SSL_set_max_proto_version(ssl, SSL_CTX_get_max_proto_version(context.ctx)))
    SSL_set_verify(ssl, verify_mode_for(context, True), SSL_get_verify_callback(ssl))
    check(X509_VERIFY_PARAM_clear_flags(ours, X509_VERIFY_PARAM_get_flags(ours)))
    check(X509_VERIFY_PARAM_set_flags(ours, X509_VERIFY_PARAM_get_flags(theirs)))
    X509_VERIFY_PARAM_set_hostflags(ours, X509_VERIFY_PARAM_get_hostflags(theirs))
    check(SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(context.ctx)))
    if context._groups is not None:
        check(SSL_set1_groups_list(ssl, context._groups))
    return 0
