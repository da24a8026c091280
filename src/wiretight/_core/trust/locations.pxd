"""Locations: what a Context trusts, and where that is loaded from."""

from wiretight._core.context.context cimport Context


cdef int load_verify_locations(Context context, object cafile, object capath, object cadata) except -1
cdef int set_default_verify_paths(Context context) except -1
cdef int load_crls(Context context, object path, object data) except -1     # how many are new
cdef dict cert_store_stats(Context context)
cdef list get_ca_certs(Context context, bint binary_form)

cdef object trust_store(Context context)
cdef int set_trust_store(Context context, object store) except -1
