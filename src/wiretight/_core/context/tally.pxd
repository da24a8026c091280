"""Tally: what the connections of one context have done, in numbers."""

from libc.stdint cimport int64_t, uint64_t

from wiretight._core.base.mutex cimport atomic_uint

cdef extern from "tally.h" nogil:
    enum:
        WT_SHARDS
        WT_KINDS
        WT_FAMILIES
        WT_BUCKETS
    ctypedef struct wt_number:      # atomic
        pass
    ctypedef struct wt_traffic:
        wt_number bytes_in, bytes_out, records_in, records_out
    ctypedef struct wt_kind:
        wt_number key, count
    ctypedef struct wt_tally:
        wt_traffic traffic[8]
        wt_number started, done, tickets_sent
        wt_number nanoseconds
        wt_number durations[14]
        wt_kind kinds[256]
        wt_number others[8]
    const int64_t wt_bucket_limits[14]
    void wt_add(wt_number *number, uint64_t more)
    uint64_t wt_read(const wt_number *number)
    void wt_count_kind(wt_tally *tally, uint64_t key)
    bint wt_has_news(atomic_uint *news)
    bint wt_take_news(atomic_uint *news)
    void wt_count_duration(wt_tally *tally, int64_t nanoseconds)

# What is counted by kind. A key is the family, then what tells its kinds apart.
cdef enum Family:
    VERSION = 1         # number of the protocol
    CIPHER              # OpenSSL's number of it
    GROUP               # OpenSSL's number of it
    RESUMPTION          # a Resumption
    FAILURE             # how a handshake has failed: see connection/outcomes.pyx
    ENDING              # how a connection has ended, after its handshake


cdef inline uint64_t key_of(Family family, uint64_t kind) noexcept nogil:
    return <uint64_t>family << 56 | kind


cdef class Tally:
    cdef wt_tally *numbers

    cdef dict kinds(self, Family family)        # their counts, by what follows the family in the key
    cdef uint64_t others(self, Family family)
