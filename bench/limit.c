/*
 * The limit: what the same OpenSSL does below the plainest C program, SSL_set_fd() on blocking sockets.
 *
 *     limit bulk      FOLDER MIB RECV_SIZE
 *     limit pingpong  FOLDER ROUND_TRIPS RECV_SIZE
 *     limit handshake FOLDER HANDSHAKES
 *
 * FOLDER holds chain.pem, key.pem and ca.pem. Prints one sample as JSON, with the same members as sample.py. The three
 * measures do step by step what bulk.py, pingpong.py and handshake.py do: same ends, same pinning, same warm-up, same
 * verification of the peer. Change both or neither.
 *
 * OpenSSL: SSL_CTX_new(3), SSL_set_fd(3), SSL_read_ex(3), SSL_write_ex(3)
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20, MESSAGE = 64, WARM_UP_MIB = 4, WARM_UP_ROUND_TRIPS = 500, WARM_UP_HANDSHAKES = 5 };

static const char *folder;

static void fail(const char *what)
{
    fprintf(stderr, "limit: %s failed\n", what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static void need(int ok, const char *what)
{
    if (!ok)
        fail(what);
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

/* The first or the last CPU that this process may use, as endpoints.py chooses them. */
static void pin(int last)
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

static void tcp_pair(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    need(listener >= 0 && bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0, "listen");
    need(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    need(connect(ends[0], (struct sockaddr *)&address, length) == 0, "connect");
    need((ends[1] = accept(listener, NULL, NULL)) >= 0, "accept");
    for (int i = 0; i < 2; i++)
        setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    close(listener);
}

static const char *in_folder(const char *name)
{
    static _Thread_local char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static SSL_CTX *context(int server)
{
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

    need(ctx != NULL, "SSL_CTX_new");
    if (server) {
        need(SSL_CTX_use_certificate_chain_file(ctx, in_folder("chain.pem")) == 1, "loading chain.pem");
        need(SSL_CTX_use_PrivateKey_file(ctx, in_folder("key.pem"), SSL_FILETYPE_PEM) == 1, "loading key.pem");
    } else {
        need(SSL_CTX_load_verify_locations(ctx, in_folder("ca.pem"), NULL) == 1, "loading ca.pem");
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }
    return ctx;
}

static SSL *connection(SSL_CTX *ctx, int server, int fd)
{
    SSL *ssl = SSL_new(ctx);

    need(ssl != NULL && SSL_set_fd(ssl, fd) == 1, "SSL_set_fd");
    if (server) {
        need(SSL_accept(ssl) == 1, "SSL_accept");
    } else {
        need(SSL_set_tlsext_host_name(ssl, "localhost") == 1 && SSL_set1_host(ssl, "localhost") == 1, "SSL_set1_host");
        need(SSL_connect(ssl) == 1, "SSL_connect");
    }
    return ssl;
}

static void send_all(SSL *ssl, const void *data, size_t size)
{
    size_t written;
    need(SSL_write_ex(ssl, data, size, &written) == 1 && written == size, "SSL_write_ex");
}

static void drain(SSL *ssl, char *buffer, size_t recv_size, size_t size)
{
    for (size_t got; size; size -= got)
        need(SSL_read_ex(ssl, buffer, recv_size < size ? recv_size : size, &got) == 1, "SSL_read_ex");
}

static void *zeroed(size_t size)
{
    void *memory = calloc(1, size);
    need(memory != NULL, "calloc");
    return memory;
}

static void print_sample(SSL *ssl, double value, const char *parts)
{
    printf("{\"value\": %.9f, \"parts\": {%s}, \"openssl\": \"%s\", \"protocol\": \"%s\", \"cipher\": \"%s\"}\n", value, parts,
           OpenSSL_version(OPENSSL_VERSION), SSL_get_version(ssl), SSL_get_cipher_name(ssl));
}

/* --- bulk: two processes, one per end ------------------------------------------------------------------------------- */

static void receive(int fd, size_t mib, size_t recv_size, int report)
{
    char *buffer = zeroed(recv_size);
    SSL *ssl = connection(context(0), 0, fd);

    drain(ssl, buffer, recv_size, (size_t)WARM_UP_MIB * MIB);
    send_all(ssl, "k", 1);
    double start = cpu_seconds();
    drain(ssl, buffer, recv_size, mib * MIB);
    double spent = cpu_seconds() - start;
    need(write(report, &spent, sizeof spent) == sizeof spent, "write");
    exit(0);
}

static void bulk(size_t mib, size_t recv_size)
{
    int ends[2], report[2];
    char *chunk = zeroed(MIB), answer, parts[128];
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
    SSL *ssl = connection(context(1), 1, ends[1]);
    for (size_t i = 0; i < WARM_UP_MIB; i++)
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

/* --- ping-pong: two threads of one process, on one CPU --------------------------------------------------------------- */

struct echo {
    int fd;
    size_t round_trips, recv_size;
};

static void *echo(void *argument)
{
    struct echo *job = argument;
    char *buffer = zeroed(job->recv_size);
    SSL *ssl = connection(context(1), 1, job->fd);

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

static void pingpong(size_t round_trips, size_t recv_size)
{
    int ends[2];
    char *buffer = zeroed(recv_size);
    pthread_t thread;

    tcp_pair(ends);
    pin(0);
    struct echo job = {ends[1], WARM_UP_ROUND_TRIPS + round_trips, recv_size};
    need(pthread_create(&thread, NULL, echo, &job) == 0, "pthread_create");
    SSL *ssl = connection(context(0), 0, ends[0]);
    ping(ssl, buffer, recv_size, WARM_UP_ROUND_TRIPS);
    double start = cpu_seconds();
    ping(ssl, buffer, recv_size, round_trips);
    double spent = cpu_seconds() - start;
    pthread_join(thread, NULL);
    print_sample(ssl, spent / round_trips * 1e6, "");
}

/* --- handshake: two threads of one process, on one CPU --------------------------------------------------------------- */

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
        SSL *ssl = connection(job->ctx, 1, job->pairs[i][1]);
        send_all(ssl, "k", 1);
        SSL_free(ssl);
        close(job->pairs[i][1]);
    }
    return NULL;
}

static void handshakes(SSL_CTX *client, SSL_CTX *server, size_t count, int report)
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
        ssl = connection(client, 0, pairs[i][0]);
        drain(ssl, &answer, 1, 1);
        close(pairs[i][0]);
    }
    pthread_join(thread, NULL);
    if (report)
        print_sample(ssl, (cpu_seconds() - start) / count * 1e6, "");
    free(pairs);
}

int main(int argc, char **argv)
{
    size_t first = argc > 3 ? strtoul(argv[3], NULL, 10) : 0, second = argc > 4 ? strtoul(argv[4], NULL, 10) : 0;

    folder = argc > 2 ? argv[2] : "";
    if (first && second && !strcmp(argv[1], "bulk")) {
        bulk(first, second);
    } else if (first && second && !strcmp(argv[1], "pingpong")) {
        pingpong(first, second);
    } else if (first && !strcmp(argv[1], "handshake")) {
        SSL_CTX *client = context(0), *server = context(1);
        pin(0);
        handshakes(client, server, WARM_UP_HANDSHAKES, 0);
        handshakes(client, server, first, 1);
    } else {
        fputs("usage: limit bulk|pingpong FOLDER COUNT RECV_SIZE, or limit handshake FOLDER COUNT\n", stderr);
        return 2;
    }
    return 0;
}
