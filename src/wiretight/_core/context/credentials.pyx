"""Credentials: the certificate chain, private key and DH parameters that a Context proves itself with.

Everything is read and tried out before the settings change: a load that fails leaves the previous chain in use, and a
password callback may use the context.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy

from wiretight._core.base.errors cimport check, queue_cause, raise_queue, ssl_error
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.context.context cimport settings_of, trial, update_settings
from wiretight._core.context.settings cimport Credential, Parameters, Settings
from wiretight._core.openssl.bio cimport BIO, BIO_free
from wiretight._core.openssl.err cimport (
    ERR_GET_LIB, ERR_GET_REASON, ERR_LIB_PEM, ERR_LIB_SSL, ERR_PACK, ERR_R_PEM_LIB, ERR_clear_error,
    ERR_peek_last_error,
)
from wiretight._core.openssl.evp cimport (
    EVP_PKEY, EVP_PKEY_free, EVP_PKEY_get0_type_name, EVP_PKEY_is_a, EVP_PKEY_up_ref,
)
from wiretight._core.openssl.pem cimport (
    PEM_R_NO_START_LINE, PEM_read_bio_Parameters, PEM_read_bio_PrivateKey, PEM_read_bio_X509, PEM_read_bio_X509_AUX,
)
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_add1_chain_cert, SSL_free, SSL_set0_tmp_dh_pkey, SSL_use_cert_and_key, SSL_use_certificate,
)
from wiretight._core.openssl.x509 cimport (
    X509, X509_check_private_key, X509_free, sk_X509_new_null, sk_X509_num, sk_X509_pop_free, sk_X509_push,
    sk_X509_shift, sk_X509_value, stack_st_X509,
)
from wiretight._core.x509.certificate cimport file_content, no_password, reading


cdef class Password:
    """The password of an encrypted key: text, or a callable that is asked only if the key needs it."""
    cdef object source
    cdef object error       # what stood in the way of giving it
    cdef bint lacking       # it was needed, and there is none

    def __cinit__(self, source):
        if source is not None and not callable(source) and not isinstance(source, (str, bytes, bytearray)):
            raise TypeError("password should be a string or callable")
        self.source = source


cdef int give_password(char *room, int size, int writing, void *password) noexcept nogil:
    """Called inside the gate, which nobody who waits for the GIL may be in.

    OpenSSL: pem_password_cb(3)
    """
    cdef int length
    wt_gate_leave(password)
    length = ask_password(room, size, password)
    wt_gate_enter(password)
    return length


cdef int ask_password(char *room, int size, void *password) noexcept with gil:
    cdef Password asked = <Password>password
    cdef bytes secret
    if asked.source is None:
        asked.lacking = True
        return -1
    try:
        given = asked.source() if callable(asked.source) else asked.source
        if isinstance(given, str):
            given = given.encode()
        elif not isinstance(given, (bytes, bytearray)):
            raise TypeError("password callback must return a string")
        secret = bytes(given)
        if PyBytes_GET_SIZE(secret) > size:
            raise ValueError(f"password cannot be longer than {size} bytes")
        memcpy(room, PyBytes_AS_STRING(secret), PyBytes_GET_SIZE(secret))
        return <int>PyBytes_GET_SIZE(secret)
    except BaseException as error:
        asked.error = error
        return -1


cdef int load_cert_chain(Context context, object certfile, object keyfile, object password) except -1:
    """OpenSSL: SSL_use_cert_and_key(3)"""
    cdef Password asked = Password(password)
    cdef Credential loaded = Credential.__new__(Credential)
    cdef bytes content = file_content(certfile, "certfile")
    ERR_clear_error()
    loaded.chain = read_chain(content, asked, certfile)
    loaded.leaf = sk_X509_shift(loaded.chain)
    check_strength(context, loaded)     # before the key is looked for, as `ssl` does
    if keyfile is not None:
        content = file_content(keyfile, "keyfile")
    loaded.key = read_key(content, asked, certfile if keyfile is None else keyfile)
    check(X509_check_private_key(loaded.leaf, loaded.key))
    if sk_X509_num(loaded.chain) == 0:
        # An empty chain would say "send the leaf alone"; without one, OpenSSL completes it from the trusted
        # certificates.
        sk_X509_pop_free(loaded.chain, X509_free)
        loaded.chain = NULL
    try_out(context, loaded)
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


cdef int try_out(Context context, Credential loaded) except -1:
    """OpenSSL: SSL_use_cert_and_key(3)"""
    cdef SSL *ssl = trial(context, settings_of(context))
    try:
        check(SSL_use_cert_and_key(ssl, loaded.leaf, loaded.key, loaded.chain, 1))
    finally:
        SSL_free(ssl)
    return 0


cdef int put_credential(Context _, Settings settings, object loaded) except -1:
    """In the place of the one with the same kind of key: OpenSSL has one of each.

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


cdef stack_st_X509 *read_chain(bytes content, Password password, object path) except NULL:
    """The certificates of a PEM file in its order, one at least.

    OpenSSL: PEM_read_bio_X509_AUX(3)
    """
    cdef stack_st_X509 *chain = sk_X509_new_null()
    cdef BIO *bio = NULL
    cdef X509 *x509
    cdef bint kept = chain != NULL
    cdef bint complete = False
    try:
        bio = reading(content, len(content))
        with nogil:
            wt_gate_enter(<void *>password)
            # Only the first may carry trust settings, and ask for a password.
            x509 = PEM_read_bio_X509_AUX(bio, NULL, give_password, <void *>password)
            while x509 != NULL:
                kept = sk_X509_push(chain, x509) > 0
                if not kept:
                    X509_free(x509)
                    break
                x509 = PEM_read_bio_X509(bio, NULL, no_password, NULL)
            wt_gate_leave(<void *>password)
        raise_given(password)
        if not kept:
            raise MemoryError
        if sk_X509_num(chain) == 0:
            raise_unreadable("certificate", path, password)
        if not at_end_of_pem():
            raise_queue()
        ERR_clear_error()
        complete = True
    finally:
        BIO_free(bio)
        if not complete:
            sk_X509_pop_free(chain, X509_free)
    return chain


cdef EVP_PKEY *read_key(bytes content, Password password, object path) except NULL:
    """The first private key of a PEM file.

    OpenSSL: PEM_read_bio_PrivateKey(3)
    """
    cdef BIO *bio = reading(content, len(content))
    cdef EVP_PKEY *key
    with nogil:
        wt_gate_enter(<void *>password)
        key = PEM_read_bio_PrivateKey(bio, NULL, give_password, <void *>password)
        wt_gate_leave(<void *>password)
        BIO_free(bio)
    if key == NULL:
        raise_given(password)
        raise_unreadable("private key", path, password)
    return key


cdef int raise_given(Password password) except -1:
    if password.error is not None:
        ERR_clear_error()
        raise password.error
    return 0


cdef int raise_unreadable(str wanted, object path, Password password) except -1:
    """`ssl` has one error for a file without the thing, with a broken one, and with a wrong password: [SSL] PEM lib.

    OpenSSL's own word on it becomes the cause.
    """
    cause = queue_cause()
    reason = ": it is encrypted, and no password was given" if password.lacking else ""
    raise ssl_error(
        ERR_R_PEM_LIB, ERR_PACK(ERR_LIB_SSL, 0, ERR_R_PEM_LIB),
        f"PEM lib: no {wanted} could be read from {path!r}{reason}"
    ) from cause


cdef bint at_end_of_pem() noexcept:
    cdef unsigned long code = ERR_peek_last_error()
    return ERR_GET_LIB(code) == ERR_LIB_PEM and ERR_GET_REASON(code) == PEM_R_NO_START_LINE


# --- Diffie-Hellman parameters ---------------------------------------------------------------------------------------
cdef tuple DH_BLOCKS = (b"-----BEGIN DH PARAMETERS-----", b"-----BEGIN X9.42 DH PARAMETERS-----")


cdef int load_dh_params(Context context, object path) except -1:
    """OpenSSL: PEM_read_bio_Parameters(3), SSL_set0_tmp_dh_pkey(3)"""
    cdef bytes content = file_content(path, None)
    cdef Parameters loaded = Parameters.__new__(Parameters)
    cdef BIO *bio
    cdef SSL *ssl
    ERR_clear_error()
    # OpenSSL would take the first parameters of any kind, or give up at a certificate.
    content = content[first_line_of(content, DH_BLOCKS):]
    bio = reading(content, len(content))
    with nogil:
        wt_gate_enter(bio)
        loaded.key = PEM_read_bio_Parameters(bio, NULL)
        wt_gate_leave(bio)
        BIO_free(bio)
    if loaded.key == NULL or not (EVP_PKEY_is_a(loaded.key, "DH") or EVP_PKEY_is_a(loaded.key, "DHX")):
        raise ssl_error(
            PEM_R_NO_START_LINE, ERR_PACK(ERR_LIB_PEM, 0, PEM_R_NO_START_LINE),
            f"no start line: no Diffie-Hellman parameters could be read from {path!r}",
        ) from queue_cause()
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


cdef Py_ssize_t first_line_of(bytes content, tuple lines):
    """Where the first of these lines begins; behind the end without one."""
    cdef Py_ssize_t at = 0
    while at < len(content):
        if content.startswith(lines, at):
            return at
        at = content.find(b"\n", at) + 1 or len(content)
    return at
