"""Octets: what a program passes as certificates and keys, read in place.

A copy of a key would have to be found and overwritten again.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.limits cimport INT_MAX

from wiretight._core.base.errors cimport raise_queue
from wiretight._core.openssl.bio cimport BIO_new_mem_buf
from wiretight._core.openssl.crypto cimport OPENSSL_cleanse

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL


@cython.final
cdef class Octets:
    """The octets of a bytes-like object, or of a str in UTF-8, which for ASCII is the str itself."""

    def __dealloc__(self):
        PyBuffer_Release(&self.view)

    cdef BIO *bio(self) except NULL:
        return content_bio(self.data, self.length)

    cdef bint is_der(self) noexcept:
        """Certificates and CRLs are sequences of more than 127 octets, whose length has one to four (X.690, 8.1.3.5).

        No text in ASCII or UTF-8 begins like that.
        """
        return self.length > 1 and self.data[0] == 0x30 and 0x81 <= self.data[1] <= 0x84


cdef Octets octets_of(object data, str argument, str expected):
    cdef Octets octets = Octets.__new__(Octets)
    try:
        PyObject_GetBuffer(data, &octets.view, PyBUF_SIMPLE)
    except TypeError:
        raise TypeError(f"{argument} should be {expected}, not {type(data).__name__}") from None
    octets.data = <const unsigned char *>octets.view.buf
    octets.length = octets.view.len
    return octets


cdef Octets octets_of_text(object data, str argument, str expected):
    cdef Octets octets
    cdef object problem
    if not isinstance(data, str):
        return octets_of(data, argument, expected)
    octets = Octets.__new__(Octets)
    octets.text = data
    try:
        octets.data = <const unsigned char *>PyUnicode_AsUTF8AndSize(data, &octets.length)
        return octets
    except UnicodeEncodeError as error:
        problem = without_text(error)
    raise problem       # out here, where the other one is not its context


cdef object without_text(object error):
    """The same about the one character: Python's own has the whole text in its `object`, which may be a key."""
    reason = f"{error.reason}: character {error.start} of {len(error.object)}"
    return UnicodeEncodeError(error.encoding, error.object[error.start], 0, 1, reason)


cdef BIO *content_bio(const unsigned char *content, Py_ssize_t length) except NULL:
    """A BIO that borrows the content.

    OpenSSL: BIO_new_mem_buf(3)
    """
    cdef BIO *bio
    check_length(length)
    bio = BIO_new_mem_buf(content, <int>length)
    if bio == NULL:
        raise_queue()
    return bio


cdef int check_length(Py_ssize_t length) except -1:
    """OpenSSL cuts a length off to an int, and a negative one means "up to the next null"."""
    if length > INT_MAX:
        raise OverflowError("OpenSSL accepts no more than 2 GiB of certificate data")
    return 0


cdef int wipe(bytes secret) except -1:
    """OpenSSL: OPENSSL_cleanse(3)"""
    if secret is not None and PyBytes_GET_SIZE(secret) > 1:     # Python has only one object for each single byte
        OPENSSL_cleanse(PyBytes_AS_STRING(secret), PyBytes_GET_SIZE(secret))
    return 0
