/* What the measures of the limit share: the options, both ends of a connection, the clock, and the sample as JSON. */
#ifndef LIMIT_H
#define LIMIT_H

#define _GNU_SOURCE
#include <openssl/ssl.h>
#include <stddef.h>

enum { MIB = 1 << 20 };

/* naive: SSL_set_fd() on a blocking socket. Otherwise: a BIO that takes what the kernel has, and gathers what leaves (batched.c). */
extern int naive;

void bulk(void);
void pingpong(void);
void handshake(void);
void ends(void);
void contexts(void);
void idle(void);
void threads(void);

/* What is behind NAME= on the command line, as a number or as it is; it must be there. */
size_t option(const char *name);
const char *text_option(const char *name);
void fail(const char *what);
void need(int ok, const char *what);
void *zeroed(size_t size);
void *random_bytes(size_t size);
double cpu_seconds(void);
long resident_kib(void);
/* The first or the last CPU that this process may use, as endpoints.py chooses them. */
void pin(int last);
void print_sample(SSL *ssl, double value, const char *parts);

void tcp_pair(int ends[2]);
SSL_CTX *context(int server);
/* A connection that has shaken hands; SESSION may be NULL. */
SSL *connection(SSL_CTX *ctx, int server, int fd, SSL_SESSION *session);
void send_all(SSL *ssl, const void *data, size_t size);
void drain(SSL *ssl, char *buffer, size_t recv_size, size_t size);
void set_batched(SSL *ssl, int fd);
void flush(SSL *ssl);

#endif
