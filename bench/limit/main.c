/*
 * The limit: what C programs on the same OpenSSL cost. The samples are those of the Python files in ../measure, step by step: same
 * ends, same pinning, same warm-up, same verification of the peer. Change both or neither.
 *
 *     limit MEASURE naive|best FOLDER NAME=VALUE ...
 *
 * FOLDER holds chain.pem, key.pem and ca.pem. Prints one sample as JSON, with the same members as sample.py.
 */
#include "limit.h"
#include <openssl/err.h>
#include <openssl/rand.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *folder;
int naive;
static char **options;

void fail(const char *what)
{
    fprintf(stderr, "limit: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

void need(int ok, const char *what)
{
    if (!ok)
        fail(what);
}

const char *text_option(const char *name)
{
    size_t length = strlen(name);

    for (char **each = options; *each; each++)
        if (!strncmp(*each, name, length) && (*each)[length] == '=')
            return *each + length + 1;
    fail(name);
    return NULL;
}

size_t option(const char *name)
{
    return strtoul(text_option(name), NULL, 10);
}

void *zeroed(size_t size)
{
    void *memory = calloc(1, size);
    need(memory != NULL, "calloc");
    return memory;
}

/* Zeros that nobody has written are one page of the kernel's, which stays in the cache whatever their number. */
void *random_bytes(size_t size)
{
    void *memory = zeroed(size);
    need(RAND_bytes(memory, (int)size) == 1, "RAND_bytes");
    return memory;
}

double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

long resident_kib(void)
{
    long size, resident;
    FILE *statm = fopen("/proc/self/statm", "r");

    need(statm != NULL && fscanf(statm, "%ld %ld", &size, &resident) == 2, "/proc/self/statm");
    fclose(statm);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

void pin(int last)
{
    static cpu_set_t allowed;
    static int known;
    cpu_set_t one;
    int chosen = -1;

    if (!known) {
        need(sched_getaffinity(0, sizeof allowed, &allowed) == 0, "sched_getaffinity");
        known = 1;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && (last || chosen < 0))
            chosen = cpu;
    CPU_ZERO(&one);
    CPU_SET(chosen, &one);
    need(sched_setaffinity(0, sizeof one, &one) == 0, "sched_setaffinity");
}

void print_sample(SSL *ssl, double value, const char *parts)
{
    printf("{\"value\": %.9f, \"parts\": {%s}, \"openssl\": \"%s\"", value, parts, OpenSSL_version(OPENSSL_VERSION));
    if (ssl)
        printf(", \"protocol\": \"%s\", \"cipher\": \"%s\"", SSL_get_version(ssl), SSL_get_cipher_name(ssl));
    puts("}");
}

static const struct {
    const char *name;
    void (*take)(void);
} measures[] = {
    {"bulk", bulk}, {"pingpong", pingpong}, {"handshake", handshake}, {"ends", ends}, {"contexts", contexts},
    {"idle", idle}, {"threads", threads},
};

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: limit MEASURE naive|best FOLDER NAME=VALUE ...\n", stderr);
        return 2;
    }
    naive = !strcmp(argv[2], "naive");
    folder = argv[3];
    options = argv + 4;
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
        if (!strcmp(argv[1], measures[i].name)) {
            measures[i].take();
            return 0;
        }
    fprintf(stderr, "limit: there is no measure %s here\n", argv[1]);
    return 2;
}
