/* What threads share without a lock: a pointer that is set once, and a count of owners. */
#ifndef WIRETIGHT_ONCE_H
#define WIRETIGHT_ONCE_H

#include <stdatomic.h>
#include <stddef.h>

typedef _Atomic(void *) wt_once;
typedef atomic_size_t wt_owners;

static inline void wt_once_init(wt_once *once) {
    atomic_init(once, NULL);
}

/* NULL until it is set. */
static inline void *wt_once_get(wt_once *once) {
    return atomic_load_explicit(once, memory_order_acquire);
}

/* Whether this thread was the first; otherwise the value stays the caller's, and wt_once_get() has that of the first. */
static inline int wt_once_set(wt_once *once, void *value) {
    void *expected = NULL;
    return atomic_compare_exchange_strong_explicit(
        once, &expected, value, memory_order_acq_rel, memory_order_acquire);
}

/* The caller is the first owner. */
static inline void wt_owners_init(wt_owners *owners) {
    atomic_init(owners, 1);
}

static inline void wt_owners_join(wt_owners *owners) {
    atomic_fetch_add_explicit(owners, 1, memory_order_relaxed);
}

/* Whether that was the last one. */
static inline int wt_owners_leave(wt_owners *owners) {
    return atomic_fetch_sub_explicit(owners, 1, memory_order_acq_rel) == 1;
}

#endif
