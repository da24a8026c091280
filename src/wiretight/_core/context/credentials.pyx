"""Credentials: the certificate chain, private key and DH parameters of a Context.

Everything is read and checked before the settings change: a failed load leaves the previous chain in use, and a
password callback may use the context.
"""

from wiretight._core.base.errors cimport check, raise_queue
from wiretight._core.base.files cimport file_content
from wiretight._core.context.context cimport settings_of, trial, update_settings
from wiretight._core.context.settings cimport Credential, Parameters, Settings
from wiretight._core.openssl.err cimport ERR_clear_error
from wiretight._core.openssl.evp cimport EVP_PKEY_free, EVP_PKEY_get0_type_name, EVP_PKEY_up_ref
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_add1_chain_cert, SSL_free, SSL_set0_tmp_dh_pkey, SSL_use_cert_and_key, SSL_use_certificate,
)
from wiretight._core.openssl.x509 cimport (
    X509_check_private_key, X509_free, sk_X509_num, sk_X509_pop_free, sk_X509_shift, sk_X509_value,
)
from wiretight._core.x509.pem cimport Password, read_chain, read_dh_parameters, read_key


cdef int load_cert_chain(Context context, object certfile, object keyfile, object password) except -1:
    """OpenSSL: SSL_use_cert_and_key(3)"""
    cdef Password secret = Password(password)
    cdef Credential loaded = Credential.__new__(Credential)
    cdef bytes content = file_content(certfile, "certfile")
    ERR_clear_error()
    loaded.chain = read_chain(content, secret, certfile)
    loaded.leaf = sk_X509_shift(loaded.chain)
    check_strength(context, loaded)     # before the key is read, as in `ssl`
    if keyfile is not None:
        content = file_content(keyfile, "keyfile")
    loaded.key = read_key(content, secret, certfile if keyfile is None else keyfile)
    check(X509_check_private_key(loaded.leaf, loaded.key))
    if sk_X509_num(loaded.chain) == 0:
        # An empty chain would mean "send the leaf alone"; without one, OpenSSL builds it from the trusted certificates.
        sk_X509_pop_free(loaded.chain, X509_free)
        loaded.chain = NULL
    check_pair(context, loaded)
    return update_settings(context, put_credential, loaded)


cdef int check_strength(Context context, Credential loaded) except -1:
    """Raises SSLError for certificates that are too weak for the security level of the context.

    OpenSSL: SSL_use_certificate(3), SSL_add1_chain_cert(3)
    """
    cdef SSL *ssl = trial(context, settings_of(context))
    cdef int i
    try:
        check(SSL_use_certificate(ssl, loaded.leaf))
        for i in range(sk_X509_num(loaded.chain)):
            check(<int>SSL_add1_chain_cert(ssl, sk_X509_value(loaded.chain, i)))
    finally:
        SSL_free(ssl)
    return 0


cdef int check_pair(Context context, Credential loaded) except -1:
    """OpenSSL: SSL_use_cert_and_key(3)"""
    cdef SSL *ssl = trial(context, settings_of(context))
    try:
        check(SSL_use_cert_and_key(ssl, loaded.leaf, loaded.key, loaded.chain, 1))
    finally:
        SSL_free(ssl)
    return 0


cdef int put_credential(Context _, Settings settings, object loaded) except -1:
    """Replaces the credential with the same kind of key: OpenSSL has one of each kind.

    OpenSSL: EVP_PKEY_get0_type_name(3)
    """
    cdef Credential other
    cdef bytes kind = EVP_PKEY_get0_type_name((<Credential>loaded).key)
    cdef list others = []
    for other in settings.credentials:
        if <bytes>EVP_PKEY_get0_type_name(other.key) != kind:
            others.append(other)
    settings.credentials = (*others, loaded)
    return 0


# --- Diffie-Hellman parameters ---------------------------------------------------------------------------------------
cdef int load_dh_params(Context context, object path) except -1:
    """OpenSSL: SSL_set0_tmp_dh_pkey(3)"""
    cdef bytes content = file_content(path, None)
    cdef Parameters loaded = Parameters.__new__(Parameters)
    cdef SSL *ssl
    ERR_clear_error()
    loaded.key = read_dh_parameters(content, path)
    ssl = trial(context, settings_of(context))
    try:
        check(EVP_PKEY_up_ref(loaded.key))
        if not SSL_set0_tmp_dh_pkey(ssl, loaded.key):
            EVP_PKEY_free(loaded.key)
            raise_queue()
    finally:
        SSL_free(ssl)
    return update_settings(context, put_dh_params, loaded)


cdef int put_dh_params(Context _, Settings settings, object loaded) except -1:
    settings.dh_params = loaded
    return 0
