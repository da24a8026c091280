/* Every difference between the OpenSSL versions that wiretight supports (3.0 to 4.0) is handled here. */
#ifndef WIRETIGHT_COMPAT_H
#define WIRETIGHT_COMPAT_H

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An environment variable, unless the program runs with other rights than its caller's: as OpenSSL reads its own. */
static inline const char *wt_safe_getenv(const char *name) {
#if defined(__linux__)
    return secure_getenv(name);
#else
    return issetugid() ? NULL : getenv(name);
#endif
}

/* The name of the group of the last key exchange, or NULL. SSL_get0_group_name came with 3.2; 3.0 has the same in two
   steps. A resumed TLS 1.2 session has no group at all, which 3.0 reports as NID 0. */
static inline const char *wt_group_name(SSL *ssl) {
    if (SSL_get_session(ssl) == NULL)
        return NULL;    /* before the handshake, when both functions below would dereference NULL */
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
    return SSL_get0_group_name(ssl);
#else
    long group = SSL_get_negotiated_group(ssl);
    return group > 0 ? SSL_group_to_name(ssl, (int)group) : NULL;
#endif
}

/* The number of that group, as SSL_group_to_name() takes it; 0 for none. */
static inline long wt_group_number(SSL *ssl) {
    long group = SSL_get_session(ssl) == NULL ? 0 : SSL_get_negotiated_group(ssl);
    return group > 0 ? group : 0;
}

/* The algorithm with which the peer, or our end, signed its part of the handshake; NULL for none. Here and below, NULL
   also if OpenSSL is too old: the caller checks that by the flags of tools/openssl_tables.py. */
static inline const char *wt_signature_name(const SSL *ssl, int of_peer) {
    const char *name = NULL;
#if OPENSSL_VERSION_NUMBER >= 0x30500000L
    if (!(of_peer ? SSL_get0_peer_signature_name(ssl, &name) : SSL_get0_signature_name(ssl, &name)))
        return NULL;
#else
    (void)ssl;
    (void)of_peer;
#endif
    return name;
}

/* The names of the signature algorithms, joined by colons; for OPENSSL_free(). */
static inline char *wt_builtin_sigalgs(void) {
#if OPENSSL_VERSION_NUMBER >= 0x30400000L
    return SSL_get1_builtin_sigalgs(NULL);
#else
    return NULL;
#endif
}

/* All sessions that a server keeps itself. */
static inline void wt_forget_sessions(SSL_CTX *ctx) {
#if OPENSSL_VERSION_NUMBER >= 0x30400000L
    SSL_CTX_flush_sessions_ex(ctx, 0);
#else
    SSL_CTX_flush_sessions(ctx, 0);
#endif
}

/* The names of the groups that a context may be set to, with `aliases` also their other names. */
typedef STACK_OF(OPENSSL_CSTRING) wt_names;

static inline wt_names *wt_implemented_groups(SSL_CTX *ctx, int aliases) {
    wt_names *names = NULL;
#if OPENSSL_VERSION_NUMBER >= 0x30500000L
    names = sk_OPENSSL_CSTRING_new_null();
    if (names != NULL && !SSL_CTX_get0_implemented_groups(ctx, aliases, names)) {
        sk_OPENSSL_CSTRING_free(names);
        return NULL;
    }
#else
    (void)ctx;
    (void)aliases;
#endif
    return names;
}

static inline int wt_names_count(wt_names *names) {
    return sk_OPENSSL_CSTRING_num(names);
}

static inline const char *wt_names_value(wt_names *names, int i) {
    return sk_OPENSSL_CSTRING_value(names, i);
}

static inline void wt_names_free(wt_names *names) {
    sk_OPENSSL_CSTRING_free(names);
}

/* Before 4.0, OpenSSL accepts any server name, and the verification fails because no certificate matches it. 4.0
   rejects what it considers no host name beforehand, the one-letter "x" for instance, and reports no error. */
static inline int wt_any_host(const char *name, size_t length) {
    (void)name;
    (void)length;
    return 1;
}

static inline void wt_accept_any_host(X509_VERIFY_PARAM *param) {
#if OPENSSL_VERSION_NUMBER >= 0x40000000L
    X509_VERIFY_PARAM_set1_host_input_validation(param, wt_any_host);
#else
    (void)param;
    (void)wt_any_host;
#endif
}

/* What is wrong with the dates of a certificate at the time that `param` names, or now: X509_V_ERR_*, or X509_V_OK. */
static inline int wt_date_error(const X509_VERIFY_PARAM *param, const X509 *x509) {
#if OPENSSL_VERSION_NUMBER >= 0x40000000L
    int error = X509_V_OK;
    return X509_check_certificate_times(param, x509, &error) ? X509_V_OK : error;
#else
    unsigned long flags = X509_VERIFY_PARAM_get_flags(param);
    time_t given = X509_VERIFY_PARAM_get_time(param);
    time_t *when = flags & X509_V_FLAG_USE_CHECK_TIME ? &given : NULL;
    int order;
    if (!when && flags & X509_V_FLAG_NO_CHECK_TIME)
        return X509_V_OK;
    order = X509_cmp_time(X509_get0_notBefore(x509), when);
    if (order >= 0)
        return order ? X509_V_ERR_CERT_NOT_YET_VALID : X509_V_ERR_ERROR_IN_CERT_NOT_BEFORE_FIELD;
    order = X509_cmp_time(X509_get0_notAfter(x509), when);
    if (order <= 0)
        return order ? X509_V_ERR_CERT_HAS_EXPIRED : X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD;
    return X509_V_OK;
#endif
}

/* How a verification looks into a store. Since 4.0 some arguments of these functions are constants. */
#if OPENSSL_VERSION_NUMBER >= 0x40000000L
typedef const X509 wt_issued_x509;
typedef const X509_STORE_CTX wt_lookup_ctx;
#else
typedef X509 wt_issued_x509;
typedef X509_STORE_CTX wt_lookup_ctx;
#endif
typedef int (*wt_get_issuer)(X509 **issuer, X509_STORE_CTX *ctx, wt_issued_x509 *x509);
typedef STACK_OF(X509) *(*wt_lookup_certs)(wt_lookup_ctx *ctx, const X509_NAME *name);

static inline void wt_set_lookups(X509_STORE *store, wt_get_issuer get_issuer, wt_lookup_certs lookup_certs) {
    X509_STORE_set_get_issuer(store, get_issuer);
    X509_STORE_set_lookup_certs(store, lookup_certs);
}

/* Resets the groups of an SSL to OpenSSL's default, which has a name since 3.5. The loaded OpenSSL decides: it may be
   newer than the headers. */
static inline int wt_set_default_groups(SSL *ssl) {
    return SSL_set1_groups_list(ssl, OpenSSL_version_num() >= 0x30500000L ? "DEFAULT" :
        "X25519:P-256:X448:P-521:P-384:ffdhe2048:ffdhe3072:ffdhe4096:ffdhe6144:ffdhe8192");
}

/* Whether the connection has failed fatally, so that each further call fails too. SSL_get_error(3) documents what a
   program must not call then; nothing but this reveals the state. */
static inline int wt_in_error_state(const SSL *ssl) {
    return strcmp(SSL_state_string_long(ssl), "error") == 0;
}

/* Pre-shared keys, which an OpenSSL can be built without. */
typedef unsigned int (*wt_psk_client)(
    SSL *ssl, const char *hint, char *identity, unsigned int identity_size, unsigned char *key, unsigned int key_size);
typedef unsigned int (*wt_psk_server)(SSL *ssl, const char *identity, unsigned char *key, unsigned int key_size);

static inline void wt_set_psk_client(SSL *ssl, wt_psk_client callback) {
#ifdef OPENSSL_NO_PSK
    (void)ssl;
    (void)callback;
#else
    SSL_set_psk_client_callback(ssl, callback);
#endif
}

static inline void wt_set_psk_server(SSL *ssl, wt_psk_server callback) {
#ifdef OPENSSL_NO_PSK
    (void)ssl;
    (void)callback;
#else
    SSL_set_psk_server_callback(ssl, callback);
#endif
}

static inline void wt_remove_psk(SSL *ssl) {
    wt_set_psk_client(ssl, NULL);
    wt_set_psk_server(ssl, NULL);
}

static inline int wt_set_psk_hint(SSL *ssl, const char *hint) {
#ifdef OPENSSL_NO_PSK
    (void)ssl;
    return hint == NULL;
#else
    return SSL_use_psk_identity_hint(ssl, hint);
#endif
}

#endif
