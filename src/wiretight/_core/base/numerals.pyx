"""Numerals: the numbers in a ClientHello as its fingerprints write them. There may be 32,767 of them, hence C."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport uint16_t
from libc.string cimport memset

cdef enum:
    RADIX = 256
    DECIMAL = 6         # the most characters of a number and its separator
    HEXADECIMAL = 5

cdef const char *DIGITS = b"0123456789abcdef"

ctypedef char *(*Notation)(char *at, uint16_t number) noexcept      # returns where it ends


cpdef bint is_grease(unsigned long number) noexcept:
    """Whether it is one of the numbers that mean nothing, and that clients send to be ignored (RFC 8701)."""
    return number & 0x0F0F == 0x0A0A and number >> 8 == number & 0xFF


@cython.final
cdef class Numerals:
    """Those of `numbers`, each of 16 bits, that mean something."""
    cdef uint16_t *numbers
    cdef size_t count

    def __cinit__(self, tuple numbers not None, /):
        cdef uint16_t number
        self.numbers = <uint16_t *>PyMem_Malloc(len(numbers) * sizeof(uint16_t))
        if self.numbers == NULL:
            raise MemoryError
        for number in numbers:
            if not is_grease(number):
                self.numbers[self.count] = number
                self.count += 1

    def __dealloc__(self):
        PyMem_Free(self.numbers)

    def __len__(self):
        return self.count

    def sort(self):
        """In time that is linear, whatever a client has chosen: by the low byte, and what comes of it by the high one.
        """
        cdef uint16_t *by_low_byte = <uint16_t *>PyMem_Malloc(self.count * sizeof(uint16_t))
        if by_low_byte == NULL:
            raise MemoryError
        sort_by_byte(self.numbers, self.count, 0, by_low_byte)
        sort_by_byte(by_low_byte, self.count, 8, self.numbers)
        PyMem_Free(by_low_byte)

    def decimal(self):
        """As in 4865-4866."""
        return self.written(DECIMAL, b"-", in_decimal)

    def hexadecimal(self):
        """In four digits each, as in 1301,1302."""
        return self.written(HEXADECIMAL, b",", in_hexadecimal)

    cdef str written(self, size_t most, char separator, Notation notation):
        cdef bytes text = PyBytes_FromStringAndSize(NULL, self.count * most)
        cdef char *start = PyBytes_AS_STRING(text)
        cdef char *end = start
        cdef size_t at
        for at in range(self.count):
            end = notation(end, self.numbers[at])
            end[0] = separator
            end += 1
        return start[:max(end - start - 1, 0)].decode("ascii")


cdef void sort_by_byte(const uint16_t *numbers, size_t count, int shift, uint16_t *result) noexcept:
    """Numbers with the same byte keep their order."""
    cdef size_t places[RADIX]       # of the next number with this byte
    cdef size_t place = 0
    cdef size_t at, byte, size
    memset(places, 0, sizeof(places))
    for at in range(count):
        places[numbers[at] >> shift & RADIX - 1] += 1
    for byte in range(RADIX):
        size = places[byte]
        places[byte] = place
        place += size
    for at in range(count):
        byte = numbers[at] >> shift & RADIX - 1
        result[places[byte]] = numbers[at]
        places[byte] += 1


cdef char *in_decimal(char *at, uint16_t number) noexcept:
    if number >= 10:
        at = in_decimal(at, number // 10)
    at[0] = DIGITS[number % 10]
    return at + 1


cdef char *in_hexadecimal(char *at, uint16_t number) noexcept:
    cdef int place
    for place in range(4):
        at[place] = DIGITS[number >> 4 * (3 - place) & 0xF]
    return at + 4
