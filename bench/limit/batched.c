/*
 * The best-effort BIO: one recv() takes all records that the kernel has, one send() gives it all records of a call.
 *
 * OpenSSL reads a record in two pieces, its header and its rest, and writes each record of a long SSL_write() on its own. On a plain
 * socket BIO every one of these is a system call. Here they are copies from and to a buffer.
 *
 * OpenSSL: BIO_meth_new(3), BIO_set_data(3), SSL_set_bio(3)
 */
#include "limit.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { TAKE = 64 * 1024, GATHER = 256 * 1024 };

/* What was taken stays with its connection until OpenSSL asks for it; what is gathered leaves before the call ends. */
struct batch {
    int fd;
    size_t from, to;
    char taken[TAKE];
};

static _Thread_local char gathered[GATHER];
static _Thread_local size_t waiting;

static int take(BIO *bio, char *into, int wanted)
{
    struct batch *batch = BIO_get_data(bio);

    if (batch->from == batch->to) {
        ssize_t got = recv(batch->fd, batch->taken, TAKE, 0);
        if (got <= 0)
            return (int)got;
        batch->from = 0;
        batch->to = got;
    }
    size_t here = batch->to - batch->from;
    if (here > (size_t)wanted)
        here = wanted;
    memcpy(into, batch->taken + batch->from, here);
    batch->from += here;
    return (int)here;
}

static int give(struct batch *batch)
{
    for (size_t sent = 0; sent < waiting;) {
        ssize_t now = send(batch->fd, gathered + sent, waiting - sent, MSG_NOSIGNAL);
        if (now < 0)
            return 0;
        sent += now;
    }
    waiting = 0;
    return 1;
}

static int gather(BIO *bio, const char *from, int size)
{
    struct batch *batch = BIO_get_data(bio);

    if (waiting + size > GATHER && !give(batch))
        return -1;
    memcpy(gathered + waiting, from, size);
    waiting += size;
    return size;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? give(BIO_get_data(bio)) : command == BIO_CTRL_DUP;
}

static int destroy(BIO *bio)
{
    free(BIO_get_data(bio));
    return 1;
}

static BIO_METHOD *method;

/* Before main(), so that no two threads make it. */
__attribute__((constructor)) static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "batched socket");
    need(method != NULL && BIO_meth_set_read(method, take) && BIO_meth_set_write(method, gather) &&
             BIO_meth_set_ctrl(method, control) && BIO_meth_set_destroy(method, destroy),
         "BIO_meth_new");
}

void set_batched(SSL *ssl, int fd)
{
    struct batch *batch = malloc(sizeof *batch);
    BIO *bio = BIO_new(method);

    need(batch != NULL && bio != NULL, "BIO_new");
    batch->fd = fd;
    batch->from = batch->to = 0;
    BIO_set_data(bio, batch);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
}

void flush(SSL *ssl)
{
    need(BIO_flush(SSL_get_wbio(ssl)) == 1, "send");
}
