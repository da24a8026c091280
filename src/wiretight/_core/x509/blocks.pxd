"""Blocks: the certificates in a PEM text of the usual form."""


cdef struct Text:
    const unsigned char *at
    const unsigned char *end


cdef enum:
    BLOCK_UNUSUAL = -1
    BLOCK_NONE = 0          # there is no further one
    BLOCK_FOUND = 1

# The next block goes, decoded, to `octets`, which has three bytes of space for four of the rest of the text
cdef int next_block(Text *text, unsigned char *octets, size_t *length) noexcept nogil
