/* Two threads, each with both ends of a connection, beside one: how many times as fast. threads.py is the same in Python. */
#include "limit.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { SIZE = 64 * 1024, TURNS = 5, WARM_UP = 8 };

struct pair {
    SSL *sender, *receiver;
    size_t mib;
};

struct acceptance {
    SSL_CTX *ctx;
    int fd;
    SSL *ssl;
};

static void *accept_one(void *argument)
{
    struct acceptance *job = argument;

    job->ssl = connection(job->ctx, 1, job->fd, NULL);
    return NULL;
}

static struct pair open_pair(SSL_CTX *client, SSL_CTX *server)
{
    int ends[2];
    pthread_t thread;
    struct pair pair = {0};

    tcp_pair(ends);
    struct acceptance job = {server, ends[1], NULL};
    need(pthread_create(&thread, NULL, accept_one, &job) == 0, "pthread_create");
    pair.sender = connection(client, 0, ends[0], NULL);
    pthread_join(thread, NULL);
    pair.receiver = job.ssl;
    return pair;
}

static void *move(void *argument)
{
    struct pair *pair = argument;
    char *data = zeroed(SIZE), *room = zeroed(SIZE);

    for (size_t i = 0; i < pair->mib * MIB / SIZE; i++) {
        send_all(pair->sender, data, SIZE);
        drain(pair->receiver, room, SIZE, SIZE);
    }
    free(data);
    free(room);
    return NULL;
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static double speedup(struct pair pairs[2])
{
    pthread_t threads[2];
    double start = seconds();

    move(&pairs[0]);
    double alone = seconds() - start;
    start = seconds();
    for (int i = 0; i < 2; i++)
        need(pthread_create(&threads[i], NULL, move, &pairs[i]) == 0, "pthread_create");
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return 2 * alone / (seconds() - start);
}

static int by_value(const void *one, const void *other)
{
    double difference = *(const double *)one - *(const double *)other;

    return (difference > 0) - (difference < 0);
}

void threads(void)
{
    size_t mib = option("mib");
    SSL_CTX *client = context(0), *server = context(1);
    struct pair pairs[2];
    double found[TURNS];

    for (int i = 0; i < 2; i++) {
        pairs[i] = open_pair(client, server);
        pairs[i].mib = WARM_UP;
        move(&pairs[i]);
        pairs[i].mib = mib;
    }
    for (int i = 0; i < TURNS; i++)
        found[i] = speedup(pairs);
    qsort(found, TURNS, sizeof *found, by_value);
    print_sample(pairs[0].sender, found[TURNS / 2], "");
}
