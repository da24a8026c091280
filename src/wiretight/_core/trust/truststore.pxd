"""The trust store of a Context: the CA certificates and CRLs that it verifies its peers with."""

from wiretight._core.context.context cimport Context


cdef int load_verify_locations(Context context, object cafile, object capath, object cadata) except -1
cdef int set_default_verify_paths(Context context) except -1
cdef dict cert_store_stats(Context context)
cdef list get_ca_certs(Context context, bint binary_form)
