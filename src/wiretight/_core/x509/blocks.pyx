"""Blocks: the certificates in a PEM text of the usual form.

The usual form is that of RFC 7468, section 3, in its strict version: blocks of CERTIFICATE, whose lines have 64 letters
of base64, except for the last, between lines that say no more than where a block begins and ends. Outside of blocks may
be any text without five dashes in a row. Everything else, OpenSSL reads, or says what is wrong with it.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memchr, memcmp, memset

cdef enum:
    LINE = 64               # letters in a full line
    NO_LETTER = 0x80

cdef const char *DASHES = "-----"
cdef const char *BEGIN = "-----BEGIN CERTIFICATE-----"
cdef const char *END = "-----END CERTIFICATE-----"
cdef enum:
    DASHES_SIZE = 5
    BEGIN_SIZE = 27
    END_SIZE = 25

cdef uint8_t values[256]    # of the letters of base64
cdef bytes LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
cdef int letter
memset(values, NO_LETTER, sizeof(values))
for letter in range(64):
    values[<uint8_t>LETTERS[letter]] = <uint8_t>letter


cdef int next_block(Text *text, unsigned char *octets, size_t *length) noexcept nogil:
    cdef unsigned char *at = octets
    cdef const unsigned char *begin = text.at
    if not find_dashes(text):
        return BLOCK_NONE
    if text.at != begin and text.at[-1] != c"\n":
        return BLOCK_UNUSUAL
    if not take_line(text, BEGIN, BEGIN_SIZE):
        return BLOCK_UNUSUAL
    while take_full_line(text, at):
        at += LINE // 4 * 3
    at = take_last_line(text, at)
    if at == NULL or at == octets or not take_line(text, END, END_SIZE):
        return BLOCK_UNUSUAL
    length[0] = at - octets
    return BLOCK_FOUND


cdef bint find_dashes(Text *text) noexcept nogil:
    while True:
        text.at = <const unsigned char *>memchr(text.at, c"-", text.end - text.at)
        if text.at == NULL:
            return False
        if text.end - text.at < DASHES_SIZE:
            return False
        if memcmp(text.at, DASHES, DASHES_SIZE) == 0:
            return True
        text.at += 1


cdef bint take_line(Text *text, const char *line, ptrdiff_t size) noexcept nogil:
    if text.end - text.at < size or memcmp(text.at, line, size) != 0:
        return False
    text.at += size
    return take_line_end(text)


cdef bint take_line_end(Text *text) noexcept nogil:
    """The end of the text is one, too."""
    if text.end - text.at >= 2 and text.at[0] == c"\r" and text.at[1] == c"\n":
        text.at += 2
    elif text.end - text.at >= 1 and text.at[0] == c"\n":
        text.at += 1
    else:
        return text.at == text.end
    return True


# --- base64 ----------------------------------------------------------------------------------------------------------
cdef bint take_full_line(Text *text, unsigned char *octets) noexcept nogil:
    """A line without padding. What has been written where there is none is overwritten."""
    cdef Text line
    cdef int i
    line.at = text.at
    line.end = text.end
    if line.end - line.at < LINE:
        return False
    for i in range(LINE // 4):
        if not take_three(&line, octets + 3 * i):
            return False
    if not take_line_end(&line):
        return False
    text.at = line.at
    return True


cdef unsigned char *take_last_line(Text *text, unsigned char *octets) noexcept nogil:
    """Where what was decoded ends; or NULL. It may have nothing but padding to tell it from a full one, or be none, but
    not empty: to OpenSSL an empty line ends a header.
    """
    cdef unsigned char *begin = octets
    cdef int groups = 0
    if text.at < text.end and text.at[0] == c"-":
        return octets
    while groups < LINE // 4 and text.end - text.at >= 4 and take_three(text, octets):
        octets += 3
        groups += 1
    if groups < LINE // 4 and text.end - text.at >= 4 and text.at[3] == c"=":
        octets = take_padded(text, octets)
    if octets == NULL or octets == begin or not take_line_end(text):
        return NULL
    return octets


cdef bint take_three(Text *text, unsigned char *octets) noexcept nogil:
    """Four letters; there is space for them."""
    cdef uint32_t first = values[text.at[0]]
    cdef uint32_t second = values[text.at[1]]
    cdef uint32_t third = values[text.at[2]]
    cdef uint32_t fourth = values[text.at[3]]
    if (first | second | third | fourth) & NO_LETTER:
        return False
    octets[0] = <unsigned char>(first << 2 | second >> 4)
    octets[1] = <unsigned char>(second << 4 | third >> 2)
    octets[2] = <unsigned char>(third << 6 | fourth)
    text.at += 4
    return True


cdef unsigned char *take_padded(Text *text, unsigned char *octets) noexcept nogil:
    """Four letters that end with "=" or "=="; the bits that stand for nothing are zero. Where it ends, or NULL."""
    cdef uint32_t first = values[text.at[0]]
    cdef uint32_t second = values[text.at[1]]
    cdef uint32_t third = values[text.at[2]]
    cdef int count = 2
    if text.at[2] == c"=":
        third = 0
        count = 1
    if (first | second | third) & NO_LETTER:
        return NULL
    if third & 0x03 or count == 1 and second & 0x0F:
        return NULL
    octets[0] = <unsigned char>(first << 2 | second >> 4)
    if count == 2:
        octets[1] = <unsigned char>(second << 4 | third >> 2)
    text.at += 4
    return octets + count
