/* The two ends of a full handshake, apart, over memory BIOs. ends.py is the same in Python; the peer here is C, too. */
#include "limit.h"
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <time.h>

enum { ENDS_WARM_UP = 5 };

static double thread_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static SSL *new_end(SSL_CTX *ctx, int server)
{
    SSL *ssl = SSL_new(ctx);

    need(ssl != NULL, "SSL_new");
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
        need(SSL_set_tlsext_host_name(ssl, "localhost") == 1 && SSL_set1_host(ssl, "localhost") == 1, "SSL_set1_host");
    }
    return ssl;
}

static int step(SSL *ssl)
{
    int result = SSL_do_handshake(ssl);
    need(result == 1 || SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ, "SSL_do_handshake");
    return result == 1;
}

static void transfer(SSL *from, SSL *to)
{
    char *data;
    long size = BIO_get_mem_data(SSL_get_wbio(from), &data);

    need(size <= 0 || BIO_write(SSL_get_rbio(to), data, (int)size) == size, "BIO_write");
    need(BIO_reset(SSL_get_wbio(from)) == 1, "BIO_reset");
}

/* Shakes hands once; what each end has spent. */
static void shake_hands(SSL *ends[2], SSL_CTX *contexts[2], double spent[2])
{
    int done[2] = {0, 0};

    for (int end = 0; end < 2; end++) {
        double start = thread_seconds();
        ends[end] = new_end(contexts[end], end);
        spent[end] = thread_seconds() - start;
    }
    while (!done[0] || !done[1])
        for (int end = 0; end < 2; end++) {
            double start = thread_seconds();
            done[end] = step(ends[end]);
            spent[end] += thread_seconds() - start;
            transfer(ends[end], ends[!end]);
        }
}

static int compare(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double median_us(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return (values[(count - 1) / 2] + values[count / 2]) / 2 * 1e6;
}

void ends(void)
{
    size_t count = option("handshakes");
    SSL_CTX *contexts[2] = {context(0), context(1)};
    double *spent[2] = {zeroed(count * sizeof(double)), zeroed(count * sizeof(double))};
    SSL *both[2] = {NULL, NULL};
    char parts[128];

    pin(0);
    for (size_t i = 0; i < ENDS_WARM_UP + count; i++) {
        double once[2];
        SSL_free(both[0]);
        SSL_free(both[1]);
        shake_hands(both, contexts, once);
        for (int end = 0; end < 2 && i >= ENDS_WARM_UP; end++)
            spent[end][i - ENDS_WARM_UP] = once[end];
    }
    need(!strcasecmp(SSL_group_to_name(both[0], SSL_get_negotiated_group(both[0])), text_option("group")), "the group");
    double client = median_us(spent[0], count), server = median_us(spent[1], count);
    snprintf(parts, sizeof parts, "\"client\": %.3f, \"server\": %.3f", client, server);
    print_sample(both[0], client + server, parts);
}
