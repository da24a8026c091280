/*
 * Memory of a bare idle connection: OpenSSL's, with the read and write buffers given back (SSL_MODE_RELEASE_BUFFERS), as the standard
 * library has it. idle.py is the same in Python.
 */
#include "limit.h"
#include <pthread.h>

enum { WARM_UP = 20 };

struct job {
    SSL_CTX *ctx;
    int (*pairs)[2];
    size_t count;
    SSL **kept;
};

static void *serve(void *argument)
{
    struct job *job = argument;
    char answer;

    for (size_t i = 0; i < job->count; i++) {
        job->kept[i] = connection(job->ctx, 1, job->pairs[i][1], NULL);
        send_all(job->kept[i], "k", 1);
        drain(job->kept[i], &answer, 1, 1);
    }
    return NULL;
}

static SSL *open_pairs(SSL_CTX *client, SSL_CTX *server, size_t count)
{
    int(*pairs)[2] = zeroed(count * sizeof *pairs);
    SSL **kept = zeroed(2 * count * sizeof *kept);
    pthread_t thread;
    char answer;

    for (size_t i = 0; i < count; i++)
        tcp_pair(pairs[i]);
    struct job job = {server, pairs, count, kept};
    need(pthread_create(&thread, NULL, serve, &job) == 0, "pthread_create");
    for (size_t i = 0; i < count; i++) {
        kept[count + i] = connection(client, 0, pairs[i][0], NULL);
        drain(kept[count + i], &answer, 1, 1);
        send_all(kept[count + i], "k", 1);
    }
    pthread_join(thread, NULL);
    return kept[0];
}

void idle(void)
{
    size_t connections = option("connections");
    SSL_CTX *client = context(0), *server = context(1);

    SSL_CTX_set_mode(client, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_mode(server, SSL_MODE_RELEASE_BUFFERS);
    open_pairs(client, server, WARM_UP);
    long before = resident_kib();
    SSL *ssl = open_pairs(client, server, connections);
    print_sample(ssl, (resident_kib() - before) / 2.0 / connections, "");
}
