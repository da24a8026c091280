/* What the connections of one context have done, in numbers of 64 bits that any thread may move, without a lock.

   A number is exact once the thread that moved it was heard of otherwise; between two numbers, there is no order. */
#ifndef WIRETIGHT_TALLY_H
#define WIRETIGHT_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    WT_SHARDS = 8,    /* threads that move bytes at once would wait for each other's cache line */
    WT_KINDS = 256,   /* more than a peer brings about that does not want to fill it: see connection/outcomes.pyx */
    WT_FAMILIES = 8,
    WT_BUCKETS = 14,
};

/* The upper limits of the buckets in which handshakes are counted by their duration, in ns; the last has none. */
static const int64_t wt_bucket_limits[WT_BUCKETS] = {
    1000000,    2500000,    5000000,    10000000,   25000000,   50000000,    100000000,
    250000000,  500000000,  1000000000, 2500000000, 5000000000, 10000000000, INT64_MAX,
};

typedef atomic_uint_fast64_t wt_number;

typedef struct {
    wt_number bytes_in, bytes_out, records_in, records_out;
    uint64_t rest_of_cache_line[4];
} wt_traffic;

typedef struct {
    wt_number key; /* 0: not used yet */
    wt_number count;
} wt_kind;

typedef struct {
    wt_traffic traffic[WT_SHARDS];
    wt_number started, done, tickets_sent;
    wt_number nanoseconds, durations[WT_BUCKETS]; /* of those that are done */
    wt_kind kinds[WT_KINDS];
    wt_number others[WT_FAMILIES]; /* of a family, for which there was no place in `kinds` */
} wt_tally;

static inline void wt_add(wt_number *number, uint64_t more) {
    atomic_fetch_add_explicit(number, more, memory_order_relaxed);
}

static inline uint64_t wt_read(const wt_number *number) {
    return atomic_load_explicit(number, memory_order_relaxed);
}

/* Counts one of the kind `key`, whose upper 8 bits are its family. */
static inline void wt_count_kind(wt_tally *tally, uint64_t key) {
    unsigned int at = (unsigned int)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 56) % WT_KINDS;
    for (int looked = 0; looked < WT_KINDS; looked++, at = (at + 1) % WT_KINDS) {
        wt_kind *kind = &tally->kinds[at];
        uint_fast64_t seen = wt_read(&kind->key);
        if (seen == 0 && atomic_compare_exchange_strong_explicit(
                &kind->key, &seen, key, memory_order_relaxed, memory_order_relaxed))
            seen = key;
        if (seen == key) {
            wt_add(&kind->count, 1);
            return;
        }
    }
    wt_add(&tally->others[(key >> 56) % WT_FAMILIES], 1);
}

static inline int wt_has_news(atomic_uint *news) {
    return atomic_load_explicit(news, memory_order_relaxed) != 0;
}

/* Whether there is news that nobody has taken, which this call does. */
static inline int wt_take_news(atomic_uint *news) {
    return wt_has_news(news) && atomic_exchange_explicit(news, 0, memory_order_acq_rel);
}

static inline void wt_count_duration(wt_tally *tally, int64_t nanoseconds) {
    int bucket = 0;
    while (nanoseconds > wt_bucket_limits[bucket])
        bucket++;
    wt_add(&tally->durations[bucket], 1);
    wt_add(&tally->nanoseconds, (uint64_t)nanoseconds);
}

#endif
