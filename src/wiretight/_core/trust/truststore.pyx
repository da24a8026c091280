"""The trust store of a Context: the CA certificates and CRLs that it verifies its peers with.

Everything is read and parsed first, and then a load creates another store, with the same certificates and the new ones:
a failed load adds nothing, and no other thread sees a store with half of what is loaded.
"""

cimport cython

from wiretight._core.base.errors cimport check, check_memory, raise_queue
from wiretight._core.base.files cimport absolute, path_of, working_directory
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.context.context cimport check_not_frozen, settings_of, update_settings
from wiretight._core.context.settings cimport Settings, Trust
from wiretight._core.openssl.err cimport ERR_clear_error
from wiretight._core.openssl.x509 cimport (
    X509, X509_FILETYPE_DEFAULT, X509_LOOKUP, X509_LOOKUP_METHOD, X509_LOOKUP_add_dir, X509_LOOKUP_add_store,
    X509_LOOKUP_hash_dir, X509_LOOKUP_store, X509_LU_CRL, X509_LU_X509, X509_OBJECT, X509_OBJECT_get0_X509,
    X509_OBJECT_get_type, X509_STORE, X509_STORE_add_cert, X509_STORE_add_lookup, X509_STORE_get0_objects,
    X509_STORE_get1_all_certs, X509_STORE_load_path, X509_STORE_lock, X509_STORE_new, X509_STORE_unlock,
    X509_check_ca, X509_free, X509_get_default_cert_dir, X509_get_default_cert_dir_env, X509_get_default_cert_file,
    X509_get_default_cert_file_env, sk_X509_OBJECT_num, sk_X509_OBJECT_value, sk_X509_num, sk_X509_pop_free,
    sk_X509_value, stack_st_X509, stack_st_X509_OBJECT,
)
from wiretight._core.trust.trustedfile cimport TrustedFile, add_objects, add_trusted, trusted_file
from wiretight._core.x509.certificate cimport decoded, der
from wiretight._core.x509.pem cimport parse_data

cdef extern from "compat.h" nogil:
    const char *wt_safe_getenv(const char *name)

from wiretight._core.base import tables
from wiretight._standard.system import os
from wiretight._core.trust.places import system_trust


cdef int load_verify_locations(Context context, object cafile, object capath, object cadata) except -1:
    """OpenSSL: X509_STORE_add_cert(3), X509_STORE_load_path(3)"""
    cdef Additions additions = Additions.__new__(Additions)
    if cafile is None and capath is None and cadata is None:
        raise TypeError("cafile, capath and cadata cannot be all omitted")
    if cafile is not None:
        path_of(cafile, "cafile")
        additions.path = absolute(cafile, working_directory())
    if capath is not None:
        additions.directories = (path_of(capath, "capath"),)
        additions.directory = absolute(capath, working_directory())
    check_not_frozen(context)
    ERR_clear_error()
    if cadata is not None:
        additions.certificates = parse_data(cadata)
    if cafile is not None:
        additions.file = trusted_file(cafile, "cafile")
    return update_settings(context, put_trust, additions)


cdef int set_default_verify_paths(Context context) except -1:
    """Adds what SSL_CTX_set_default_verify_paths() adds: the default file, the directory, the same as an OSSL_STORE.

    As there, a missing or broken file is no error. An OpenSSL of our own adds the places of this system, unless the
    environment names others.
    """
    cdef const char *named_file = wt_safe_getenv(X509_get_default_cert_file_env())
    cdef const char *named_directory = wt_safe_getenv(X509_get_default_cert_dir_env())
    cdef Additions additions = Additions.__new__(Additions)
    file, directory = default_places()
    try:
        additions.file = trusted_file(file if named_file == NULL else <bytes>named_file, None)
    except OSError:
        pass
    additions.are_defaults = True
    additions.directories = (directory if tables.OPENSSL_STATIC and named_directory == NULL else None,)
    return update_settings(context, put_trust, additions)


cdef tuple default_places():
    """(file, directory) of this system, which its own OpenSSL was built with and ours was not.

    OpenSSL: X509_get_default_cert_file(3)
    """
    file, directory = system_trust() if tables.OPENSSL_STATIC else (None, None)
    return (
        <bytes>X509_get_default_cert_file() if file is None else os.fsencode(file),
        <bytes>X509_get_default_cert_dir() if directory is None else os.fsencode(directory),
    )


def default_verify_paths():
    """(variable, file, variable, directory): where OpenSSL looks for CA certificates, and what overrides it.

    Since 0.1. Source: `ssl.get_default_verify_paths` of the standard library.

    OpenSSL: X509_get_default_cert_file(3)
    """
    file, directory = default_places()
    return (
        os.fsdecode(X509_get_default_cert_file_env()),
        os.fsdecode(file),
        os.fsdecode(X509_get_default_cert_dir_env()),
        os.fsdecode(directory),
    )


cdef dict cert_store_stats(Context context):
    """OpenSSL: X509_STORE_get0_objects(3)"""
    cdef Trust trust = settings_of(context).trust
    cdef X509_STORE *store = trust.store
    cdef stack_st_X509_OBJECT *objects
    cdef X509_OBJECT *entry
    cdef int i, x509 = 0, crl = 0, ca = 0
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
    ERR_clear_error()
    return {"x509": x509, "crl": crl, "x509_ca": ca}


cdef list get_ca_certs(Context context, bint binary_form):
    """OpenSSL: X509_STORE_get1_all_certs(3)"""
    cdef Trust trust = settings_of(context).trust
    cdef X509_STORE *store = trust.store
    cdef stack_st_X509 *certificates
    cdef X509 *x509
    cdef list found = []
    cdef int i
    ERR_clear_error()
    with nogil:
        wt_gate_enter(store)
        certificates = X509_STORE_get1_all_certs(store)
        wt_gate_leave(store)
    if certificates == NULL:
        raise_queue()
    try:
        for i in range(sk_X509_num(certificates)):
            x509 = sk_X509_value(certificates, i)
            if X509_check_ca(x509):
                found.append(der(x509) if binary_form else decoded(x509))
    finally:
        sk_X509_pop_free(certificates, X509_free)
    return found


# --- adding ----------------------------------------------------------------------------------------------------------
@cython.final
cdef class Additions:
    """What one call adds to the trust of a context."""
    cdef TrustedFile file               # or None
    cdef stack_st_X509 *certificates    # or NULL
    cdef tuple directories
    cdef str path                       # of the file, as it was named
    cdef str directory                  # likewise
    cdef bint are_defaults              # of set_default_verify_paths()

    def __cinit__(self):
        self.directories = ()

    def __dealloc__(self):
        sk_X509_pop_free(self.certificates, X509_free)


cdef int put_trust(Context _, Settings settings, object value) except -1:
    """OpenSSL: X509_STORE_new(3), X509_STORE_add_cert(3)"""
    cdef Additions additions = value
    cdef Trust trust = Trust.__new__(Trust)
    cdef int before
    ERR_clear_error()
    trust.store = X509_STORE_new()
    if trust.store == NULL:
        raise_queue()
    add_objects(settings.trust.store, trust.store)
    before = sk_X509_OBJECT_num(X509_STORE_get0_objects(trust.store))
    if additions.file is not None:
        add_trusted(additions.file, trust.store)
    if additions.certificates != NULL:
        add_certificates(trust.store, additions.certificates)
    trust.directories = settings.trust.directories + additions.directories
    trust.additions = settings.trust.additions
    # A library may load the same for each connection: that must not add up.
    if (
        sk_X509_OBJECT_num(X509_STORE_get0_objects(trust.store)) > before
        or not set(settings.trust.directories).issuperset(additions.directories)
    ):
        trust.additions += (additions,)
    for directory in trust.directories:
        add_directory(trust.store, directory)
    settings.trust = trust
    return 0


def loads_of(Trust trust not None, /):
    """How `trust` came about: the arguments of each load_verify_locations(), or None for set_default_verify_paths().

    Certificates from memory are DER. Since 0.1.

    OpenSSL: i2d_X509(3)
    """
    cdef Additions additions
    cdef list loads = []
    cdef int i
    for additions in trust.additions:
        if additions.are_defaults:
            loads.append(None)
            continue
        cadata = []
        for i in range(sk_X509_num(additions.certificates)):
            cadata.append(der(sk_X509_value(additions.certificates, i)))
        loads.append((additions.path, additions.directory, b"".join(cadata) or None))
    return loads


cdef int add_directory(X509_STORE *store, bytes directory) except -1:
    """None is OpenSSL's default directory, and the same as an OSSL_STORE. A missing place is no error.

    OpenSSL: X509_STORE_load_path(3), X509_LOOKUP_hash_dir(3)
    """
    if directory is not None:
        check(X509_STORE_load_path(store, directory))
    else:
        X509_LOOKUP_add_dir(lookup_in(store, X509_LOOKUP_hash_dir()), NULL, X509_FILETYPE_DEFAULT)
        X509_LOOKUP_add_store(lookup_in(store, X509_LOOKUP_store()), NULL)
        check_memory()
    return 0


cdef X509_LOOKUP *lookup_in(X509_STORE *store, X509_LOOKUP_METHOD *method) except NULL:
    """OpenSSL: X509_STORE_add_lookup(3)"""
    cdef X509_LOOKUP *lookup = X509_STORE_add_lookup(store, method)
    if lookup == NULL:
        raise_queue()
    return lookup


cdef int add_certificates(X509_STORE *store, stack_st_X509 *certificates) except -1:
    """OpenSSL: X509_STORE_add_cert(3)"""
    cdef int i
    for i in range(sk_X509_num(certificates)):
        check(X509_STORE_add_cert(store, sk_X509_value(certificates, i)))
    return 0
