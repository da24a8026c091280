"""Bundle: certificates and CRLs that were loaded together, decoded once and shared by all that trust them."""

cimport cython

from wiretight._core.base.errors cimport forget_errors, raise_queue
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.evp cimport EVP_sha256, SHA256, SHA256_DIGEST_LENGTH
from wiretight._core.openssl.x509 cimport (
    X509, X509_CRL_digest, X509_INFO, X509_LU_CRL, X509_LU_X509, X509_OBJECT, X509_OBJECT_free,
    X509_OBJECT_get0_X509, X509_OBJECT_get0_X509_CRL, X509_OBJECT_get_type, X509_OBJECT_new, X509_OBJECT_set1_X509,
    X509_OBJECT_set1_X509_CRL, X509_STORE_add_cert, X509_STORE_add_crl, X509_STORE_free, X509_STORE_get0_objects,
    X509_STORE_lock, X509_STORE_new, X509_STORE_unlock, i2d_X509_AUX, sk_X509_CRL_num, sk_X509_CRL_value,
    sk_X509_INFO_num, sk_X509_INFO_value, sk_X509_OBJECT_num, sk_X509_OBJECT_pop, sk_X509_OBJECT_push,
    sk_X509_OBJECT_sort, sk_X509_OBJECT_value, sk_X509_num, sk_X509_value, stack_st_X509_OBJECT,
)
from wiretight._core.trust.index cimport Place, certificate_at, drop_index
from wiretight._core.x509.certificate cimport der
from wiretight._core.x509.crl cimport der_of_crl


cdef class Bundle:
    """Certificates and CRLs that never change."""

    def __dealloc__(self):
        X509_STORE_free(self.decoded)
        drop_index(self.index)

    cdef X509_STORE *store(self) except NULL:
        """All of them, decoded by whoever needs them first; two threads may both do it."""
        cdef X509_STORE *store
        with cython.critical_section(self):
            store = self.decoded
        if store != NULL:
            return store
        forget_errors()
        with nogil:
            wt_gate_enter(<void *>self)
            store = store_of_index(self.index)
            wt_gate_leave(<void *>self)
        if store == NULL:
            raise_queue()
        with cython.critical_section(self):
            if self.decoded == NULL:
                self.decoded = store
                return store
        X509_STORE_free(store)
        return self.decoded

    cdef bint has_crls(self) noexcept:
        """OpenSSL: X509_STORE_get0_objects(3)"""
        cdef stack_st_X509_OBJECT *objects
        cdef int i
        if self.index != NULL:
            return False
        objects = X509_STORE_get0_objects(self.decoded)
        for i in range(sk_X509_OBJECT_num(objects)):
            if X509_OBJECT_get_type(sk_X509_OBJECT_value(objects, i)) == X509_LU_CRL:
                return True
        return False

    cdef tuple encodings(self):
        """OpenSSL: X509_STORE_get0_objects(3)"""
        cdef stack_st_X509_OBJECT *objects = X509_STORE_get0_objects(self.store())
        cdef X509_OBJECT *entry
        cdef list certificates = [], crls = []
        cdef int i
        for i in range(sk_X509_OBJECT_num(objects)):
            entry = sk_X509_OBJECT_value(objects, i)
            if X509_OBJECT_get_type(entry) == X509_LU_X509:
                certificates.append(der(X509_OBJECT_get0_X509(entry)))
            else:
                crls.append(der_of_crl(X509_OBJECT_get0_X509_CRL(entry)))
        # OpenSSL may have sorted them or not.
        return b"".join(sorted(certificates)) or None, b"".join(sorted(crls)) or None

    cdef frozenset fingerprints(self):
        """The SHA-256 digests of the encodings. Whoever needs them first computes them, and decodes nothing for it.

        OpenSSL: i2d_X509_AUX(3), X509_CRL_digest(3)
        """
        with cython.critical_section(self):
            if self.digests is None and self.index != NULL:
                self.digests = digests_of_index(self.index)
            elif self.digests is None:
                self.digests = digests_in(X509_STORE_get0_objects(self.decoded))
            return self.digests


cdef frozenset digests_of_index(Index *index):
    """No certificate in it says what it is trusted for. OpenSSL: SHA256(3)"""
    cdef unsigned char digest[SHA256_DIGEST_LENGTH]
    cdef set digests = set()
    cdef Place *place
    cdef int i
    for i in range(index.count):
        place = &index.places[i]
        if SHA256(index.der + place.at, place.length, digest) == NULL:
            raise MemoryError
        digests.add(<bytes>digest[:SHA256_DIGEST_LENGTH])
    return frozenset(digests)


cdef frozenset digests_in(stack_st_X509_OBJECT *objects):
    cdef set digests = set()
    cdef int i
    for i in range(sk_X509_OBJECT_num(objects)):
        digests.add(digest_of(sk_X509_OBJECT_value(objects, i)))
    return frozenset(digests)


cdef bytes digest_of(X509_OBJECT *entry):
    """Of a TRUSTED CERTIFICATE, with what it is trusted for. OpenSSL: i2d_X509_AUX(3), X509_CRL_digest(3)"""
    cdef unsigned char digest[SHA256_DIGEST_LENGTH]
    cdef unsigned char *encoding = NULL
    cdef int length
    cdef bint done
    forget_errors()
    if X509_OBJECT_get_type(entry) == X509_LU_X509:
        length = i2d_X509_AUX(X509_OBJECT_get0_X509(entry), &encoding)
        done = length > 0 and SHA256(encoding, length, digest) != NULL
        OPENSSL_free(encoding)
    else:
        done = X509_CRL_digest(X509_OBJECT_get0_X509_CRL(entry), EVP_sha256(), digest, NULL)
    if not done:
        raise_queue()
    return digest[:SHA256_DIGEST_LENGTH]


# --- making ----------------------------------------------------------------------------------------------------------
cdef X509_STORE *new_store() noexcept nogil:
    """An empty one, or NULL, with the reason on OpenSSL's queue.

    The first X509_STORE_get0_objects() of OpenSSL 4.0 moves what is in the store into a list, and loses what it has no
    memory for, without a word: of an empty store that is nothing.

    OpenSSL: X509_STORE_new(3), X509_STORE_get0_objects(3)
    """
    cdef X509_STORE *store = X509_STORE_new()
    if store != NULL and X509_STORE_get0_objects(store) == NULL:
        X509_STORE_free(store)
        return NULL
    return store


cdef X509_STORE *store_of(stack_st_X509_INFO *entries) noexcept nogil:
    """A new store with the certificates and CRLs, or NULL, with the reason on OpenSSL's queue.

    OpenSSL: X509_STORE_add_cert(3)
    """
    cdef X509_STORE *store = new_store()
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


cdef X509_STORE *store_of_index(Index *index) noexcept nogil:
    """A new store with the certificates, or NULL, with the reason on OpenSSL's queue.

    OpenSSL: X509_STORE_add_cert(3)
    """
    cdef X509_STORE *store = new_store()
    cdef X509 *x509
    cdef int i
    for i in range(index.count):
        x509 = certificate_at(index, i)
        if store == NULL or x509 == NULL or X509_STORE_add_cert(store, x509) <= 0:
            X509_STORE_free(store)
            return NULL
    return store


cdef Bundle bundle_of(stack_st_X509 *certificates, stack_st_X509_CRL *crls):
    """OpenSSL: X509_STORE_add_cert(3), X509_STORE_add_crl(3)"""
    cdef Bundle bundle = Bundle.__new__(Bundle)
    cdef bint complete
    forget_errors()
    with nogil:
        wt_gate_enter(<void *>bundle)
        bundle.decoded = new_store()
        complete = bundle.decoded != NULL and collect(bundle.decoded, certificates, crls)
        wt_gate_leave(<void *>bundle)
    if not complete:
        raise_queue()
    return bundle


cdef bint collect(X509_STORE *store, stack_st_X509 *certificates, stack_st_X509_CRL *crls) noexcept nogil:
    """OpenSSL: X509_STORE_add_cert(3), X509_STORE_add_crl(3)"""
    cdef int i
    for i in range(sk_X509_num(certificates)):
        if X509_STORE_add_cert(store, sk_X509_value(certificates, i)) <= 0:
            return False
    for i in range(sk_X509_CRL_num(crls)):
        if X509_STORE_add_crl(store, sk_X509_CRL_value(crls, i)) <= 0:
            return False
    return True


# --- adding ----------------------------------------------------------------------------------------------------------
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
    """Those that are not there yet. X509_STORE_add_cert() of OpenSSL 3.5 and 4.0 looks for an equal one among namesakes
    that stand side by side: so they are sorted, which earlier ones do by themselves.

    OpenSSL: X509_STORE_add_cert(3), sk_TYPE_sort(3)
    """
    cdef X509_OBJECT *entry
    cdef int i, added = 1
    for i in range(sk_X509_OBJECT_num(shared)):
        entry = sk_X509_OBJECT_value(shared, i)
        X509_STORE_lock(store)
        sk_X509_OBJECT_sort(X509_STORE_get0_objects(store))
        X509_STORE_unlock(store)
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
