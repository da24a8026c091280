"""A file of CA certificates and CRLs, read once and shared by the contexts that trust it.

Decoding the roots of a system costs OpenSSL 3.0 some 17 ms and 750 KiB: each is decoded when it is needed, if the file
is one that allows it (see trust/index.pyx), and otherwise all are. The cache needs no lock: entries never change, and
two threads that miss at the same time both read. A fork waits for threads that are decoding.
"""

cimport cython
from cpython.dict cimport PyDict_Next
from cpython.object cimport PyObject

from wiretight._core.base.errors cimport raise_queue, ssl_error
from wiretight._core.base.files cimport file_content_and_status, identity_of, is_settled, path_of
from wiretight._core.base.handover cimport wt_hand_over, wt_take_over
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.openssl.err cimport ERR_LIB_X509, ERR_PACK
from wiretight._core.openssl.x509 cimport (
    X509_INFO_free, X509_R_NO_CERTIFICATE_OR_CRL_FOUND, X509_STORE, X509_STORE_free, X509_STORE_get0_objects,
    sk_X509_INFO_pop_free, sk_X509_OBJECT_num, stack_st_X509_INFO,
)
from wiretight._core.trust.bundle cimport Bundle, store_of
from wiretight._core.trust.index cimport count_decoded, index_of
from wiretight._core.x509.pem cimport read_entries

from wiretight._standard.system import os

# The most that is cached, in bytes of PEM text; decoded, it needs some three times as much.
CACHE_SIZE = 4 * 1024 * 1024

cdef dict cache = {}    # path: TrustedFile, the least recently used first


@cython.final
cdef class TrustedFile(Bundle):
    """The certificates and CRLs of a PEM file."""


cdef TrustedFile trusted_file(object path, str argument):
    """The file as it is now, from the cache if it has not changed.

    Raises OSError if it cannot be read, SSLError if it contains no certificate or CRL, or a broken one.
    """
    cdef bytes name = path_of(path, argument)
    cdef TrustedFile found = cached(name)
    if found is not None and found.identity == identity_of(os.stat(name)):
        cache[name] = cache.pop(name, found)
        return found
    found = read(path, argument)
    cache.pop(name, None)
    if found.identity is not None:
        keep(name, found)
    return found


cdef TrustedFile cached(bytes name):
    """Cython's dict.get() borrows what it finds, and another thread may free it where there is no GIL."""
    cdef dict entries = cache
    cdef TrustedFile found
    with cython.critical_section(entries):
        found = entries.get(name)
    wt_take_over(<void *>found)
    return found


def clear_trust_cache():
    """Empties the cache of files of CA certificates: the next context reads its file again.

    Changed files are noticed without it. Contexts keep what they have loaded. Since 0.1.
    """
    cache.clear()


def renew_cache():
    """In the child of a fork, where a thread that it lacks may have had the dictionary's own lock, if there is no GIL.

    PyDict_Next() takes none. Since 0.1.
    """
    global cache
    cdef dict renewed = {}
    cdef Py_ssize_t at = 0
    cdef PyObject *name = NULL
    cdef PyObject *trusted = NULL
    while PyDict_Next(cache, &at, &name, &trusted):
        renewed[<object>name] = <object>trusted
    cache = renewed


os.register_at_fork(after_in_child=renew_cache)


cdef TrustedFile read(object path, str argument):
    cdef TrustedFile trusted = TrustedFile()
    cdef bytes content
    content, status = file_content_and_status(path, argument)
    trusted.size = len(content)
    trusted.index = index_of(content)
    if trusted.index == NULL:
        trusted.decoded = decoded(content)
    if is_settled(status):
        trusted.identity = identity_of(status)
    return trusted


cdef int keep(bytes name, TrustedFile trusted) except -1:
    cdef TrustedFile kept
    cdef Py_ssize_t total = trusted.size
    cdef list names = list(cache)
    for kept in cache.copy().values():
        wt_take_over(<void *>kept)
        total += kept.size
    while total > CACHE_SIZE and names:
        kept = cache.pop(names.pop(0), None)
        total -= kept.size if kept is not None else 0
    if total <= CACHE_SIZE:
        wt_hand_over(<void *>trusted)
        cache[name] = trusted
    return 0


def decoded_certificates(path, /):
    """How many certificates of a cached file have been decoded so far; None if all were when it was read. Since 0.1."""
    cdef TrustedFile trusted = cache[path_of(path, "path")]
    return None if trusted.index == NULL else count_decoded(trusted.index)


# --- decoding --------------------------------------------------------------------------------------------------------
cdef X509_STORE *decoded(bytes content) except NULL:
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
