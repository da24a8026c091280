"""Credentials: the certificates, private keys and DH parameters of a Context.

Everything is read and checked before the settings change: a failed load leaves the previous chain in use, and a
password callback may use the context.
"""

from wiretight._core.base.errors cimport check, forget_errors, raise_queue
from wiretight._core.base.files cimport file_content
from wiretight._core.context.context cimport check_not_frozen, settings_of, trial, update_settings
from wiretight._core.context.material cimport Credential
from wiretight._core.context.settings cimport Parameters, Settings
from wiretight._core.openssl.bio cimport BIO, BIO_free
from wiretight._core.openssl.evp cimport EVP_PKEY_free, EVP_PKEY_get0_type_name, EVP_PKEY_up_ref
from wiretight._core.openssl.pem cimport PEM_write_bio_Parameters
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_add1_chain_cert, SSL_free, SSL_set0_tmp_dh_pkey, SSL_use_cert_and_key, SSL_use_certificate,
)
from wiretight._core.openssl.x509 cimport sk_X509_num, sk_X509_value
from wiretight._core.x509.names cimport memory, written
from wiretight._core.x509.pem cimport read_dh_parameters


def add_credential(Context context not None, Credential credential not None):
    """Gives later connections of `context` this credential, in place of the one with the same kind of key.

    Raises SSLError if a certificate is too weak for the security level of the context, or its key is of no use in TLS;
    then nothing changes. Since 0.1.

    OpenSSL: SSL_use_cert_and_key(3)
    """
    check_strength(context, credential)
    check_pair(context, credential)
    update_settings(context, put_credential, credential)


def set_credentials(Context context not None, tuple credentials not None):
    """Gives later connections of `context` these credentials and no others, all at once.

    Raises ValueError for two with the same kind of key, and SSLError as add_credential() does; then nothing changes.
    Since 0.1.

    OpenSSL: SSL_use_cert_and_key(3)
    """
    cdef set kinds = set()
    for credential in credentials:
        if not isinstance(credential, Credential):
            raise TypeError(f"credentials must be Credential objects, not {type(credential).__name__}")
        kinds.add(kind_of(credential))
    if len(kinds) < len(credentials):
        raise ValueError("a context has one credential of each kind of key: two of these have the same key_type")
    for credential in credentials:
        check_strength(context, credential)
        check_pair(context, credential)
    update_settings(context, put_credentials, credentials)


def credentials_of(Context context not None):
    """The credentials of later connections: a tuple. Since 0.1."""
    return settings_of(context).credentials


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


cdef int put_credential(Context context, Settings settings, object loaded) except -1:
    """Replaces the credential with the same kind of key: OpenSSL has one of each kind."""
    cdef bytes kind = kind_of(loaded)
    cdef list others = []
    for other in settings.credentials:
        if kind_of(other) != kind:
            others.append(other)
    return put_credentials(context, settings, (*others, loaded))


cdef int put_credentials(Context _, Settings settings, object credentials) except -1:
    """Forgets the files of those that go."""
    cdef dict files = {}
    cdef dict former = settings.kept.get("cert_files", files)
    settings.credentials = credentials
    for credential, its_files in former.items():
        if credential in credentials:
            files[credential] = its_files
    return 0 if len(files) == len(former) else settings.keep("cert_files", files or None)


cdef bytes kind_of(Credential credential):
    """OpenSSL: EVP_PKEY_get0_type_name(3)"""
    return EVP_PKEY_get0_type_name(credential.key)


# --- Diffie-Hellman parameters ---------------------------------------------------------------------------------------
cdef int load_dh_params(Context context, object path) except -1:
    check_not_frozen(context)
    return use_dh_params(context, file_content(path, None), path)


cdef int use_dh_params(Context context, bytes content, object path) except -1:
    """OpenSSL: SSL_set0_tmp_dh_pkey(3)"""
    cdef Parameters loaded = Parameters.__new__(Parameters)
    cdef SSL *ssl
    forget_errors()
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


def dh_params_pem(Parameters parameters not None):
    """What load_dh_params() has loaded, as PEM text (bytes). Since 0.1.

    OpenSSL: PEM_write_bio_Parameters(3)
    """
    cdef BIO *bio = memory()
    try:
        check(PEM_write_bio_Parameters(bio, parameters.key))
        return written(bio).encode()
    finally:
        BIO_free(bio)


def load_dh_params_pem(Context context not None, bytes content not None):
    """The same as load_dh_params() for PEM text. Since 0.1. OpenSSL: SSL_set0_tmp_dh_pkey(3)"""
    use_dh_params(context, content, None)


cdef int put_dh_params(Context _, Settings settings, object loaded) except -1:
    settings.dh_params = loaded
    return 0
