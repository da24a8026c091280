"""Locations: what a Context trusts, and where that is loaded from.

A context that loads something has a trust of its own from then on: what other contexts share with it stays as it is.
"""

cimport cython

from wiretight._core.base.errors cimport forget_errors
from wiretight._core.base.files cimport path_of
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.context.context cimport check_not_frozen, renew_settings, settings_of, update_settings
from wiretight._core.context.reloading cimport present_settings
from wiretight._core.context.settings cimport Settings, Trust, TrustSource, trust_of
from wiretight._core.openssl.x509 cimport (
    X509_LU_CRL, X509_LU_X509, X509_OBJECT, X509_OBJECT_get0_X509, X509_OBJECT_get_type, X509_STORE,
    X509_STORE_get0_objects, X509_STORE_lock, X509_STORE_unlock, X509_V_FLAG_CRL_CHECK, X509_check_ca,
    sk_X509_OBJECT_num, sk_X509_OBJECT_value, stack_st_X509_OBJECT,
)
from wiretight._core.trust.addition cimport Addition, of_crl_file, of_data, of_directory, of_file
from wiretight._core.trust.truststore cimport (
    TrustStore, certificates_of, complete, default_trust, grown, store_with,
)
from wiretight._core.x509.certificate cimport Certificate, decoded, der


# --- loading ---------------------------------------------------------------------------------------------------------
cdef int load_verify_locations(Context context, object cafile, object capath, object cadata) except -1:
    """OpenSSL: X509_STORE_add_cert(3), X509_STORE_load_path(3)"""
    cdef list additions = []
    cdef bytes directory = None
    if cafile is None and capath is None and cadata is None:
        raise TypeError("cafile, capath and cadata cannot be all omitted")
    if cafile is not None:
        path_of(cafile, "cafile")
    if capath is not None:
        directory = path_of(capath, "capath")
    check_not_frozen(context)
    forget_errors()
    if cadata is not None:
        additions.append(of_data(cadata, None, None))
    if cafile is not None:
        additions.insert(0, of_file(cafile, "cafile"))
    if directory is not None:
        additions.append(of_directory(directory))
    return update_settings(context, put_more_trust, (tuple(additions), False))


cdef int set_default_verify_paths(Context context) except -1:
    return update_settings(context, put_more_trust, ((default_trust(),), False))


cdef int put_more_trust(Context _, Settings settings, object more) except -1:
    additions, checks_crls = more
    return put_own_trust(settings, grown(trusted_by(settings), additions, checks_crls, NULL))


cdef int put_own_trust(Settings settings, Trust trust) except -1:
    if trust is not settings.trust or not settings.owns_trust_store:
        settings.trust = trust
        settings.trust_store = None
        settings.owns_trust_store = False
    return 0


def load_again(Context context not None, list loads not None, bint checks_crls, /):
    """Loads what another context had, by its loads_of().

    Raises OSError if a file cannot be read here, SSLError if it is broken. Since 0.1.
    """
    cdef list additions = []
    for load in loads:
        additions.append(addition_again(load))
    update_settings(context, put_more_trust, (tuple(additions), checks_crls))


cdef Addition addition_again(object load):
    kind, what, crls = load
    if kind == "default":
        return default_trust()
    if kind == "file":
        return of_file(what, "cafile")
    if kind == "crl_file":
        return of_crl_file(what)
    if kind == "directory":
        return of_directory(path_of(what, "capath"))
    if kind == "memory":
        return of_data(what, crls, "data")
    raise ValueError(f"this version of wiretight cannot load trust from {kind!r}")


cdef int load_crls(Context context, object path, object data) except -1:
    """OpenSSL: X509_STORE_add_crl(3)"""
    cdef list additions = []
    cdef Revocations revocations = Revocations.__new__(Revocations)
    if path is None and data is None:
        raise TypeError("path and data cannot be both omitted")
    if path is not None:
        path_of(path, "path")
    check_not_frozen(context)
    if path is not None:
        additions.append(of_crl_file(path))
    if data is not None:
        additions.append(of_data(None, data, "data"))
    revocations.additions = tuple(additions)
    update_settings(context, put_crls, revocations)
    return revocations.added


@cython.final
cdef class Revocations:
    """What a call of load_crls() adds, and how much of it was new in the end."""
    cdef tuple additions
    cdef int added


cdef int put_crls(Context _, Settings settings, object value) except -1:
    """A CRL that is not looked at would revoke nothing, in this context and in one that gets its store."""
    cdef Revocations revocations = value
    put_own_trust(settings, grown(trusted_by(settings), revocations.additions, True, &revocations.added))
    settings.values.verify_flags |= X509_V_FLAG_CRL_CHECK
    return 0


cdef Trust trusted_by(Settings settings):
    return settings.trust if settings.trust_store is None else trust_of(settings.trust_store)


# --- the trust store -------------------------------------------------------------------------------------------------
cdef object trust_store(Context context):
    """The one that it was given; a context without has one made, the first time that somebody asks."""
    cdef TrustSource store = settings_of(context).trust_store
    while store is None:        # or again, if another thread loads something
        renew_settings(context, put_own_store, None)     # which changes nothing: a frozen context has one, too
        store = settings_of(context).trust_store
    return store


cdef int put_own_store(Context _, Settings settings, object unused) except -1:
    if settings.trust_store is None:
        settings.trust_store = store_with(settings.trust, settings.frozen)
        settings.owns_trust_store = True
    return 0


cdef int set_trust_store(Context context, object store) except -1:
    if not isinstance(store, TrustStore):
        raise TypeError(f"trust_store must be a TrustStore, not {type(store).__name__}")
    return update_settings(context, put_trust_store, store)


cdef int put_trust_store(Context _, Settings settings, object store) except -1:
    settings.owns_trust_store = False   # also if it had made this one: now it was given it
    if settings.trust_store is not store:
        settings.trust_store = store
        settings.trust = trust_of(store)
    return 0


# --- what is there ---------------------------------------------------------------------------------------------------
cdef dict cert_store_stats(Context context):
    """OpenSSL: X509_STORE_get0_objects(3)"""
    cdef Trust trust = present_settings(context).trust
    cdef X509_STORE *store = trust.store
    cdef stack_st_X509_OBJECT *objects
    cdef X509_OBJECT *entry
    cdef int i, x509 = 0, crl = 0, ca = 0
    complete(trust)
    with nogil:
        wt_gate_enter(store)
        X509_STORE_lock(store)
        objects = X509_STORE_get0_objects(store)
        for i in range(sk_X509_OBJECT_num(objects)):
            entry = sk_X509_OBJECT_value(objects, i)
            if X509_OBJECT_get_type(entry) == X509_LU_X509:
                x509 += 1
                ca += X509_check_ca(X509_OBJECT_get0_X509(entry)) != 0
            elif X509_OBJECT_get_type(entry) == X509_LU_CRL:
                crl += 1
        X509_STORE_unlock(store)
        wt_gate_leave(store)
    forget_errors()
    return {"x509": x509, "crl": crl, "x509_ca": ca}


cdef list get_ca_certs(Context context, bint binary_form):
    """OpenSSL: X509_check_ca(3)"""
    cdef Certificate certificate
    cdef list found = []
    for certificate in certificates_of(present_settings(context).trust):
        if X509_check_ca(certificate.x509):
            found.append(der(certificate.x509) if binary_form else decoded(certificate.x509))
    return found
