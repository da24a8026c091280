/* The clock that deadlines are read off. */
#ifndef WIRETIGHT_CLOCK_H
#define WIRETIGHT_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t wt_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* When `timeout`, in ns, will have passed: the end of the clock where that is later. */
static inline int64_t wt_deadline(int64_t timeout) {
    int64_t now = wt_now();
    return timeout > INT64_MAX - now ? INT64_MAX : now + timeout;
}

#endif
