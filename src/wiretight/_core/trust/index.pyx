"""Index: the certificates of a file, each of which is decoded when it is needed.

A system trusts some hundred and fifty CAs, and a program needs one or two of them. To decode all takes OpenSSL 3.0 some
17 ms, because of their public keys; to find where each begins and ends, half a millisecond. Which one a chain needs is
known by its subject's name. Those are decoded, all at once, for the first chain.

Only files of the usual form have an index, which are those that OpenSSL is certain to decode: see x509/blocks.pyx and
x509/structure.pyx. What is decoded is decoded once for the process, whoever needs it.
"""

from libc.stdint cimport INT32_MAX, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcpy

from wiretight._core.base.once cimport (
    wt_once_get, wt_once_init, wt_once_set, wt_owners_init, wt_owners_join, wt_owners_leave,
)
from wiretight._core.openssl.x509 cimport X509_NAME_cmp, X509_NAME_free, X509_free, d2i_X509, d2i_X509_NAME
from wiretight._core.x509.blocks cimport BLOCK_FOUND, BLOCK_NONE, Text, next_block
from wiretight._core.x509.structure cimport Span, is_usual_certificate

cdef enum:
    FIRST_PLACES = 256
    MOST_PLACES = 4096      # whose names are decoded in the middle of a handshake, in some 20 ms


# --- reading ---------------------------------------------------------------------------------------------------------
cdef Index *index_of(bytes content) noexcept:
    """Also NULL for want of memory: OpenSSL notices the same, and there is one way to report it."""
    cdef Index *index
    cdef Text text
    cdef size_t size = len(content)
    if size > INT32_MAX:
        return NULL
    text.at = content
    text.end = text.at + size
    with nogil:
        index = <Index *>calloc(1, sizeof(Index))
        if index != NULL:
            wt_owners_init(&index.owners)
            wt_once_init(&index.subjects)
            if not read_blocks(index, &text):
                drop_index(index)
                index = NULL
    return index


cdef bint read_blocks(Index *index, Text *text) noexcept nogil:
    cdef size_t size = 0, length = 0
    cdef int found
    index.der = <unsigned char *>malloc((text.end - text.at) // 4 * 3 + 3)
    if index.der == NULL:
        return False
    while has_place(index):
        found = next_block(text, index.der + size, &length)
        if found != BLOCK_FOUND:
            return found == BLOCK_NONE and index.count > 0 and is_unique(index) and shrink(index, size)
        if not put_place(index, size, length):
            return False
        size += length
    return False


cdef bint has_place(Index *index) noexcept nogil:
    """For one more certificate: its number of places is the next power of two."""
    cdef Place *places
    cdef size_t wanted = FIRST_PLACES if index.count == 0 else 2 * <size_t>index.count
    if index.count and (index.count < FIRST_PLACES or index.count & (index.count - 1)):
        return True
    if wanted > MOST_PLACES:
        return False
    places = <Place *>realloc(index.places, wanted * sizeof(Place))
    if places == NULL:
        return False
    index.places = places
    return True


cdef bint put_place(Index *index, size_t at, size_t length) noexcept nogil:
    cdef Place *place = &index.places[index.count]
    cdef Span subject
    if not is_usual_certificate(index.der + at, length, &subject):
        return False
    place.at = <uint32_t>at
    place.length = <uint32_t>length
    place.subject = place.at + subject.at
    place.subject_length = subject.length
    wt_once_init(&place.decoded)
    index.count += 1
    return True


cdef bint is_unique(const Index *index) noexcept nogil:
    """Whether no certificate is there twice, which OpenSSL would count once: told by the last bytes of the signatures.
    """
    cdef uint64_t *endings = <uint64_t *>malloc(index.count * sizeof(uint64_t))
    cdef const Place *place
    cdef bint unique = endings != NULL
    cdef int i
    if endings == NULL:
        return False
    for i in range(index.count):
        place = &index.places[i]
        memcpy(&endings[i], index.der + place.at + place.length - sizeof(uint64_t), sizeof(uint64_t))
    qsort(endings, index.count, sizeof(uint64_t), compare_endings)
    for i in range(1, index.count):
        unique = unique and endings[i] != endings[i - 1]
    free(endings)
    return unique


cdef int compare_endings(const void *one, const void *other) noexcept nogil:
    cdef uint64_t first = (<const uint64_t *>one)[0], second = (<const uint64_t *>other)[0]
    return (first > second) - (first < second)


cdef bint shrink(Index *index, size_t size) noexcept nogil:
    cdef Place *places = <Place *>realloc(index.places, index.count * sizeof(Place))
    cdef unsigned char *der = <unsigned char *>realloc(index.der, size)
    if places != NULL:
        index.places = places
    if der != NULL:
        index.der = der
    return True


# --- owners ----------------------------------------------------------------------------------------------------------
cdef Index *shared_index(Index *index) noexcept nogil:
    wt_owners_join(&index.owners)
    return index


cdef void drop_index(Index *index) noexcept nogil:
    """OpenSSL: X509_free(3)"""
    cdef int i
    if index == NULL or not wt_owners_leave(&index.owners):
        return
    for i in range(index.count):
        X509_free(<X509 *>wt_once_get(&index.places[i].decoded))
    free_subjects(<Subject *>wt_once_get(&index.subjects), index.count)
    free(index.places)
    free(index.der)
    free(index)


# --- decoding --------------------------------------------------------------------------------------------------------
cdef X509 *certificate_at(Index *index, int number) noexcept nogil:
    """OpenSSL: d2i_X509(3)"""
    cdef Place *place = &index.places[number]
    cdef X509 *known = <X509 *>wt_once_get(&place.decoded)
    cdef const unsigned char *der = index.der + place.at
    cdef X509 *decoded
    if known != NULL:
        return known
    decoded = d2i_X509(NULL, &der, place.length)
    if decoded == NULL or wt_once_set(&place.decoded, decoded):
        return decoded
    X509_free(decoded)      # another thread was faster
    return <X509 *>wt_once_get(&place.decoded)


cdef int count_decoded(Index *index) noexcept nogil:
    cdef int i, count = 0
    for i in range(index.count):
        count += wt_once_get(&index.places[i].decoded) != NULL
    return count


cdef const Subject *subjects_named(Index *index, const X509_NAME *name, int *count) noexcept nogil:
    """The first of `count` whose name is equal to that one, as OpenSSL compares names.

    OpenSSL: X509_NAME_cmp(3)
    """
    cdef const Subject *subjects = subjects_of(index)
    cdef int first = 0, behind = index.count, middle
    count[0] = 0
    if subjects == NULL:
        return NULL
    while first < behind:
        middle = first + (behind - first) // 2
        if X509_NAME_cmp(subjects[middle].name, name) < 0:
            first = middle + 1
        else:
            behind = middle
    while first + count[0] < index.count and X509_NAME_cmp(subjects[first + count[0]].name, name) == 0:
        count[0] += 1
    return subjects + first


cdef Subject *subjects_of(Index *index) noexcept nogil:
    cdef Subject *known = <Subject *>wt_once_get(&index.subjects)
    cdef Subject *decoded
    if known != NULL:
        return known
    decoded = decode_subjects(index)
    if decoded == NULL or wt_once_set(&index.subjects, decoded):
        return decoded
    free_subjects(decoded, index.count)
    return <Subject *>wt_once_get(&index.subjects)


cdef Subject *decode_subjects(Index *index) noexcept nogil:
    """OpenSSL: d2i_X509_NAME(3)"""
    cdef Subject *subjects = <Subject *>calloc(index.count, sizeof(Subject))
    cdef const unsigned char *der
    cdef int i
    if subjects == NULL:
        return NULL
    for i in range(index.count):
        der = index.der + index.places[i].subject
        subjects[i].number = i
        subjects[i].name = d2i_X509_NAME(NULL, &der, index.places[i].subject_length)
        if subjects[i].name == NULL:
            free_subjects(subjects, index.count)
            return NULL
    qsort(subjects, index.count, sizeof(Subject), compare_subjects)
    return subjects


cdef int compare_subjects(const void *one, const void *other) noexcept nogil:
    """OpenSSL: X509_NAME_cmp(3)"""
    cdef const Subject *first = <const Subject *>one
    cdef const Subject *second = <const Subject *>other
    cdef int order = X509_NAME_cmp(first.name, second.name)
    return first.number - second.number if order == 0 else order


cdef void free_subjects(Subject *subjects, int count) noexcept nogil:
    """OpenSSL: X509_NAME_free(3)"""
    cdef int i
    if subjects != NULL:
        for i in range(count):
            X509_NAME_free(subjects[i].name)
        free(subjects)


# --- what tests ask --------------------------------------------------------------------------------------------------
def certificates_in(bytes content not None, /):
    """The DER of each certificate in a PEM text, or None if that is not of the usual form, and has no index.

    Since 0.1.
    """
    cdef Index *index = index_of(content)
    cdef list found = []
    cdef Place *place
    cdef int i
    if index == NULL:
        return None
    try:
        for i in range(index.count):
            place = &index.places[i]
            found.append((index.der + place.at)[:place.length])
    finally:
        drop_index(index)
    return found
