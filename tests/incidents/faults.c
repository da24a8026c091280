/* Faults for the core: a library to preload, and to command by ctypes.

   Only calls that the core itself makes are touched: faults_scope() names the addresses of its code. The peer, the
   interpreter and the test work undisturbed beside it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

static uintptr_t scope_start, scope_end;
#define BY_THE_CORE \
    ((uintptr_t)__builtin_return_address(0) >= scope_start && (uintptr_t)__builtin_return_address(0) < scope_end)

void faults_scope(uintptr_t start, uintptr_t end) {
    scope_start = start;
    scope_end = end;
}

/* --- System calls ------------------------------------------------------------------------------------------------ */

static size_t most;                 /* bytes that one call moves; 0 for no limit */
static unsigned interrupted, later; /* of 256 calls: how many fail with EINTR, with EAGAIN */
static uint32_t chance = 1;
static long calls, cut_at = -1;
static int cut_peer, cut_by_reset;

enum { FIN, RST };

void faults_calls(size_t at_most, unsigned eintr, unsigned eagain, uint32_t seed) {
    most = at_most;
    interrupted = eintr;
    later = eagain;
    chance = seed ? seed : 1;
    calls = 0;
    cut_at = -1;
}

/* Right before the call number `at`, `peer` ends the connection. */
void faults_cut(int peer, long at, int how) {
    cut_peer = peer;
    cut_at = at;
    cut_by_reset = how == RST;
}

long faults_calls_made(void) { return calls; }

static unsigned one_of_256(void) {
    chance ^= chance << 13;
    chance ^= chance >> 17;
    chance ^= chance << 5;
    return chance >> 8 & 255;
}

/* Whether this call fails, with errno set. */
static int fails(int may_wait) {
    static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    unsigned drawn;
    if (calls++ == cut_at) {
        if (cut_by_reset)
            connect(cut_peer, &nobody, sizeof nobody); /* a TCP socket disconnects by a reset */
        else
            shutdown(cut_peer, SHUT_WR);
    }
    if (!interrupted && !later)
        return 0;
    drawn = one_of_256();
    if (drawn < interrupted) {
        errno = EINTR;
        return 1;
    }
    if (!may_wait && drawn - interrupted < later) {
        errno = EAGAIN;
        return 1;
    }
    return 0;
}

ssize_t recv(int fd, void *buffer, size_t size, int flags) {
    static ssize_t (*real)(int, void *, size_t, int);
    if (real == NULL)
        real = (ssize_t (*)(int, void *, size_t, int))dlsym(RTLD_NEXT, "recv");
    if (BY_THE_CORE) {
        if (fails(!(flags & MSG_DONTWAIT)))
            return -1;
        if (most && size > most)
            size = most;
    }
    return real(fd, buffer, size, flags);
}

ssize_t send(int fd, const void *buffer, size_t size, int flags) {
    static ssize_t (*real)(int, const void *, size_t, int);
    if (real == NULL)
        real = (ssize_t (*)(int, const void *, size_t, int))dlsym(RTLD_NEXT, "send");
    if (BY_THE_CORE) {
        if (fails(0))
            return -1;
        if (most && size > most)
            size = most;
    }
    return real(fd, buffer, size, flags);
}

int poll(struct pollfd *entries, nfds_t count, int milliseconds) {
    static int (*real)(struct pollfd *, nfds_t, int);
    if (real == NULL)
        real = (int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll");
    if (BY_THE_CORE && fails(1))
        return -1;
    return real(entries, count, milliseconds);
}

/* --- Allocations ------------------------------------------------------------------------------------------------- */

static long allocations, fail_at;
static pthread_t starved;
static int starving, spared;

/* Of the last faults_call(). */
long faults_allocations_made(void) { return allocations; }

static int out_of_memory(void) {
    return starving && !spared && pthread_equal(starved, pthread_self()) && allocations++ == fail_at;
}

void *malloc(size_t size) { return BY_THE_CORE && out_of_memory() ? NULL : __libc_malloc(size); }

void *calloc(size_t count, size_t size) {
    return BY_THE_CORE && out_of_memory() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) { return BY_THE_CORE && out_of_memory() ? NULL : __libc_realloc(old, size); }

/* In the middle of faults_call(): whether the allocations of others, which are not tested, are spared. */
void faults_spare(int others) { spared = others; }

/* For CRYPTO_set_mem_functions(3). */
void *faults_openssl_malloc(size_t size, const char *file, int line) {
    (void)file, (void)line;
    return size == 0 || out_of_memory() ? NULL : __libc_malloc(size);
}

void *faults_openssl_realloc(void *old, size_t size, const char *file, int line) {
    (void)file, (void)line;
    if (size == 0) {
        free(old);
        return NULL;
    }
    return out_of_memory() ? NULL : __libc_realloc(old, size);
}

void faults_openssl_free(void *old, const char *file, int line) {
    (void)file, (void)line;
    free(old);
}

/* For PyMem_SetAllocator(), in each of its three domains. */
typedef struct {
    void *context;
    void *(*malloc)(void *, size_t);
    void *(*calloc)(void *, size_t, size_t);
    void *(*realloc)(void *, void *, size_t);
    void (*free)(void *, void *);
} allocator;

enum { MEM = 1, DOMAINS = 3 };

static allocator of_python[DOMAINS];

/* Whether PyList_New() asks. Only without a GIL is that by PyMem_Malloc(), and there it frees a list that it has not
   filled in where there is none: python/cpython#152125. To be removed when no such Python is tested any more. */
static int in_a_new_list(void) {
    void *callers[5];
    Dl_info known;
    int count = backtrace(callers, 5);
    for (int i = 0; i < count; i++)
        if (dladdr(callers[i], &known) && known.dli_sname != NULL && strcmp(known.dli_sname, "PyList_New") == 0)
            return 1;
    return 0;
}

static void *python_malloc(void *of, size_t size) {
    const allocator *real = of;
    return out_of_memory() && !(real == &of_python[MEM] && in_a_new_list()) ? NULL : real->malloc(real->context, size);
}

static void *python_calloc(void *of, size_t count, size_t size) {
    const allocator *real = of;
    return out_of_memory() ? NULL : real->calloc(real->context, count, size);
}

static void *python_realloc(void *of, void *old, size_t size) {
    const allocator *real = of;
    return out_of_memory() ? NULL : real->realloc(real->context, old, size);
}

static void python_free(void *of, void *old) {
    const allocator *real = of;
    real->free(real->context, old);
}

/* The interpreter's allocations count from now on. */
void faults_python(void) {
    void (*get)(int, allocator *) = (void (*)(int, allocator *))dlsym(RTLD_DEFAULT, "PyMem_GetAllocator");
    void (*set)(int, allocator *) = (void (*)(int, allocator *))dlsym(RTLD_DEFAULT, "PyMem_SetAllocator");
    for (int domain = 0; domain < DOMAINS; domain++) {
        allocator ours = {&of_python[domain], python_malloc, python_calloc, python_realloc, python_free};
        get(domain, &of_python[domain]);
        set(domain, &ours);
    }
}

/* What function(*arguments) returns, with allocation number `at` failing of those that this thread makes in it. None
   fails for a negative number. Called by ctypes.PyDLL, so that nothing else in Python is short of memory. */
void *faults_call(long at, void *function, void *arguments) {
    void *(*call)(void *, void *) = (void *(*)(void *, void *))dlsym(RTLD_DEFAULT, "PyObject_CallObject");
    void *result;
    starved = pthread_self();
    allocations = 0;
    fail_at = at;
    starving = 1;
    result = call(function, arguments);
    starving = 0;
    return result;
}

/* --- A thread's end ---------------------------------------------------------------------------------------------- */

static _Thread_local int takes_its_time;

/* From now on each free() of this thread takes ten milliseconds: what it does at its end can be met in the middle. */
void faults_slow_frees(void) { takes_its_time = 1; }

void free(void *old) {
    static const struct timespec a_while = {0, 10000000};
    if (takes_its_time)
        nanosleep(&a_while, NULL);
    __libc_free(old);
}
