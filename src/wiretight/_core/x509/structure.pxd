"""Structure: recognizes the DER of a certificate, without decoding it."""

from libc.stdint cimport uint32_t


# Where in a certificate something is, in bytes
cdef struct Span:
    uint32_t at
    uint32_t length


# `subject` is where its name is
cdef bint is_usual_certificate(const unsigned char *der, size_t length, Span *subject) noexcept nogil
