/* Bulk: two processes, one per end. bulk.py is the same in Python. */
#include "limit.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WARM_UP = 4 };

static void receive(int fd, size_t mib, size_t recv_size, int report)
{
    char *buffer = zeroed(recv_size);
    SSL *ssl = connection(context(0), 0, fd, NULL);

    drain(ssl, buffer, recv_size, (size_t)WARM_UP * MIB);
    send_all(ssl, "k", 1);
    double start = cpu_seconds();
    drain(ssl, buffer, recv_size, mib * MIB);
    double spent = cpu_seconds() - start;
    need(write(report, &spent, sizeof spent) == sizeof spent, "write");
    exit(0);
}

void bulk(void)
{
    size_t mib = option("mib"), recv_size = option("recv_size");
    int ends[2], report[2];
    char *chunk = random_bytes(MIB), answer, parts[128];
    double receiver;

    tcp_pair(ends);
    need(pipe(report) == 0, "pipe");
    pin(0);
    pid_t child = fork();
    need(child >= 0, "fork");
    if (child == 0) {
        pin(1);
        close(ends[1]);
        receive(ends[0], mib, recv_size, report[1]);
    }
    close(ends[0]);
    SSL *ssl = connection(context(1), 1, ends[1], NULL);
    for (size_t i = 0; i < WARM_UP; i++)
        send_all(ssl, chunk, MIB);
    drain(ssl, &answer, 1, 1);
    double start = cpu_seconds();
    for (size_t i = 0; i < mib; i++)
        send_all(ssl, chunk, MIB);
    double sender = cpu_seconds() - start;
    need(read(report[0], &receiver, sizeof receiver) == sizeof receiver, "the receiving end");
    waitpid(child, NULL, 0);
    double gib = mib / 1024.0;
    snprintf(parts, sizeof parts, "\"sender\": %.9f, \"receiver\": %.9f", sender / gib, receiver / gib);
    print_sample(ssl, (sender + receiver) / gib, parts);
}
