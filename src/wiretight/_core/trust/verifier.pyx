"""Verifier: a chain of certificates without a connection, verified as a context's handshakes verify one."""

from wiretight._core.base.errors cimport check, forget_errors, raise_queue
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.context.context cimport Context
from wiretight._core.context.reloading cimport present_settings
from wiretight._core.context.settings cimport Settings
from wiretight._core.openssl.x509 cimport (
    X509_STORE_CTX, X509_STORE_CTX_free, X509_STORE_CTX_get0_chain, X509_STORE_CTX_get0_param, X509_STORE_CTX_init,
    X509_STORE_CTX_new, X509_STORE_CTX_set_default, X509_VERIFY_PARAM, X509_VERIFY_PARAM_set1_host,
    X509_VERIFY_PARAM_set1_ip_asc, X509_VERIFY_PARAM_set_auth_level, X509_VERIFY_PARAM_set_flags,
    X509_VERIFY_PARAM_set_hostflags, X509_free, sk_X509_new_null, sk_X509_pop_free, sk_X509_push, stack_st_X509,
)
from wiretight._core.trust.verification cimport Findings, errors_of, forget_findings, verify
from wiretight._core.x509.certificate cimport Certificate, Chain, chain_of, owned


def verify_chain(Context context not None, list chain not None, str name, bint of_client=False):
    """What a handshake of `context` would find wrong with the Certificates of `chain`, the peer's own first: a tuple of
    VerifyError, and the list of Certificate from the peer's to a root, as far as it could be built.

    `name` is the server's A-label or address, or None, which is not looked for. With `of_client` the chain is one that
    a server is shown. Raises ValueError for an empty chain, SSLError for a name that cannot be one. Since 0.1.

    OpenSSL: X509_verify_cert(3), X509_STORE_CTX_set_default(3)
    """
    cdef Settings settings = present_settings(context)
    cdef stack_st_X509 *certificates
    cdef X509_STORE_CTX *verification
    cdef Findings findings
    cdef Chain built
    if not chain:
        raise ValueError("chain is empty: it must contain the certificate of the peer")
    certificates = stack_of(chain)
    verification = X509_STORE_CTX_new()
    try:
        forget_errors()
        if verification == NULL or not X509_STORE_CTX_init(
            verification, settings.trust.store, (<Certificate>chain[0]).x509, certificates
        ):
            raise_queue()
        check(X509_STORE_CTX_set_default(verification, "ssl_client" if of_client else "ssl_server"))
        configure(X509_STORE_CTX_get0_param(verification), settings, name)
        with nogil:
            wt_gate_enter(<void *>chain)
            verify(verification, &settings.values, &findings)
            wt_gate_leave(<void *>chain)
        forget_errors()
        try:
            built.certificates = X509_STORE_CTX_get0_chain(verification)
            built.is_starved = False
            return errors_of(&findings, name), chain_of(&built)
        finally:
            forget_findings(&findings)
    finally:
        X509_STORE_CTX_free(verification)
        sk_X509_pop_free(certificates, X509_free)


cdef int configure(X509_VERIFY_PARAM *parameters, Settings settings, str name) except -1:
    """What a connection is given by settings.apply() and Connection.bind().

    OpenSSL: X509_VERIFY_PARAM_set_flags(3)
    """
    cdef bytes host
    check(X509_VERIFY_PARAM_set_flags(parameters, settings.values.verify_flags))
    X509_VERIFY_PARAM_set_auth_level(parameters, settings.values.security_level)
    X509_VERIFY_PARAM_set_hostflags(parameters, settings.values.host_flags)
    if name is None:
        return 0
    host = name.encode("ascii")
    if not X509_VERIFY_PARAM_set1_ip_asc(parameters, host):
        forget_errors()
        check(X509_VERIFY_PARAM_set1_host(parameters, host, len(host)))
    return 0


cdef stack_st_X509 *stack_of(list chain) except NULL:
    """OpenSSL: sk_X509_push(3)"""
    cdef stack_st_X509 *certificates = sk_X509_new_null()
    cdef Certificate certificate
    cdef bint complete = certificates != NULL
    try:
        for certificate in chain:
            if complete and sk_X509_push(certificates, certificate.x509) > 0:
                owned(certificate.x509)
            else:
                complete = False
        if not complete:
            raise MemoryError
    except BaseException:
        sk_X509_pop_free(certificates, X509_free)
        raise
    return certificates
