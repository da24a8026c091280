"""RecordCount: how many TLS records have passed."""

from libc.stdint cimport uint64_t

cdef enum:
    HEADER = 5      # bytes, RFC 8446, 5.1


cdef struct RecordCount:
    uint64_t count
    unsigned char header[5]
    unsigned int header_size
    size_t body_left


cdef inline void count_records(RecordCount *records, const unsigned char *data, size_t size) noexcept nogil:
    """Follows the record headers through a stream that comes in any pieces."""
    cdef size_t share
    while size:
        if records.body_left == 0:
            records.header[records.header_size] = data[0]
            records.header_size += 1
            data += 1
            size -= 1
            if records.header_size == HEADER:
                records.header_size = 0
                records.body_left = (<size_t>records.header[3] << 8) | records.header[4]
                records.count += 1
        else:
            share = min(size, records.body_left)
            records.body_left -= share
            data += share
            size -= share
