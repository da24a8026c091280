"""Octets: what a program passes as certificates and keys, read in place."""

from wiretight._core.openssl.bio cimport BIO


cdef class Octets:
    cdef const unsigned char *data
    cdef Py_ssize_t length
    cdef Py_buffer view
    cdef object text        # the str that `data` is a part of, or None; maybe one of a subclass

    cdef BIO *bio(self) except NULL
    cdef bint is_der(self) noexcept         # or is it text?


cdef Octets octets_of(object data, str argument, str expected)          # bytes-like; errors name `argument`
cdef Octets octets_of_text(object data, str argument, str expected)     # or a str
cdef BIO *content_bio(const unsigned char *content, Py_ssize_t length) except NULL
cdef int check_length(Py_ssize_t length) except -1      # raises OverflowError for what OpenSSL would cut off
cdef int wipe(bytes secret) except -1       # which nobody else has
