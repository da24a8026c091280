/* The slow paths of mutex.h, for a thread that has to wait. */
#include "mutex.h"
#include "clock.h"

#include <Python.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

atomic_uint wt_process;
atomic_ulong wt_forker;

/* --- The gate --- */

/* How many threads are inside, counted on several cache lines. */
#define PATHS 16

static struct {
    atomic_int inside;
    char padding[60];
} paths[PATHS];

static atomic_int closed;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;

static atomic_int *path_of(const void *key) {
    return &paths[(uintptr_t)key / 64 % PATHS].inside;
}

/* How many times this thread is inside: an OpenSSL provider may fork there. */
static _Thread_local int own;

static _Thread_local int ends_inside;

static void end_inside(void *unused) {
    (void)unused;
    wt_gate_enter(&ends_inside);
    OPENSSL_thread_stop();
    wt_gate_leave(&ends_inside);
}

/* prepare_end() registers end_inside() for the end of this thread, which must come before OpenSSL's own destructor, of a key
   of pthreads. Destructors of keys run in the order of the keys, and OpenSSL's may be older than ours; glibc runs those of
   C++, to which the first of the two adds, before any. */
#ifdef __GLIBC__
extern int __cxa_thread_atexit_impl(void (*function)(void *), void *argument, void *library);
extern void *__dso_handle __attribute__((visibility("hidden")));

static void create_end(void) {
}

static void prepare_end(void) {
    ends_inside = __cxa_thread_atexit_impl(end_inside, NULL, &__dso_handle) == 0;
}
#else
static pthread_key_t end;

static void create_end(void) {
    (void)pthread_key_create(&end, end_inside);
}

static void prepare_end(void) {
    ends_inside = pthread_setspecific(end, &end) == 0;
}
#endif

void wt_gate_at_thread_end(void) {
    if (!ends_inside)
        prepare_end();
}

void wt_gate_enter(const void *key) {
    atomic_int *inside = path_of(key);
    wt_gate_at_thread_end();
    for (;;) {
        atomic_fetch_add(inside, 1);
        if (!atomic_load(&closed) || own > 0)
            break;
        atomic_fetch_sub(inside, 1);
        pthread_mutex_lock(&gate);
        while (atomic_load(&closed))
            pthread_cond_wait(&opened, &gate);
        pthread_mutex_unlock(&gate);
    }
    own++;
}

void wt_gate_leave(const void *key) {
    own--;
    atomic_fetch_sub_explicit(path_of(key), 1, memory_order_release);
}

static int others_inside(void) {
    int count = -own;
    for (int i = 0; i < PATHS; i++)
        count += atomic_load(&paths[i].inside);
    return count > 0;
}

/* A step of OpenSSL takes milliseconds at most. A thread still inside after a second is waiting for this fork. */
#define MAX_POLLS 50000

static void before_fork(void) {
    struct timespec moment = {0, 20000};
    pthread_mutex_lock(&gate);
    while (atomic_load(&closed))
        pthread_cond_wait(&opened, &gate);
    atomic_store(&closed, 1);
    pthread_mutex_unlock(&gate);
    for (int poll = 0; poll < MAX_POLLS && others_inside(); poll++)
        nanosleep(&moment, NULL);
}

static void after_fork_in_parent(void) {
    pthread_mutex_lock(&gate);
    atomic_store(&closed, 0);
    pthread_cond_broadcast(&opened);
    pthread_mutex_unlock(&gate);
}

/* --- The queues --- */

typedef struct waiter {
    struct waiter *next;
    wt_mutex *mutex;
    pthread_cond_t wake;
    int owns_it;
} waiter;

/* The threads waiting for any lock whose address maps to this queue, the longest-waiting first. */
typedef struct {
    pthread_mutex_t lock;
    waiter *first, *last;
} queue;

#define QUEUES 64

static queue queues[QUEUES];

static queue *queue_of(wt_mutex *mutex) {
    return &queues[(uintptr_t)mutex / sizeof(wt_mutex) % QUEUES];
}

void wt_mutex_wait(wt_mutex *mutex) {
    queue *line = queue_of(mutex);
    waiter me = {NULL, mutex, PTHREAD_COND_INITIALIZER, 0};
    pthread_mutex_lock(&line->lock);
    if (atomic_exchange_explicit(&mutex->state, WT_CONTENDED, memory_order_acquire) != WT_FREE) {
        if (line->first == NULL)
            line->first = &me;
        else
            line->last->next = &me;
        line->last = &me;
        while (!me.owns_it)
            pthread_cond_wait(&me.wake, &line->lock);
    }
    pthread_mutex_unlock(&line->lock);
    pthread_cond_destroy(&me.wake);
}

void wt_mutex_hand_over(wt_mutex *mutex) {
    queue *line = queue_of(mutex);
    waiter *before = NULL, *next, *later;
    pthread_mutex_lock(&line->lock);
    for (next = line->first; next != NULL && next->mutex != mutex; next = next->next)
        before = next;
    if (next == NULL) {
        atomic_store_explicit(&mutex->state, WT_FREE, memory_order_release);
    } else {
        if (before == NULL)
            line->first = next->next;
        else
            before->next = next->next;
        if (line->last == next)
            line->last = before;
        for (later = next->next; later != NULL && later->mutex != mutex;)
            later = later->next;
        atomic_store_explicit(&mutex->state, later == NULL ? WT_LOCKED : WT_CONTENDED, memory_order_release);
        next->owns_it = 1;
        pthread_cond_signal(&next->wake);
    }
    pthread_mutex_unlock(&line->lock);
}

void wt_mutex_lock_with_gil(wt_mutex *mutex) {
    while (!wt_mutex_try(mutex)) {
        PyThreadState *thread = PyEval_SaveThread();
        wt_mutex_lock(mutex);
        wt_mutex_unlock(mutex);
        PyEval_RestoreThread(thread);
    }
}

/* --- Waiting for a change --- */

/* A thread that waits for another one to return from Python. It may itself be running Python in a callback for which
   others wait: a cycle of these would wait forever. */
typedef struct wait_edge {
    struct wait_edge *next;
    unsigned long thread;
    atomic_ulong *caller;
} wait_edge;

static pthread_mutex_t changes = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static wait_edge *wait_edges;

static int is_finalizing(void) {
#if PY_VERSION_HEX >= 0x030D0000
    return Py_IsFinalizing();
#else
    return _Py_IsFinalizing();
#endif
}

#define POLL_INTERVAL 100000000 /* ns */

/* Called with `changes` locked, and unlocks it. Waits for at most `limit` ns, or POLL_INTERVAL if that is shorter. */
static void await_change(wt_mutex *mutex, int64_t limit) {
    struct timespec until;
    wt_mutex_unlock(mutex);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += limit < POLL_INTERVAL ? limit : POLL_INTERVAL;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec += 1;
    }
    pthread_cond_timedwait(&changed, &changes, &until);
    pthread_mutex_unlock(&changes);
    wt_mutex_lock(mutex);
}

void wt_mutex_await(wt_mutex *mutex) {
    pthread_mutex_lock(&changes);
    await_change(mutex, POLL_INTERVAL);
}

void wt_announce(void) {
    pthread_mutex_lock(&changes);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&changes);
}

/* Whether the thread in `caller` waits for `thread`, maybe through others. While `changes` is locked, the caller that a
   listed thread waits for stays the same or becomes 0. */
static int leads_to(atomic_ulong *caller, unsigned long thread) {
    unsigned long at = atomic_load(caller);
    while (at != 0 && at != thread) {
        wait_edge *next = wait_edges;
        while (next != NULL && next->thread != at)
            next = next->next;
        at = next == NULL ? 0 : atomic_load(next->caller);
    }
    return at == thread;
}

#define MAX_WAIT 1000000000 /* ns */

int wt_mutex_await_caller(wt_mutex *mutex, atomic_ulong *caller, int64_t deadline) {
    wait_edge me = {NULL, PyThread_get_thread_ident(), caller};
    int error = 0;
    int64_t now = wt_now(), until = now + MAX_WAIT;
    if (deadline >= 0 && deadline < until)
        until = deadline;
    pthread_mutex_lock(&changes);
    if (leads_to(caller, me.thread)) {
        pthread_mutex_unlock(&changes);
        return EDEADLK;
    }
    me.next = wait_edges;
    wait_edges = &me;
    pthread_mutex_unlock(&changes);
    while (error == 0 && atomic_load(caller) != 0) {
        if (is_finalizing()) {
            error = ECANCELED;
        } else if (now >= until) {
            error = EAGAIN;
        } else {
            pthread_mutex_lock(&changes);
            await_change(mutex, until - now);
            now = wt_now();
        }
    }
    pthread_mutex_lock(&changes);
    for (wait_edge **link = &wait_edges; *link != NULL; link = &(*link)->next)
        if (*link == &me) {
            *link = me.next;
            break;
        }
    pthread_mutex_unlock(&changes);
    return error;
}

/* --- fork() --- */

int wt_mutex_adopt(wt_mutex *mutex) {
    queue *line = queue_of(mutex);
    unsigned int process = atomic_load(&wt_process);
    int orphaned;
    pthread_mutex_lock(&line->lock);
    orphaned = atomic_load(&mutex->process) != process && atomic_load(&mutex->state) != WT_FREE;
    if (!orphaned)
        atomic_store(&mutex->process, process);
    pthread_mutex_unlock(&line->lock);
    return orphaned;
}

static pthread_mutex_t adoption = PTHREAD_MUTEX_INITIALIZER;

int wt_adoption_begins(atomic_uint *process) {
    pthread_mutex_lock(&adoption);
    if (atomic_load(process) != atomic_load(&wt_process))
        return 1;
    pthread_mutex_unlock(&adoption);
    return 0;
}

void wt_adoption_ends(atomic_uint *process) {
    atomic_store(process, atomic_load(&wt_process));
    pthread_mutex_unlock(&adoption);
}

/* The waiting threads exist only in the parent. */
static void after_fork_in_child(void) {
    for (int i = 0; i < QUEUES; i++)
        queues[i] = (queue){PTHREAD_MUTEX_INITIALIZER, NULL, NULL};
    for (int i = 0; i < PATHS; i++)
        atomic_store(&paths[i].inside, 0);
    own = 0;
    atomic_store(&closed, 0);
    gate = changes = adoption = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    opened = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    changed = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    wait_edges = NULL;
    atomic_store(&wt_forker, PyThread_get_thread_ident());
    atomic_fetch_add(&wt_process, 1);
}

__attribute__((constructor)) static void set_up(void) {
    for (int i = 0; i < QUEUES; i++)
        pthread_mutex_init(&queues[i].lock, NULL);
    create_end();
    (void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* --- Checks --- */

#ifdef WT_LOCK_CHECKS

static _Thread_local int held[WT_LEVEL_BIO + 1];

static void violation(const char *rule, int level) {
    fprintf(stderr, "wiretight: %s (level %d)\n", rule, level);
    abort();
}

/* PyGILState_Check() alone says yes to every thread once the interpreter has gone, as to a daemon thread that wakes. */
static int holds_gil(void) {
    return PyGILState_GetThisThreadState() != NULL && PyGILState_Check();
}

void wt_check_wait(int level) {
    if (holds_gil())
        violation("a thread waits for a lock while it holds the GIL", level);
    for (int higher = level; higher <= WT_LEVEL_BIO; higher++)
        if (held[higher])
            violation("a thread waits for a lock while it holds one of the same or a higher level", level);
}

void wt_check_locked(int level) {
    held[level]++;
}

void wt_check_unlocked(int level) {
    if (held[level]-- == 0)
        violation("a thread unlocks a lock that it does not hold", level);
}

void wt_check_holds_none(void) {
    for (int level = 0; level <= WT_LEVEL_BIO; level++)
        if (held[level])
            violation("a thread that holds a lock runs Python or waits for the GIL", level);
}

#endif
