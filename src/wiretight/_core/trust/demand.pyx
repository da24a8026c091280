"""Demand: a store gets the certificates of an Index when a chain needs them.

Where OpenSSL looks for the issuer of a certificate, or for the certificate itself, in its store and then in
directories, the certificates of that subject are put into the store first. So it finds what it would find if all were
in there, in the same order, and goes the same ways.

This happens in the middle of a handshake, without the GIL, and takes no lock but that of the store.
"""

from wiretight._core.base.errors cimport raise_queue
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.openssl.crypto cimport CRYPTO_EX_DATA
from wiretight._core.openssl.x509 cimport (
    X509, X509_NAME, X509_OBJECT, X509_OBJECT_free, X509_OBJECT_get0_X509, X509_OBJECT_new, X509_OBJECT_set1_X509,
    X509_STORE_CTX, X509_STORE_CTX_get0_store, X509_STORE_CTX_get1_certs, X509_STORE_CTX_get1_issuer,
    X509_STORE_CTX_set_error, X509_STORE_get0_objects, X509_STORE_get_ex_data, X509_STORE_get_ex_new_index,
    X509_STORE_lock, X509_STORE_set_ex_data, X509_STORE_unlock, X509_V_ERR_OUT_OF_MEM, X509_get_issuer_name,
    sk_X509_OBJECT_is_sorted, sk_X509_OBJECT_num, sk_X509_OBJECT_push, sk_X509_OBJECT_sort, sk_X509_OBJECT_value,
    stack_st_X509, stack_st_X509_OBJECT,
)
from wiretight._core.trust.index cimport Subject, certificate_at, drop_index, shared_index, subjects_named

cdef extern from "compat.h" nogil:
    ctypedef struct wt_issued_x509:         # X509
        pass
    ctypedef struct wt_lookup_ctx:          # X509_STORE_CTX
        pass
    ctypedef int (*wt_get_issuer)(X509 **issuer, X509_STORE_CTX *ctx, wt_issued_x509 *x509) noexcept nogil
    ctypedef stack_st_X509 *(*wt_lookup_certs)(wt_lookup_ctx *ctx, const X509_NAME *name) noexcept nogil
    void wt_set_lookups(X509_STORE *store, wt_get_issuer get_issuer, wt_lookup_certs lookup_certs)

# The way from a store to the index.
cdef int slot = X509_STORE_get_ex_new_index(0, NULL, NULL, NULL, on_store_freed)
if slot < 0:
    raise_queue()


cdef int supply(X509_STORE *store, Index *index) except -1:
    """OpenSSL: X509_STORE_set_get_issuer(3), X509_STORE_set_lookup_certs(3), X509_STORE_set_ex_data(3)"""
    if not X509_STORE_set_ex_data(store, slot, index):
        raise_queue()
    shared_index(index)
    wt_set_lookups(store, find_issuer, find_certificates)
    return 0


cdef bint is_supplied(X509_STORE *store) noexcept:
    """OpenSSL: X509_STORE_get_ex_data(3)"""
    return X509_STORE_get_ex_data(store, slot) != NULL


cdef void on_store_freed(
    void *store, void *index, CRYPTO_EX_DATA *data, int number, long argument, void *pointer
) noexcept nogil:
    """Called for each store of the process; most have no index. OpenSSL: CRYPTO_get_ex_new_index(3)"""
    drop_index(<Index *>index)


# --- what OpenSSL asks for -------------------------------------------------------------------------------------------
cdef int find_issuer(X509 **issuer, X509_STORE_CTX *check, wt_issued_x509 *issued) noexcept nogil:
    """1 if there is one, 0 if not; -1 ends the verification with X509_V_ERR_STORE_LOOKUP.

    OpenSSL: X509_STORE_set_get_issuer(3)
    """
    if not bring(X509_STORE_CTX_get0_store(check), X509_get_issuer_name(<X509 *>issued)):
        issuer[0] = NULL
        return -1
    return X509_STORE_CTX_get1_issuer(issuer, check, <X509 *>issued)


cdef stack_st_X509 *find_certificates(wt_lookup_ctx *looking, const X509_NAME *name) noexcept nogil:
    """NULL is also an answer of OpenSSL 3.0's where there are none: that there is no memory, the error has to say.

    OpenSSL: X509_STORE_set_lookup_certs(3)
    """
    cdef X509_STORE_CTX *check = <X509_STORE_CTX *>looking
    if not bring(X509_STORE_CTX_get0_store(check), name):
        X509_STORE_CTX_set_error(check, X509_V_ERR_OUT_OF_MEM)
        return NULL
    return X509_STORE_CTX_get1_certs(check, name)


cdef bint bring(X509_STORE *store, const X509_NAME *subject) noexcept nogil:
    """Puts the certificates of that subject into the store, where they may be already. False if there is no memory.

    OpenSSL: X509_STORE_get0_objects(3), sk_TYPE_sort(3)
    """
    cdef Index *index = <Index *>X509_STORE_get_ex_data(store, slot)
    cdef stack_st_X509_OBJECT *objects
    cdef const Subject *subjects
    cdef bint done = True
    cdef int count, i
    subjects = subjects_named(index, subject, &count)
    if subjects == NULL:
        return False
    for i in range(count):
        if certificate_at(index, subjects[i].number) == NULL:
            return False
    X509_STORE_lock(store)
    objects = X509_STORE_get0_objects(store)
    for i in range(count):
        done = done and put(objects, certificate_at(index, subjects[i].number))
    if sk_X509_OBJECT_num(objects) == 0:
        sk_X509_OBJECT_sort(objects)    # tells supply_all() that somebody has searched
    X509_STORE_unlock(store)
    return done


cdef bint put(stack_st_X509_OBJECT *objects, X509 *x509) noexcept nogil:
    """Unless it is there. Each certificate of an index is one object, wherever it is, and nothing else is equal to it.

    X509_STORE_add_cert() of OpenSSL 3.5 and 4.0 may add a certificate again that has a namesake.

    OpenSSL: X509_OBJECT_set1_X509(3)
    """
    cdef X509_OBJECT *entry
    cdef int i
    for i in range(sk_X509_OBJECT_num(objects)):
        if X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, i)) == x509:
            return True
    entry = X509_OBJECT_new()
    if entry != NULL and X509_OBJECT_set1_X509(entry, x509) and sk_X509_OBJECT_push(objects, entry) > 0:
        return True
    X509_OBJECT_free(entry)
    return False


# --- all of them -----------------------------------------------------------------------------------------------------
cdef int supply_all(X509_STORE *store, X509_STORE *decoded) except -1:
    """In the order that they would have if they had been there from the start: a search sorts them.

    OpenSSL: X509_STORE_get0_objects(3), sk_TYPE_sort(3)
    """
    cdef stack_st_X509_OBJECT *objects
    cdef stack_st_X509_OBJECT *all
    cdef bint is_searched, done = True
    cdef int i
    with nogil:
        wt_gate_enter(store)
        X509_STORE_lock(store)
        objects = X509_STORE_get0_objects(store)
        all = X509_STORE_get0_objects(decoded)
        is_searched = sk_X509_OBJECT_is_sorted(objects)
        for i in range(sk_X509_OBJECT_num(all)):
            done = done and put(objects, X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i)))
        if is_searched:
            sk_X509_OBJECT_sort(objects)
        X509_STORE_unlock(store)
        wt_gate_leave(store)
    if not done:
        raise MemoryError
    return 0
