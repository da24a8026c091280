"""A file of CA certificates and CRLs, parsed once and shared by the contexts that trust it."""

from wiretight._core.openssl.x509 cimport X509_STORE


cdef class TrustedFile:
    cdef X509_STORE *parsed     # each certificate and CRL once; never verified with, and never changed
    cdef object identity        # of the file that was read, or None if a later change could go unnoticed
    cdef Py_ssize_t size        # of the file, in bytes


cdef TrustedFile trusted_file(object path, str argument)
cdef int add_trusted(TrustedFile trusted, X509_STORE *store) except -1
cdef int add_objects(X509_STORE *source, X509_STORE *store) except -1
