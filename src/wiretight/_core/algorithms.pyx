"""Algorithms: the ciphers, groups and signature algorithms that a Context negotiates."""

from wiretight._core.ciphers cimport described
from wiretight._core.context cimport c_string, configured
from wiretight._core.errors cimport check, raise_queue, ssl_error
from wiretight._core.openssl.asn1 cimport NID_undef, OBJ_sn2nid
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.err cimport ERR_clear_error
from wiretight._core.openssl.ssl cimport (
    SSL_CIPHER_get_name, SSL_CTX, SSL_CTX_get_ciphers, SSL_CTX_set1_client_sigalgs_list, SSL_CTX_set1_groups,
    SSL_CTX_set1_groups_list, SSL_CTX_set1_sigalgs_list, SSL_CTX_set_cipher_list, SSL_CTX_set_ciphersuites, SSL_free,
    SSL_get_cipher_list_stack, SSL_set_cipher_list, SSL_set_ciphersuites, sk_SSL_CIPHER_num, sk_SSL_CIPHER_value,
    stack_st_SSL_CIPHER,
)

import os

from wiretight._core.tables import FEATURES
from wiretight._errors import SSLError

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
    ERR_clear_error()
    # A list that selects no cipher would still replace the present one: it is tried out first.
    cdef SSL *trial = configured(context)
    try:
        if not SSL_set_cipher_list(trial, wanted):
            ERR_clear_error()
            raise SSLError("No cipher can be selected.")
    finally:
        SSL_free(trial)
    if context._in_use:
        context._later_ciphers = wanted
    else:
        check(SSL_CTX_set_cipher_list(context.ctx, wanted))
    return 0


cdef int set_ciphersuites(Context context, str ciphersuites) except -1:
    """OpenSSL: SSL_CTX_set_ciphersuites(3)"""
    cdef bytes wanted = c_string(ciphersuites)
    ERR_clear_error()
    cdef SSL *trial = configured(context)
    try:
        if not SSL_set_ciphersuites(trial, wanted):
            ERR_clear_error()
            raise ssl_error(0, 0, "No cipher suite can be selected.")
    finally:
        SSL_free(trial)
    if context._in_use:
        context._later_ciphersuites = wanted
    else:
        check(SSL_CTX_set_ciphersuites(context.ctx, wanted))
    return 0


cdef list get_ciphers(Context context):
    """OpenSSL: SSL_get_ciphers(3)"""
    cdef SSL *trial = configured(context)
    try:
        return described(SSL_get_cipher_list_stack(trial))
    finally:
        SSL_free(trial)


cdef int switch_ciphers(SSL *ssl, Context old, Context new) except -1:
    """Gives a connection that changed from `old` to `new` the ciphers of `new`.

    OpenSSL does so by itself, except for those that stand in no SSL_CTX (see new_connection).

    OpenSSL: SSL_set_cipher_list(3), SSL_set_ciphersuites(3)
    """
    if old._later_ciphers is old._later_ciphersuites is new._later_ciphers is new._later_ciphersuites is None:
        return 0
    earlier, earlier_suites = names_of(SSL_CTX_get_ciphers(new.ctx))
    cdef bytes ciphers = earlier if new._later_ciphers is None else new._later_ciphers
    cdef bytes suites = earlier_suites if new._later_ciphersuites is None else new._later_ciphersuites
    check(SSL_set_ciphersuites(ssl, suites))
    check(SSL_set_cipher_list(ssl, ciphers))
    return 0


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
    ERR_clear_error()
    check(SSL_CTX_set1_groups(context.ctx, &nid, 1))
    context._groups = encoded
    return 0


cdef int set_groups(Context context, str groups) except -1:
    """OpenSSL: SSL_CTX_set1_groups_list(3)"""
    cdef bytes wanted = c_string(groups)
    if not SSL_CTX_set1_groups_list(context.ctx, wanted):
        ERR_clear_error()
        raise ssl_error(0, 0, "unrecognized group")
    context._groups = wanted
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
    if not SSL_CTX_set1_client_sigalgs_list(context.ctx, c_string(sigalgs)):
        refuse_sigalgs()
    return 0


cdef int set_server_sigalgs(Context context, str sigalgs) except -1:
    """OpenSSL: SSL_CTX_set1_sigalgs_list(3)"""
    if not SSL_CTX_set1_sigalgs_list(context.ctx, c_string(sigalgs)):
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
