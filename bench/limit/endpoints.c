/* Both ends of a connection: a TCP pair, contexts, connections, and the calls on them. */
#include "limit.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

extern const char *folder;

void tcp_pair(int ends[2])
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

SSL_CTX *context(int server)
{
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

    need(ctx != NULL, "SSL_CTX_new");
    if (server) {
        need(SSL_CTX_use_certificate_chain_file(ctx, in_folder("chain.pem")) == 1, "loading chain.pem");
        need(SSL_CTX_use_PrivateKey_file(ctx, in_folder("key.pem"), SSL_FILETYPE_PEM) == 1, "loading key.pem");
        need(SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"limit", 5) == 1, "SSL_CTX_set_session_id_context");
    } else {
        need(SSL_CTX_load_verify_locations(ctx, in_folder("ca.pem"), NULL) == 1, "loading ca.pem");
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    }
    return ctx;
}

SSL *connection(SSL_CTX *ctx, int server, int fd, SSL_SESSION *session)
{
    SSL *ssl = SSL_new(ctx);

    need(ssl != NULL, "SSL_new");
    if (naive)
        need(SSL_set_fd(ssl, fd) == 1, "SSL_set_fd");
    else
        set_batched(ssl, fd);
    if (server) {
        need(SSL_accept(ssl) == 1, "SSL_accept");
    } else {
        need(SSL_set_tlsext_host_name(ssl, "localhost") == 1 && SSL_set1_host(ssl, "localhost") == 1, "SSL_set1_host");
        need(session == NULL || SSL_set_session(ssl, session) == 1, "SSL_set_session");
        need(SSL_connect(ssl) == 1, "SSL_connect");
    }
    return ssl;
}

void send_all(SSL *ssl, const void *data, size_t size)
{
    size_t written;
    need(SSL_write_ex(ssl, data, size, &written) == 1 && written == size, "SSL_write_ex");
    if (!naive)
        flush(ssl);
}

void drain(SSL *ssl, char *buffer, size_t recv_size, size_t size)
{
    for (size_t got; size; size -= got)
        need(SSL_read_ex(ssl, buffer, recv_size < size ? recv_size : size, &got) == 1, "SSL_read_ex");
}
