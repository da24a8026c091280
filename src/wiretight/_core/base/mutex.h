/* The only kind of lock in this package, and the rule for all of them.

   No thread waits for a lock while holding the GIL, or for the GIL while holding a lock. A lock is held only while C
   computes: a thread with the GIL acquires it with wt_mutex_try(), and if that fails, releases the GIL and waits in
   wt_mutex_lock(). It is released before anything that may run Python, wait for the network or acquire the GIL. So a
   thread that ends while acquiring the GIL, as daemon threads do at interpreter shutdown, leaves no lock behind.

   Levels: a thread waits only for a lock of a higher level than those that it holds.

   Order: first come, first served. An unlock hands the lock to the thread that has waited longest.

   fork(): a thread that computes without the GIL is inside a gate. A fork closes the gate and waits until nobody is
   inside, so that the child finds every lock free, ours and those that OpenSSL acquires meanwhile. The gate is closed
   in fork() itself and not in Python's hooks before it, which may wait for a lock whose owner waits at the gate. A
   thread inside needs nothing that the forking thread holds, least of all the GIL. If one has not left after a second,
   the fork proceeds, and in the child a lock held by another thread of the parent is orphaned: what it protects may be
   half changed. Check wt_mutex_is_orphaned() before acquiring a lock.

   In a build with -Dlock_checks=true every wait is checked against the rule, and a violation aborts the process. On a
   free-threaded Python "holding the GIL" is having an attached thread state. */
#ifndef WIRETIGHT_MUTEX_H
#define WIRETIGHT_MUTEX_H

#include <Python.h>
#include <stdatomic.h>
#include <stdint.h>

enum { WT_LEVEL_CONNECTION, WT_LEVEL_CHAINS, WT_LEVEL_BIO };

typedef struct {
    atomic_int state;
    atomic_uint process; /* wt_process of the process that last used it */
    int level;
    int is_inside; /* its holder is inside the gate */
} wt_mutex;

enum { WT_FREE, WT_LOCKED, WT_CONTENDED };

/* The number of forks between the first process and this one. */
extern atomic_uint wt_process;

/* The thread that forked this process; 0 if none did. A lost thread's number may be another's by now. */
extern atomic_ulong wt_forker;

/* What counts threads of the parent is set right by the first thread that uses it in a child. It is that thread if
   wt_adoption_begins(), and others wait until wt_adoption_ends(). `process` is the one in which it was last right. */
int wt_adoption_begins(atomic_uint *process);
void wt_adoption_ends(atomic_uint *process);

/* Enclose whatever OpenSSL does without the GIL and without a lock of ours. `key` selects a counter; pass the same one
   to both. */
void wt_gate_enter(const void *key);
void wt_gate_leave(const void *key);

/* What OpenSSL keeps for this thread (its errors, its random generators) it frees at the thread's end under a lock of its
   own, for which a child waits forever that was forked in the middle. So it is freed inside the gate. wt_gate_enter()
   sees to it, and so does forget_errors(), with which most uses of OpenSSL with the GIL begin; the others call this. */
void wt_gate_at_thread_end(void);

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

/* With the GIL or without. Where there is no GIL, nothing but the gate keeps a fork away from its holder. */
static inline int wt_mutex_try(wt_mutex *mutex) {
    int expected = WT_FREE;
    int got;
#ifdef Py_GIL_DISABLED
    wt_gate_enter(mutex);
#endif
    got = atomic_compare_exchange_strong_explicit(
        &mutex->state, &expected, WT_LOCKED, memory_order_acquire, memory_order_relaxed);
    if (got)
        wt_check_locked(mutex->level);
#ifdef Py_GIL_DISABLED
    if (got)
        mutex->is_inside = 1;
    else
        wt_gate_leave(mutex);
#endif
    return got;
}

/* Without the GIL. */
static inline void wt_mutex_lock(wt_mutex *mutex) {
    int expected = WT_FREE;
    wt_check_wait(mutex->level);
    if (mutex->level != WT_LEVEL_BIO)   /* a connection that acquires one of those is inside already */
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

/* For work that needs the GIL. Its waiters have no place in the order. */
void wt_mutex_lock_with_gil(wt_mutex *mutex);

/* --- Waiting for a change of the protected state --- */

/* Releases `mutex` until the next wt_announce(), or for a tenth of a second, and reacquires it. Without the GIL. */
void wt_mutex_await(wt_mutex *mutex);
void wt_announce(void);

/* Waits, as wt_mutex_await() does, until `caller`, the thread that runs Python, is 0; `mutex` protects it. Returns 0;
   EDEADLK if that thread waits, maybe through others, for this one; ECANCELED if it will never return because the
   interpreter is shutting down; EAGAIN after a second or at `deadline` (ns of the monotonic clock; negative: none), so
   that the caller can check signals and its own deadline, and retry. Without the GIL. */
int wt_mutex_await_caller(wt_mutex *mutex, atomic_ulong *caller, int64_t deadline);

#endif
