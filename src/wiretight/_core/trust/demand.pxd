"""Demand: a store gets the certificates of an Index when a chain needs them."""

from wiretight._core.openssl.x509 cimport X509_STORE
from wiretight._core.trust.index cimport Index


# Before anybody verifies with the store, which becomes one of the index's owners
cdef int supply(X509_STORE *store, Index *index) except -1
cdef bint is_supplied(X509_STORE *store) noexcept

# Everything: `decoded` has all the certificates of the index. Others may verify with the store
cdef int supply_all(X509_STORE *store, X509_STORE *decoded) except -1
