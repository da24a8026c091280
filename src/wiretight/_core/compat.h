/* Every difference between the OpenSSL versions that wiretight supports (3.0 to 4.0) is settled here. */
#ifndef WIRETIGHT_COMPAT_H
#define WIRETIGHT_COMPAT_H

#include <openssl/ssl.h>

/* The name of the group of the last key exchange, or NULL. SSL_get0_group_name came with 3.2; 3.0 has the same in two
   steps. A resumed TLS 1.2 session has no group at all, which 3.0 reports as NID 0. */
static inline const char *wt_group_name(SSL *ssl) {
#if OPENSSL_VERSION_NUMBER >= 0x30200000L
    return SSL_get0_group_name(ssl);
#else
    long group = SSL_get_negotiated_group(ssl);
    return group > 0 ? SSL_group_to_name(ssl, (int)group) : NULL;
#endif
}

#endif
