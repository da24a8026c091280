"""Algorithms: the ciphers, groups and signature algorithms that a Context negotiates."""

from wiretight._core.base.errors cimport raise_queue, ssl_error
from wiretight._core.context.ciphers cimport described
from wiretight._core.context.context cimport c_string, publish, settings_of, trial
from wiretight._core.openssl.asn1 cimport NID_undef, OBJ_sn2nid
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.err cimport ERR_clear_error
from wiretight._core.openssl.ssl cimport (
    SSL_CIPHER_get_name, SSL_CTX, SSL_CTX_get_ciphers, SSL_free, SSL_get_cipher_list_stack, SSL_get_security_level,
    SSL_set1_client_sigalgs_list, SSL_set1_groups_list, SSL_set1_sigalgs_list, SSL_set_cipher_list,
    SSL_set_ciphersuites, sk_SSL_CIPHER_num, sk_SSL_CIPHER_value, stack_st_SSL_CIPHER,
)

from wiretight._standard.system import os

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
    cdef bytes wanted = c_string(ciphers)
    cdef Settings before, changed
    cdef SSL *ssl
    while True:
        before = settings_of(context)
        changed = before.copy()
        # It may name a security level ("@SECLEVEL=1"), which stays after a later one that names none.
        ssl = trial(context, before)
        try:
            if not SSL_set_cipher_list(ssl, wanted):
                ERR_clear_error()
                raise SSLError("No cipher can be selected.")
            changed.values.security_level = SSL_get_security_level(ssl)
        finally:
            SSL_free(ssl)
        changed.ciphers = wanted
        if publish(context, before, changed):
            return 0


# The settings that are lists of names.
cdef enum Names:
    CIPHERSUITES
    GROUPS
    CLIENT_SIGALGS
    SERVER_SIGALGS


cdef bint set_names(Context context, Names which, bytes names) except -1:
    """Whether OpenSSL takes them.

    OpenSSL: SSL_set_ciphersuites(3), SSL_set1_groups_list(3), SSL_set1_sigalgs_list(3)
    """
    cdef Settings before, changed
    cdef bint taken
    cdef SSL *ssl
    while True:
        before = settings_of(context)
        changed = before.copy()
        ssl = trial(context, before)
        if which == CIPHERSUITES:
            taken = SSL_set_ciphersuites(ssl, names)
            changed.ciphersuites = names
        elif which == GROUPS:
            taken = SSL_set1_groups_list(ssl, names)
            changed.groups = names
        elif which == CLIENT_SIGALGS:
            taken = SSL_set1_client_sigalgs_list(ssl, names)
            changed.client_sigalgs = names
        else:
            taken = SSL_set1_sigalgs_list(ssl, names)
            changed.server_sigalgs = names
        SSL_free(ssl)
        if not taken or publish(context, before, changed):
            return taken


cdef int set_ciphersuites(Context context, str ciphersuites) except -1:
    """OpenSSL: SSL_CTX_set_ciphersuites(3)"""
    if not set_names(context, CIPHERSUITES, c_string(ciphersuites)):
        ERR_clear_error()
        raise ssl_error(0, 0, "No cipher suite can be selected.")
    return 0


cdef list get_ciphers(Context context):
    """OpenSSL: SSL_get_ciphers(3)"""
    cdef SSL *ssl = trial(context, settings_of(context))
    try:
        return described(SSL_get_cipher_list_stack(ssl))
    finally:
        SSL_free(ssl)


cdef tuple ciphers_of(Context context, Settings settings):
    """(ciphers, cipher suites of TLS 1.3) of a sealed context, in full, for an SSL that has others of its own.

    OpenSSL: SSL_CTX_get_ciphers(3)
    """
    ciphers, suites = names_of(SSL_CTX_get_ciphers(context.ctx))
    return (
        ciphers if settings.ciphers is context.sealed.ciphers else settings.ciphers,
        suites if settings.ciphersuites is context.sealed.ciphersuites else settings.ciphersuites,
    )


cdef tuple names_of(stack_st_SSL_CIPHER *ciphers):
    """(ciphers, cipher suites of TLS 1.3), each as OpenSSL takes them."""
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
    cdef bytes encoded = os.fsencode(name)
    if b"\0" in encoded:
        raise ValueError("embedded null byte")
    cdef int nid = OBJ_sn2nid(encoded)
    if nid == NID_undef:
        raise ValueError(f"unknown elliptic curve name {name!r}")
    if not set_names(context, GROUPS, encoded):
        raise_queue()
    return 0


cdef int set_groups(Context context, str groups) except -1:
    """OpenSSL: SSL_CTX_set1_groups_list(3)"""
    if not set_names(context, GROUPS, c_string(groups)):
        ERR_clear_error()
        raise ssl_error(0, 0, "unrecognized group")
    return 0


cdef list get_groups(Context context, bint include_aliases):
    """OpenSSL: SSL_CTX_get0_implemented_groups(3)"""
    cdef wt_names *names
    cdef list found = []
    cdef int i
    need("HAS_IMPLEMENTED_GROUPS", "listing the groups", "3.5")
    ERR_clear_error()
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
    if not set_names(context, CLIENT_SIGALGS, c_string(sigalgs)):
        refuse_sigalgs()
    return 0


cdef int set_server_sigalgs(Context context, str sigalgs) except -1:
    """OpenSSL: SSL_CTX_set1_sigalgs_list(3)"""
    if not set_names(context, SERVER_SIGALGS, c_string(sigalgs)):
        refuse_sigalgs()
    return 0


cdef int refuse_sigalgs() except -1:
    ERR_clear_error()
    raise ssl_error(0, 0, "unrecognized signature algorithm")


def get_sigalgs():
    """The names of the signature algorithms that this OpenSSL knows, for set_client_sigalgs() and set_server_sigalgs().

    Raises NotImplementedError on an OpenSSL older than 3.4. Since 0.1. Source: RFC 8446, section 4.2.3.

    OpenSSL: SSL_get1_builtin_sigalgs(3)
    """
    cdef char *joined
    need("HAS_BUILTIN_SIGALGS", "listing the signature algorithms", "3.4")
    ERR_clear_error()
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
