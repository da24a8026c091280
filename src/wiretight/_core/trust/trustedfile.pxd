"""A file of CA certificates and CRLs, read once and shared by the contexts that trust it."""

from wiretight._core.trust.bundle cimport Bundle


cdef class TrustedFile(Bundle):
    cdef object identity        # of the file that was read, or None if a later change could go unnoticed
    cdef Py_ssize_t size        # of the file, in bytes


cdef TrustedFile trusted_file(object path, str argument)
