/* Ping-pong: two threads of one process, on one CPU. pingpong.py is the same in Python. */
#include "limit.h"
#include <pthread.h>

enum { MESSAGE = 64, WARM_UP = 500 };

struct echo {
    int fd;
    size_t round_trips, recv_size;
};

static void *echo(void *argument)
{
    struct echo *job = argument;
    char *buffer = zeroed(job->recv_size);
    SSL *ssl = connection(context(1), 1, job->fd, NULL);

    for (size_t i = 0, got; i < job->round_trips; i++) {
        need(SSL_read_ex(ssl, buffer, job->recv_size, &got) == 1, "SSL_read_ex");
        send_all(ssl, buffer, got);
    }
    return NULL;
}

static void ping(SSL *ssl, char *buffer, size_t recv_size, size_t round_trips)
{
    static const char message[MESSAGE];

    for (size_t i = 0, got; i < round_trips; i++) {
        send_all(ssl, message, MESSAGE);
        need(SSL_read_ex(ssl, buffer, recv_size, &got) == 1 && got == MESSAGE, "SSL_read_ex");
    }
}

void pingpong(void)
{
    size_t round_trips = option("round_trips"), recv_size = option("recv_size");
    int ends[2];
    char *buffer = zeroed(recv_size);
    pthread_t thread;

    tcp_pair(ends);
    pin(0);
    struct echo job = {ends[1], WARM_UP + round_trips, recv_size};
    need(pthread_create(&thread, NULL, echo, &job) == 0, "pthread_create");
    SSL *ssl = connection(context(0), 0, ends[0], NULL);
    ping(ssl, buffer, recv_size, WARM_UP);
    double start = cpu_seconds();
    ping(ssl, buffer, recv_size, round_trips);
    double spent = cpu_seconds() - start;
    pthread_join(thread, NULL);
    print_sample(ssl, spent / round_trips * 1e6, "");
}
