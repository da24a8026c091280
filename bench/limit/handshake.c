/* Handshakes, full or resumed: two threads of one process, on one CPU. handshake.py is the same in Python. */
#include "limit.h"
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { WARM_UP = 5 };

struct server {
    SSL_CTX *ctx;
    int (*pairs)[2];
    size_t count;
};

/* The byte makes the client read the session tickets too, which TLS 1.3 sends after the handshake. */
static void *serve(void *argument)
{
    struct server *job = argument;

    for (size_t i = 0; i < job->count; i++) {
        SSL *ssl = connection(job->ctx, 1, job->pairs[i][1], NULL);
        send_all(ssl, "k", 1);
        SSL_free(ssl);
        close(job->pairs[i][1]);
    }
    return NULL;
}

static SSL_SESSION *run(SSL_CTX *client, SSL_CTX *server, size_t count, int resumed, SSL_SESSION *session, int report)
{
    int(*pairs)[2] = zeroed(count * sizeof *pairs);
    pthread_t thread;
    char answer;

    for (size_t i = 0; i < count; i++)
        tcp_pair(pairs[i]);
    struct server job = {server, pairs, count};
    double start = cpu_seconds();
    need(pthread_create(&thread, NULL, serve, &job) == 0, "pthread_create");
    SSL *ssl = NULL;
    for (size_t i = 0; i < count; i++) {
        SSL_free(ssl);
        ssl = connection(client, 0, pairs[i][0], session);
        need(session == NULL || SSL_session_reused(ssl), "the resumption");
        drain(ssl, &answer, 1, 1);
        if (resumed) {
            SSL_SESSION_free(session);
            session = SSL_get1_session(ssl);
        }
        /* As if it had been shut down: OpenSSL would not resume the session of a connection that broke. */
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        close(pairs[i][0]);
    }
    pthread_join(thread, NULL);
    if (report)
        print_sample(ssl, (cpu_seconds() - start) / count * 1e6, "");
    SSL_free(ssl);
    free(pairs);
    return session;
}

void handshake(void)
{
    size_t count = option("handshakes");
    int resumed = (int)option("resumed");
    SSL_CTX *client = context(0), *server = context(1);

    pin(0);
    SSL_SESSION *session = run(client, server, WARM_UP, resumed, NULL, 0);
    SSL_SESSION_free(run(client, server, count, resumed, session, 1));
}
