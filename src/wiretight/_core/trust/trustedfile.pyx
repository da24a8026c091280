"""A file of CA certificates and CRLs, parsed once and shared by the contexts that trust it.

Parsing the roots of a system costs OpenSSL 3.0 some 17 ms and 750 KiB. The cache needs no lock: entries never change,
and two threads that miss at the same time both parse. A fork waits for threads that are parsing.
"""

cimport cython

from wiretight._core.base.errors cimport raise_queue, ssl_error
from wiretight._core.base.files cimport file_content_and_status, identity_of, is_settled, path_of
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.openssl.err cimport ERR_LIB_X509, ERR_PACK
from wiretight._core.openssl.x509 cimport (
    X509_INFO, X509_INFO_free, X509_LU_X509, X509_OBJECT, X509_OBJECT_free, X509_OBJECT_get0_X509,
    X509_OBJECT_get0_X509_CRL, X509_OBJECT_get_type, X509_OBJECT_new, X509_OBJECT_set1_X509,
    X509_OBJECT_set1_X509_CRL, X509_R_NO_CERTIFICATE_OR_CRL_FOUND, X509_STORE, X509_STORE_add_cert,
    X509_STORE_add_crl, X509_STORE_free, X509_STORE_get0_objects, X509_STORE_lock, X509_STORE_new, X509_STORE_unlock,
    sk_X509_INFO_num, sk_X509_INFO_pop_free, sk_X509_INFO_value, sk_X509_OBJECT_num, sk_X509_OBJECT_pop,
    sk_X509_OBJECT_push, sk_X509_OBJECT_value, stack_st_X509_INFO, stack_st_X509_OBJECT,
)
from wiretight._core.x509.pem cimport read_entries

from wiretight._standard.system import os

# The most that is cached, in bytes of PEM text; parsed, it needs some three times as much.
CACHE_SIZE = 4 * 1024 * 1024

cdef dict cache = {}    # path: TrustedFile, the least recently used first


@cython.final
cdef class TrustedFile:
    """The certificates and CRLs of a PEM file."""

    def __dealloc__(self):
        X509_STORE_free(self.parsed)


cdef TrustedFile trusted_file(object path, str argument):
    """The file as it is now, from the cache if it has not changed.

    Raises OSError if it cannot be read, SSLError if it contains no certificate or CRL, or a broken one.
    """
    cdef bytes name = path_of(path, argument)
    cdef TrustedFile found = cache.get(name)
    if found is not None and found.identity == identity_of(os.stat(name)):
        cache[name] = cache.pop(name, found)
        return found
    found = read(path, argument)
    cache.pop(name, None)
    if found.identity is not None:
        keep(name, found)
    return found


def clear_trust_cache():
    """Empties the cache of parsed files of CA certificates: the next context reads its file again.

    Changed files are noticed without it. Contexts keep what they have loaded. Since 0.1.
    """
    cache.clear()


cdef TrustedFile read(object path, str argument):
    cdef TrustedFile trusted = TrustedFile()
    cdef bytes content
    content, status = file_content_and_status(path, argument)
    trusted.size = len(content)
    trusted.parsed = parse(content)
    if is_settled(status):
        trusted.identity = identity_of(status)
    return trusted


cdef int keep(bytes name, TrustedFile trusted) except -1:
    cdef TrustedFile kept
    cdef Py_ssize_t total = trusted.size
    cdef list names = list(cache)
    for kept in cache.copy().values():
        total += kept.size
    while total > CACHE_SIZE and names:
        kept = cache.pop(names.pop(0), None)
        total -= kept.size if kept is not None else 0
    if total <= CACHE_SIZE:
        cache[name] = trusted
    return 0


# --- parsing ---------------------------------------------------------------------------------------------------------
cdef X509_STORE *parse(bytes content) except NULL:
    """The certificates and CRLs of a PEM file, at least one."""
    cdef stack_st_X509_INFO *entries = read_entries(content)
    cdef X509_STORE *parsed
    with nogil:
        wt_gate_enter(<void *>content)
        parsed = store_of(entries)
        sk_X509_INFO_pop_free(entries, X509_INFO_free)
        wt_gate_leave(<void *>content)
    if parsed == NULL:
        raise_queue()
    if sk_X509_OBJECT_num(X509_STORE_get0_objects(parsed)) == 0:
        X509_STORE_free(parsed)
        reason = X509_R_NO_CERTIFICATE_OR_CRL_FOUND
        raise ssl_error(reason, ERR_PACK(ERR_LIB_X509, 0, X509_R_NO_CERTIFICATE_OR_CRL_FOUND))
    return parsed


cdef X509_STORE *store_of(stack_st_X509_INFO *entries) noexcept nogil:
    """A new store with the certificates and CRLs, or NULL, with the reason on OpenSSL's queue.

    OpenSSL: X509_STORE_add_cert(3)
    """
    cdef X509_STORE *store = X509_STORE_new()
    cdef X509_INFO *entry
    cdef bint complete = store != NULL
    cdef int i
    for i in range(sk_X509_INFO_num(entries)):
        entry = sk_X509_INFO_value(entries, i)
        if complete and entry.x509 != NULL:
            complete = X509_STORE_add_cert(store, entry.x509) > 0
        if complete and entry.crl != NULL:
            complete = X509_STORE_add_crl(store, entry.crl) > 0
    if complete:
        return store
    X509_STORE_free(store)
    return NULL


# --- adding ----------------------------------------------------------------------------------------------------------
cdef int add_trusted(TrustedFile trusted, X509_STORE *store) except -1:
    return add_objects(trusted.parsed, store)


cdef int add_objects(X509_STORE *source, X509_STORE *store) except -1:
    """Adds the certificates and CRLs of `source`, by reference and not as copies.

    OpenSSL: X509_STORE_add_cert(3)
    """
    cdef int added
    with nogil:
        wt_gate_enter(source)
        X509_STORE_lock(source)     # a verification that searches a directory adds what it finds
        added = fill(store, X509_STORE_get0_objects(source))
        if added == 0:
            added = add_each(store, X509_STORE_get0_objects(source))
        X509_STORE_unlock(source)
        wt_gate_leave(source)
    if added < 0:
        raise MemoryError
    return 0


cdef int add_each(X509_STORE *store, stack_st_X509_OBJECT *shared) noexcept nogil:
    """OpenSSL: X509_STORE_add_cert(3)"""
    cdef X509_OBJECT *entry
    cdef int i, added = 1
    for i in range(sk_X509_OBJECT_num(shared)):
        entry = sk_X509_OBJECT_value(shared, i)
        if X509_OBJECT_get_type(entry) == X509_LU_X509:
            added = X509_STORE_add_cert(store, X509_OBJECT_get0_X509(entry))
        else:
            added = X509_STORE_add_crl(store, X509_OBJECT_get0_X509_CRL(entry))
        if added <= 0:
            return -1
    return added


cdef int fill(X509_STORE *store, stack_st_X509_OBJECT *shared) noexcept nogil:
    """Fills an empty store, or returns 0. X509_STORE_add_cert() sorts the store for each certificate that it adds,
    which for a system's roots takes longer than everything else about a context.

    OpenSSL: X509_STORE_get0_objects(3), X509_STORE_lock(3)
    """
    cdef stack_st_X509_OBJECT *objects
    cdef int i, filled = 0
    X509_STORE_lock(store)
    objects = X509_STORE_get0_objects(store)
    if sk_X509_OBJECT_num(objects) == 0:
        filled = 1
        for i in range(sk_X509_OBJECT_num(shared)):
            if not push_shared(objects, sk_X509_OBJECT_value(shared, i)):
                filled = -1
                break
        while filled < 0 and sk_X509_OBJECT_num(objects):
            X509_OBJECT_free(sk_X509_OBJECT_pop(objects))
    X509_STORE_unlock(store)
    return filled


cdef bint push_shared(stack_st_X509_OBJECT *objects, X509_OBJECT *shared) noexcept nogil:
    """OpenSSL: X509_OBJECT_set1_X509(3)"""
    cdef X509_OBJECT *entry = X509_OBJECT_new()
    cdef int done
    if entry == NULL:
        return False
    if X509_OBJECT_get_type(shared) == X509_LU_X509:
        done = X509_OBJECT_set1_X509(entry, X509_OBJECT_get0_X509(shared))
    else:
        done = X509_OBJECT_set1_X509_CRL(entry, X509_OBJECT_get0_X509_CRL(shared))
    if not done or sk_X509_OBJECT_push(objects, entry) <= 0:
        X509_OBJECT_free(entry)
        return False
    return True
