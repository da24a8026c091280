"""Algorithms: the ciphers, groups and signature algorithms that a Context negotiates."""

from cython cimport critical_section

from wiretight._core.base.errors cimport forget_errors, raise_queue, ssl_error
from wiretight._core.base.files cimport path_of
from wiretight._core.base.text cimport c_string
from wiretight._core.context.ciphers cimport described
from wiretight._core.context.context cimport settings_of, trial, update_settings
from wiretight._core.openssl.asn1 cimport NID_undef, OBJ_sn2nid
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.ssl cimport (
    SSL_CIPHER_get_name, SSL_CTX, SSL_CTX_get_ciphers, SSL_free, SSL_get_cipher_list_stack, SSL_get_security_level,
    SSL_set1_client_sigalgs_list, SSL_set1_groups_list, SSL_set1_sigalgs_list, SSL_set_cipher_list,
    SSL_set_ciphersuites, sk_SSL_CIPHER_dup, sk_SSL_CIPHER_free, sk_SSL_CIPHER_num, sk_SSL_CIPHER_value,
    stack_st_SSL_CIPHER,
)

from wiretight._core.base.tables import FEATURES
from wiretight._standard.errors import SSLError

cdef extern from "compat.h" nogil:
    ctypedef struct wt_names:
        pass
    wt_names *wt_implemented_groups(SSL_CTX *ctx, bint aliases)     # NULL is an error
    int wt_names_count(wt_names *names)
    const char *wt_names_value(wt_names *names, int i)
    void wt_names_free(wt_names *names)
    char *wt_builtin_sigalgs()                                      # joined by colons; to be freed; NULL is an error


# --- ciphers ---------------------------------------------------------------------------------------------------------
cdef int set_ciphers(Context context, str ciphers) except -1:
    """OpenSSL: SSL_CTX_set_cipher_list(3)"""
    return update_settings(context, put_ciphers, c_string(ciphers))


cdef int put_ciphers(Context context, Settings settings, object ciphers) except -1:
    """OpenSSL: SSL_set_cipher_list(3)"""
    # It may set a security level ("@SECLEVEL=1"), which a later list without one keeps.
    cdef SSL *ssl = trial(context, settings)
    try:
        if not SSL_set_cipher_list(ssl, <bytes>ciphers):
            forget_errors()
            raise SSLError("No cipher can be selected.")
        settings.values.security_level = SSL_get_security_level(ssl)
    finally:
        SSL_free(ssl)
    settings.ciphers = ciphers
    return 0


cdef int set_ciphersuites(Context context, str ciphersuites) except -1:
    """OpenSSL: SSL_CTX_set_ciphersuites(3)"""
    cdef bytes names = c_string(ciphersuites)
    if not is_accepted(context, CIPHERSUITES, names):
        forget_errors()
        raise ssl_error(0, 0, "No cipher suite can be selected.")
    return update_settings(context, put_ciphersuites, names)


cdef int put_ciphersuites(Context _, Settings settings, object names) except -1:
    settings.ciphersuites = names
    return 0


cdef bint is_accepted(Context context, Names which, bytes names) except -1:
    """OpenSSL: SSL_set_ciphersuites(3), SSL_set1_groups_list(3), SSL_set1_sigalgs_list(3)"""
    cdef SSL *ssl = trial(context, settings_of(context))
    cdef bint accepted
    if which == CIPHERSUITES:
        with critical_section(context):     # it copies the SSL_CTX's list, which make_sealed() replaces
            accepted = SSL_set_ciphersuites(ssl, names)
    elif which == CIPHERS:
        accepted = SSL_set_cipher_list(ssl, names)
    elif which == GROUPS:
        accepted = SSL_set1_groups_list(ssl, names)
    elif which == CLIENT_SIGALGS:
        accepted = SSL_set1_client_sigalgs_list(ssl, names)
    else:
        accepted = SSL_set1_sigalgs_list(ssl, names)
    SSL_free(ssl)
    return accepted


cdef list get_ciphers(Context context):
    """OpenSSL: SSL_get_ciphers(3)"""
    cdef SSL *ssl = trial(context, settings_of(context))
    cdef stack_st_SSL_CIPHER *ciphers
    with critical_section(context):     # it may be the SSL_CTX's list, which make_sealed() replaces
        ciphers = sk_SSL_CIPHER_dup(SSL_get_cipher_list_stack(ssl))
    SSL_free(ssl)
    if ciphers == NULL:
        raise_queue()
    try:
        return described(ciphers)
    finally:
        sk_SSL_CIPHER_free(ciphers)


cdef tuple ciphers_of(Context context, Settings settings):
    """(ciphers, cipher suites of TLS 1.3) of a sealed context, in full, for an SSL with others of its own.

    OpenSSL: SSL_CTX_get_ciphers(3)
    """
    ciphers, suites = names_of(SSL_CTX_get_ciphers(context.ctx))
    return (
        ciphers if settings.ciphers is context.sealed.ciphers else settings.ciphers,
        suites if settings.ciphersuites is context.sealed.ciphersuites else settings.ciphersuites,
    )


cdef tuple names_of(stack_st_SSL_CIPHER *ciphers):
    """(ciphers, cipher suites of TLS 1.3), each in OpenSSL's list format."""
    cdef int i
    cdef bytes name
    cdef list older = []
    cdef list suites = []
    for i in range(sk_SSL_CIPHER_num(ciphers)):
        name = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, i))
        (suites if name.startswith(b"TLS_") else older).append(name)
    return b":".join(older), b":".join(suites)


# --- groups ----------------------------------------------------------------------------------------------------------
cdef int set_ecdh_curve(Context context, object name) except -1:
    """OpenSSL: SSL_CTX_set1_groups(3)"""
    cdef bytes encoded = path_of(name, None)    # `ssl` takes it as it takes paths
    cdef int nid = OBJ_sn2nid(encoded)
    if nid == NID_undef:
        raise ValueError(f"unknown elliptic curve name {name!r}")
    if not is_accepted(context, GROUPS, encoded):
        raise_queue()
    return update_settings(context, put_groups, encoded)


cdef int set_groups(Context context, str groups) except -1:
    """OpenSSL: SSL_CTX_set1_groups_list(3)"""
    cdef bytes names = c_string(groups)
    if not is_accepted(context, GROUPS, names):
        forget_errors()
        raise ssl_error(0, 0, "unrecognized group")
    return update_settings(context, put_groups, names)


cdef int put_groups(Context _, Settings settings, object names) except -1:
    settings.groups = names
    return 0


cdef list get_groups(Context context, bint include_aliases):
    """OpenSSL: SSL_CTX_get0_implemented_groups(3)"""
    cdef wt_names *names
    cdef list found = []
    cdef int i
    need("HAS_IMPLEMENTED_GROUPS", "listing the groups", "3.5")
    forget_errors()
    with critical_section(context):     # until the first connection, a policy may replace the SSL_CTX
        names = wt_implemented_groups(context.ctx, include_aliases)
    if names == NULL:
        raise_queue()
    try:
        for i in range(wt_names_count(names)):
            found.append(wt_names_value(names, i).decode("ascii"))
        return found
    finally:
        wt_names_free(names)


# --- signature algorithms --------------------------------------------------------------------------------------------
cdef int set_client_sigalgs(Context context, str sigalgs) except -1:
    """OpenSSL: SSL_CTX_set1_client_sigalgs_list(3)"""
    return update_settings(context, put_client_sigalgs, checked_sigalgs(context, CLIENT_SIGALGS, sigalgs))


cdef int put_client_sigalgs(Context _, Settings settings, object names) except -1:
    settings.client_sigalgs = names
    return 0


cdef int set_server_sigalgs(Context context, str sigalgs) except -1:
    """OpenSSL: SSL_CTX_set1_sigalgs_list(3)"""
    return update_settings(context, put_server_sigalgs, checked_sigalgs(context, SERVER_SIGALGS, sigalgs))


cdef int put_server_sigalgs(Context _, Settings settings, object names) except -1:
    settings.server_sigalgs = names
    return 0


cdef bytes checked_sigalgs(Context context, Names which, str sigalgs):
    cdef bytes names = c_string(sigalgs)
    if not is_accepted(context, which, names):
        forget_errors()
        raise ssl_error(0, 0, "unrecognized signature algorithm")
    return names


def get_sigalgs():
    """The signature algorithms that this OpenSSL supports, by name, for set_client_sigalgs() and set_server_sigalgs().

    Raises NotImplementedError on an OpenSSL older than 3.4. Since 0.1. Source: RFC 8446, section 4.2.3.

    OpenSSL: SSL_get1_builtin_sigalgs(3)
    """
    cdef char *joined
    need("HAS_BUILTIN_SIGALGS", "listing the signature algorithms", "3.4")
    forget_errors()
    joined = wt_builtin_sigalgs()
    if joined == NULL:
        raise_queue()
    try:
        return (<bytes>joined).decode("ascii").split(":")
    finally:
        OPENSSL_free(joined)


cdef int need(str feature, str what, str version) except -1:
    if not FEATURES[feature]:
        raise NotImplementedError(f"{what} needs OpenSSL {version} or newer: build wiretight with one")
    return 0
