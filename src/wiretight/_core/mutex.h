/* The lock of a connection: one atomic operation when it is free, and first come, first served when it is not, so that a
   thread with a long write cannot keep a reader of the same connection out. */
#ifndef WIRETIGHT_MUTEX_H
#define WIRETIGHT_MUTEX_H

#include <pythread.h>
#include <stdatomic.h>

typedef struct {
    atomic_int count;         /* the holder and everyone who waits */
    PyThread_type_lock gate;  /* opened by a holder for the first who waits */
} wt_mutex;

static inline int wt_mutex_init(wt_mutex *mutex) {
    atomic_init(&mutex->count, 0);
    mutex->gate = PyThread_allocate_lock();
    if (mutex->gate == NULL)
        return -1;
    PyThread_acquire_lock(mutex->gate, WAIT_LOCK);
    return 0;
}

static inline void wt_mutex_destroy(wt_mutex *mutex) {
    if (mutex->gate != NULL) {
        PyThread_release_lock(mutex->gate);
        PyThread_free_lock(mutex->gate);
    }
}

/* In the child of a fork: `count` is 1 if this thread holds it, else 0. No other thread is there. */
static inline void wt_mutex_after_fork(wt_mutex *mutex, int count) {
    PyThread_acquire_lock(mutex->gate, NOWAIT_LOCK);
    atomic_init(&mutex->count, count);
}

static inline int wt_mutex_try(wt_mutex *mutex) {
    int free_count = 0;
    return atomic_compare_exchange_strong_explicit(
        &mutex->count, &free_count, 1, memory_order_acquire, memory_order_relaxed);
}

static inline void wt_mutex_lock(wt_mutex *mutex) {
    if (atomic_fetch_add_explicit(&mutex->count, 1, memory_order_acquire) > 0)
        PyThread_acquire_lock(mutex->gate, WAIT_LOCK);
}

static inline void wt_mutex_unlock(wt_mutex *mutex) {
    if (atomic_fetch_sub_explicit(&mutex->count, 1, memory_order_release) > 1)
        PyThread_release_lock(mutex->gate);
}

static inline int wt_mutex_contended(wt_mutex *mutex) {
    return atomic_load_explicit(&mutex->count, memory_order_relaxed) > 1;
}

#endif
