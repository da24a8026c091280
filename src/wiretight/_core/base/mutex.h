/* The locks of this package: all of them are one of these, and follow one rule.

   Nobody waits for a lock while holding the GIL, and nobody waits for the GIL while holding a lock. A lock is held only
   while C computes: whoever has the GIL takes it with wt_mutex_try(), and where that fails gives up the GIL first and then
   waits, in wt_mutex_lock(); it is released before anything that may run Python, wait for the network or take the GIL. So a
   thread that ends where it would take the GIL, as daemon threads do at the end of the interpreter, leaves no lock behind.

   Levels: a thread waits only for a lock of a higher level than those that it holds.

   Order: first come, first served. An unlock hands the lock to the thread that has waited longest.

   fork(): a thread that computes without the GIL is inside a gate, and a fork closes it first: it waits until nobody is
   inside, so that the child finds no lock held, neither of ours nor of those that OpenSSL takes meanwhile. The fork closes
   it, not what runs before the fork in Python: that may wait for a lock of the program whose owner waits at the gate. Who
   is inside needs nothing that the forking thread has, the GIL least of all; should one not come out within a second, the
   fork goes on, and in the child a lock that another thread of the parent held is orphaned: what it protects may be half
   changed. wt_mutex_is_orphaned() tells, and has to be asked before the lock is taken.

   In a build with -Dlock_checks=true every wait is checked against the rule, and a breach aborts the process. On a
   free-threaded Python "holding the GIL" is having an attached thread state. */
#ifndef WIRETIGHT_MUTEX_H
#define WIRETIGHT_MUTEX_H

#include <stdatomic.h>
#include <stdint.h>

enum { WT_LEVEL_CONNECTION, WT_LEVEL_BIO };

typedef struct {
    atomic_int state;
    atomic_uint process; /* wt_process where it was last used */
    int level;
    int is_inside; /* whoever holds it came through the gate */
} wt_mutex;

enum { WT_FREE, WT_LOCKED, WT_CONTENDED };

/* How many forks there were between the first process and this one. */
extern atomic_uint wt_process;

/* Around what OpenSSL does without the GIL and without a lock of ours. `key` spreads the counting, and is the same for
   both. */
void wt_gate_enter(const void *key);
void wt_gate_leave(const void *key);

void wt_mutex_wait(wt_mutex *mutex);
void wt_mutex_hand_over(wt_mutex *mutex);
int wt_mutex_adopt(wt_mutex *mutex);

#ifdef WT_LOCK_CHECKS
void wt_check_wait(int level);
void wt_check_locked(int level);
void wt_check_unlocked(int level);
void wt_check_holds_none(void);
#else
#define wt_check_wait(level) ((void)0)
#define wt_check_locked(level) ((void)0)
#define wt_check_unlocked(level) ((void)0)
#define wt_check_holds_none() ((void)0)
#endif

static inline void wt_mutex_init(wt_mutex *mutex, int level) {
    atomic_init(&mutex->state, WT_FREE);
    atomic_init(&mutex->process, atomic_load_explicit(&wt_process, memory_order_relaxed));
    mutex->level = level;
    mutex->is_inside = 0;
}

/* Whether the process forked while another thread held it. */
static inline int wt_mutex_is_orphaned(wt_mutex *mutex) {
    if (atomic_load_explicit(&mutex->process, memory_order_relaxed) ==
        atomic_load_explicit(&wt_process, memory_order_relaxed))
        return 0;
    return wt_mutex_adopt(mutex);
}

/* With the GIL or without. */
static inline int wt_mutex_try(wt_mutex *mutex) {
    int expected = WT_FREE;
    int got = atomic_compare_exchange_strong_explicit(
        &mutex->state, &expected, WT_LOCKED, memory_order_acquire, memory_order_relaxed);
    if (got)
        wt_check_locked(mutex->level);
    return got;
}

/* Without the GIL. */
static inline void wt_mutex_lock(wt_mutex *mutex) {
    int expected = WT_FREE;
    wt_check_wait(mutex->level);
    if (mutex->level != WT_LEVEL_BIO)   /* which a connection takes while it is inside */
        wt_gate_enter(mutex);
    if (!atomic_compare_exchange_strong_explicit(
            &mutex->state, &expected, WT_LOCKED, memory_order_acquire, memory_order_relaxed))
        wt_mutex_wait(mutex);
    mutex->is_inside = mutex->level != WT_LEVEL_BIO;
    wt_check_locked(mutex->level);
}

static inline void wt_mutex_unlock(wt_mutex *mutex) {
    int expected = WT_LOCKED;
    int is_inside = mutex->is_inside;
    wt_check_unlocked(mutex->level);
    mutex->is_inside = 0;
    if (!atomic_compare_exchange_strong_explicit(
            &mutex->state, &expected, WT_FREE, memory_order_release, memory_order_relaxed))
        wt_mutex_hand_over(mutex);
    if (is_inside)
        wt_gate_leave(mutex);
}

static inline int wt_mutex_is_contended(wt_mutex *mutex) {
    return atomic_load_explicit(&mutex->state, memory_order_relaxed) == WT_CONTENDED;
}

/* For what cannot be done without the GIL. The order of those who wait does not hold for it. */
void wt_mutex_lock_with_gil(wt_mutex *mutex);

/* --- Waiting for a change of what a lock protects --- */

/* Gives up `mutex` until the next wt_announce(), or for a tenth of a second, and takes it again. Without the GIL. */
void wt_mutex_await(wt_mutex *mutex);
void wt_announce(void);

/* Waits, as wt_mutex_await() does, until `caller`, which `mutex` protects, is 0: it is the thread that is out in Python.
   0, or EDEADLK where that thread waits, maybe through others, for this one, or ECANCELED where it will never be back
   because the interpreter ends, or EAGAIN after a second, or at `deadline` (ns of the monotonic clock; negative: none): the
   caller looks at signals and its own time, and comes again. Without the GIL. */
int wt_mutex_await_caller(wt_mutex *mutex, atomic_ulong *caller, int64_t deadline);

#endif
