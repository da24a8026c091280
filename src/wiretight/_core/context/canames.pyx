"""CA names: the issuers of certificates that one end names to the other (RFC 8446, 4.2.4)."""

cimport cython

from wiretight._core.base.errors cimport forget_errors
from wiretight._core.context.context cimport Context, settings_of, update_settings
from wiretight._core.context.settings cimport Hook, Settings
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_dup_CA_list, SSL_set0_CA_list, sk_X509_NAME_new_null, sk_X509_NAME_num, sk_X509_NAME_pop_free,
    sk_X509_NAME_push, sk_X509_NAME_value,
)
from wiretight._core.openssl.x509 cimport X509_NAME, X509_NAME_free, X509_get_subject_name, d2i_X509_NAME, i2d_X509_NAME
from wiretight._core.x509.certificate cimport Certificate

cdef enum:
    # RFC 8446, 4.2.4, less what else a CertificateRequest of OpenSSL says in the same list of extensions.
    MOST = 65535 - 1024
    LENGTH = 2


@cython.final
cdef class CANames(Hook):
    """Names each connection gets a copy of."""
    cdef stack_st_X509_NAME *names

    def __dealloc__(self):
        sk_X509_NAME_pop_free(self.names, X509_NAME_free)

    cdef bint apply(self, SSL *ssl, bint server_side) noexcept:
        """OpenSSL: SSL_set0_CA_list(3)"""
        cdef stack_st_X509_NAME *names = SSL_dup_CA_list(self.names)
        if names == NULL:
            return False
        SSL_set0_CA_list(ssl, names)
        return True


def set_ca_names(Context context not None, list names not None, /):
    """Has later connections name these, each the DER of a distinguished name.

    Raises ValueError for what is none, and for more than TLS has room for. Since 0.1.

    OpenSSL: SSL_set0_CA_list(3), d2i_X509_NAME(3)
    """
    cdef CANames hook = CANames.__new__(CANames)
    cdef size_t size = 0
    hook.names = sk_X509_NAME_new_null()
    if hook.names == NULL:
        raise MemoryError
    for name in names:
        add(hook.names, name)
        size += LENGTH + len(name)
    if size > MOST:
        raise ValueError(f"the CA names have {size} bytes, and TLS has room for {MOST}: name fewer")
    update_settings(context, put_ca_names, (tuple(names), hook))


cdef int add(stack_st_X509_NAME *names, bytes der) except -1:
    """OpenSSL: d2i_X509_NAME(3)"""
    cdef const unsigned char *start = der
    cdef const unsigned char *end = start
    cdef X509_NAME *name = d2i_X509_NAME(NULL, &end, len(der))
    forget_errors()
    if name == NULL or end != start + len(der):
        X509_NAME_free(name)
        raise ValueError(f"this is not the DER of a distinguished name: {der[:16].hex()}")
    if not sk_X509_NAME_push(names, name):
        X509_NAME_free(name)
        raise MemoryError
    return 0


cdef int put_ca_names(Context _, Settings settings, object given) except -1:
    names, hook = given
    if settings.kept.get("ca_names", ()) == names:
        return 0
    for former in settings.hooks:
        if isinstance(former, CANames):
            settings.hook(former, False)
    settings.hook(hook, len(names) > 0)
    return settings.keep("ca_names", names or None)


def ca_names(Context context not None, /):
    """Them, each as DER. Since 0.1."""
    return settings_of(context).kept.get("ca_names", ())


def subject_der(Certificate certificate not None, /):
    """The subject of a certificate, as DER. Since 0.1. OpenSSL: X509_get_subject_name(3)"""
    return encoded(X509_get_subject_name(certificate.x509))


cdef list encoded_names(const stack_st_X509_NAME *names):
    """OpenSSL: i2d_X509_NAME(3)"""
    cdef list ders = []
    cdef int i
    for i in range(sk_X509_NAME_num(names)):
        ders.append(encoded(sk_X509_NAME_value(names, i)))
    return ders


cdef bytes encoded(const X509_NAME *name):
    cdef unsigned char *der = NULL
    cdef int size = i2d_X509_NAME(name, &der)
    if size < 0:
        raise MemoryError
    try:
        return der[:size]
    finally:
        OPENSSL_free(der)
