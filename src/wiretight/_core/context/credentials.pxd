"""Credentials: the certificate chain, private key and DH parameters of a Context."""

from wiretight._core.context.context cimport Context


cdef int load_cert_chain(Context context, object certfile, object keyfile, object password) except -1
cdef int load_dh_params(Context context, object path) except -1
