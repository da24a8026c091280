/* The clock for deadlines. */
#ifndef WIRETIGHT_CLOCK_H
#define WIRETIGHT_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t wt_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The time at which `timeout`, in ns, expires; at most the clock's maximum. */
static inline int64_t wt_deadline(int64_t timeout) {
    int64_t now = wt_now();
    return timeout > INT64_MAX - now ? INT64_MAX : now + timeout;
}

#endif
