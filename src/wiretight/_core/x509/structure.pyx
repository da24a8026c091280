"""Structure: recognizes the DER of a certificate, without decoding it.

Whatever is recognized, OpenSSL decodes: each rule here is at least as strict as its decoder, which accepts much of BER,
and as X.690 and RFC 5280 have it for a certificate. What OpenSSL decodes, too, but no issuer makes any more (unique
identifiers, BMPString) is not recognized. A public key is only a bit string here, as it is to OpenSSL, which decodes a
certificate whose key it cannot read.

Source: RFC 5280, section 4.1; X.690, sections 8 and 10.
"""

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    BOOLEAN = 0x01          # universal tags; what is constructed has CONSTRUCTED in it
    INTEGER = 0x02
    BIT_STRING = 0x03
    OCTET_STRING = 0x04
    NULL_VALUE = 0x05
    OBJECT_IDENTIFIER = 0x06
    UTF8_STRING = 0x0C
    PRINTABLE_STRING = 0x13
    TELETEX_STRING = 0x14
    IA5_STRING = 0x16
    UTC_TIME = 0x17
    GENERALIZED_TIME = 0x18
    SEQUENCE = 0x30
    SET = 0x31
    VERSION = 0xA0          # [0], explicit
    EXTENSIONS = 0xA3       # [3], explicit

cdef enum:
    LONGEST = 0xFFFF        # of a certificate, in bytes
    LONGEST_OBJECT = 64     # identifier; OpenSSL has a limit for the text of one


cdef struct Reader:
    const uint8_t *at
    const uint8_t *end


cdef bint is_usual_certificate(const unsigned char *der, size_t length, Span *subject) noexcept nogil:
    cdef Reader whole, certificate, signed
    if length > LONGEST:
        return False
    whole.at = der
    whole.end = der + length
    return (
        enter(&whole, SEQUENCE, &certificate) and is_over(&whole)
        and enter(&certificate, SEQUENCE, &signed) and is_body(&signed, der, subject)
        and has_algorithm(&certificate)
        and has_bits(&certificate)
        and is_over(&certificate)
    )


cdef bint is_body(Reader *body, const uint8_t *der, Span *subject) noexcept nogil:
    """What is signed of a certificate."""
    if not (
        has_version(body) and has_integer(body) and has_algorithm(body) and has_name(body) and has_validity(body)
    ):
        return False
    subject.at = <uint32_t>(body.at - der)
    if not has_name(body):
        return False
    subject.length = <uint32_t>(body.at - der) - subject.at
    return has_public_key(body) and has_extensions(body) and is_over(body)


# --- the parts of a certificate --------------------------------------------------------------------------------------
cdef bint has_version(Reader *reader) noexcept nogil:
    """1 is not encoded, because it is the default; 2 and 3 are encoded as 1 and 2."""
    cdef Reader version, number
    if not is_next(reader, VERSION):
        return True
    return (
        enter(reader, VERSION, &version)
        and enter(&version, INTEGER, &number) and is_over(&version)
        and size(&number) == 1 and 1 <= number.at[0] <= 2
    )


cdef bint has_algorithm(Reader *reader) noexcept nogil:
    """With parameters or without: a curve's name, NULL, or a SEQUENCE, which OpenSSL does not look into either."""
    cdef Reader algorithm, parameters
    if not enter(reader, SEQUENCE, &algorithm) or not has_object(&algorithm):
        return False
    if is_next(&algorithm, OBJECT_IDENTIFIER):
        return has_object(&algorithm) and is_over(&algorithm)
    if is_next(&algorithm, NULL_VALUE):
        return enter(&algorithm, NULL_VALUE, &parameters) and is_over(&parameters) and is_over(&algorithm)
    if is_next(&algorithm, SEQUENCE):
        return enter(&algorithm, SEQUENCE, &parameters) and is_over(&algorithm)
    return is_over(&algorithm)


cdef bint has_name(Reader *reader) noexcept nogil:
    cdef Reader name, part, attribute
    if not enter(reader, SEQUENCE, &name):
        return False
    while not is_over(&name):
        if not enter(&name, SET, &part) or is_over(&part):
            return False
        while not is_over(&part):
            if not (
                enter(&part, SEQUENCE, &attribute)
                and has_object(&attribute) and has_text(&attribute) and is_over(&attribute)
            ):
                return False
    return True


cdef bint has_validity(Reader *reader) noexcept nogil:
    cdef Reader validity
    return (
        enter(reader, SEQUENCE, &validity)
        and has_time(&validity) and has_time(&validity) and is_over(&validity)
    )


cdef bint has_public_key(Reader *reader) noexcept nogil:
    cdef Reader key
    return enter(reader, SEQUENCE, &key) and has_algorithm(&key) and has_bits(&key) and is_over(&key)


cdef bint has_extensions(Reader *reader) noexcept nogil:
    """Optional. What they say, OpenSSL decodes when it is needed."""
    cdef Reader explicit, extensions, extension, critical, value
    if not is_next(reader, EXTENSIONS):
        return True
    if not (
        enter(reader, EXTENSIONS, &explicit)
        and enter(&explicit, SEQUENCE, &extensions) and is_over(&explicit) and not is_over(&extensions)
    ):
        return False
    while not is_over(&extensions):
        if not enter(&extensions, SEQUENCE, &extension) or not has_object(&extension):
            return False
        if is_next(&extension, BOOLEAN):
            if not enter(&extension, BOOLEAN, &critical) or size(&critical) != 1 or critical.at[0] != 0xFF:
                return False
        if not enter(&extension, OCTET_STRING, &value) or not is_over(&extension):
            return False
    return True


# --- values ----------------------------------------------------------------------------------------------------------
cdef bint has_integer(Reader *reader) noexcept nogil:
    """In as few bytes as possible: the first nine bits are not all the same."""
    cdef Reader number
    if not enter(reader, INTEGER, &number) or is_over(&number):
        return False
    if size(&number) == 1:
        return True
    return not (number.at[0] == 0 and number.at[1] < 0x80) and not (number.at[0] == 0xFF and number.at[1] >= 0x80)


cdef bint has_object(Reader *reader) noexcept nogil:
    """Numbers of seven bits a byte, each in as few bytes as possible; all bytes of a number but the last have bit 8."""
    cdef Reader identifier
    cdef bint begins = True
    if not enter(reader, OBJECT_IDENTIFIER, &identifier):
        return False
    if not 1 <= size(&identifier) <= LONGEST_OBJECT:
        return False
    while not is_over(&identifier):
        if begins and identifier.at[0] == 0x80:
            return False
        begins = identifier.at[0] < 0x80
        identifier.at += 1
    return begins


cdef bint has_bits(Reader *reader) noexcept nogil:
    """A multiple of eight, and some."""
    cdef Reader bits
    return enter(reader, BIT_STRING, &bits) and size(&bits) > 1 and bits.at[0] == 0


cdef bint has_time(Reader *reader) noexcept nogil:
    """Digits and a Z. OpenSSL reads them when it needs the time."""
    cdef Reader time
    cdef int digits = 12
    if is_next(reader, GENERALIZED_TIME):
        digits = 14
        if not enter(reader, GENERALIZED_TIME, &time):
            return False
    elif not enter(reader, UTC_TIME, &time):
        return False
    if size(&time) != digits + 1 or time.end[-1] != c"Z":
        return False
    while digits:
        if not c"0" <= time.at[0] <= c"9":
            return False
        time.at += 1
        digits -= 1
    return True


cdef bint has_text(Reader *reader) noexcept nogil:
    """OpenSSL converts it to UTF-8, for comparisons, when it decodes a name."""
    cdef Reader text
    if is_next(reader, UTF8_STRING):
        return enter(reader, UTF8_STRING, &text) and not is_over(&text) and is_utf8(&text)
    if is_next(reader, PRINTABLE_STRING):
        return enter(reader, PRINTABLE_STRING, &text) and not is_over(&text) and is_ascii(&text)
    if is_next(reader, IA5_STRING):
        return enter(reader, IA5_STRING, &text) and not is_over(&text) and is_ascii(&text)
    return enter(reader, TELETEX_STRING, &text) and not is_over(&text)    # Latin-1 to OpenSSL: each byte is something


cdef bint is_ascii(Reader *text) noexcept nogil:
    """And printable."""
    while not is_over(text):
        if not 0x20 <= text.at[0] < 0x7F:
            return False
        text.at += 1
    return True


cdef bint is_utf8(Reader *text) noexcept nogil:
    """Source: RFC 3629, section 4"""
    cdef uint32_t character, smallest
    cdef int more
    while not is_over(text):
        character = text.at[0]
        text.at += 1
        if character < 0x80:
            if character < 0x20 or character == 0x7F:
                return False
            continue
        if 0xC2 <= character < 0xE0:
            more, smallest, character = 1, 0x80, character & 0x1F
        elif 0xE0 <= character < 0xF0:
            more, smallest, character = 2, 0x800, character & 0x0F
        elif 0xF0 <= character < 0xF5:
            more, smallest, character = 3, 0x10000, character & 0x07
        else:
            return False
        while more:
            if is_over(text) or text.at[0] & 0xC0 != 0x80:
                return False
            character = character << 6 | text.at[0] & 0x3F
            text.at += 1
            more -= 1
        if character < smallest or character > 0x10FFFF or 0xD800 <= character < 0xE000:
            return False
    return True


# --- tags and lengths ------------------------------------------------------------------------------------------------
cdef bint is_over(const Reader *reader) noexcept nogil:
    return reader.at == reader.end


cdef bint is_next(const Reader *reader, int tag) noexcept nogil:
    return reader.at < reader.end and reader.at[0] == tag


cdef ptrdiff_t size(const Reader *reader) noexcept nogil:
    return reader.end - reader.at


cdef bint enter(Reader *reader, int tag, Reader *content) noexcept nogil:
    """Steps over a value with that tag, whose `content` is to be read next. Its length is encoded as shortly as can be.
    """
    cdef ptrdiff_t length
    if size(reader) < 2 or reader.at[0] != tag:
        return False
    length = reader.at[1]
    reader.at += 2
    if length == 0x81:
        if size(reader) < 1:
            return False
        length = reader.at[0]
        reader.at += 1
        if length < 0x80:
            return False
    elif length == 0x82:
        if size(reader) < 2:
            return False
        length = reader.at[0] << 8 | reader.at[1]
        reader.at += 2
        if length < 0x100:
            return False
    elif length >= 0x80:
        return False
    if length > size(reader):
        return False
    content.at = reader.at
    reader.at += length
    content.end = reader.at
    return True
