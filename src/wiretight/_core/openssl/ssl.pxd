"""openssl/ssl.h: declarations only, in the order of the manual pages."""

from libc.stdint cimport uint64_t

from wiretight._core.openssl.bio cimport BIO
from wiretight._core.openssl.crypto cimport CRYPTO_EX_free
from wiretight._core.openssl.evp cimport EVP_CIPHER_CTX, EVP_MAC_CTX, EVP_PKEY
from wiretight._core.openssl.x509 cimport X509, X509_NAME, X509_STORE, X509_STORE_CTX, X509_VERIFY_PARAM, stack_st_X509

cdef extern from "openssl/ssl.h" nogil:
    ctypedef struct SSL:
        pass
    ctypedef struct SSL_CTX:
        pass
    ctypedef struct SSL_SESSION:
        pass
    ctypedef struct SSL_METHOD:
        pass
    ctypedef struct SSL_CIPHER:
        pass

    # connection: life and descriptor
    SSL *SSL_new(SSL_CTX *ctx)
    void SSL_free(SSL *ssl)
    SSL_CTX *SSL_set_SSL_CTX(SSL *ssl, SSL_CTX *ctx)
    int SSL_copy_session_id(SSL *to, const SSL *source)
    void SSL_set_bio(SSL *ssl, BIO *rbio, BIO *wbio)
    void SSL_set_connect_state(SSL *ssl)
    void SSL_set_accept_state(SSL *ssl)
    long SSL_set_mode(SSL *ssl, long mode)
    int SSL_set_app_data(SSL *ssl, void *arg)
    void *SSL_get_app_data(const SSL *ssl)
    long SSL_set_tlsext_host_name(SSL *ssl, const char *name)
    X509_VERIFY_PARAM *SSL_get0_param(SSL *ssl)

    # connection: input and output
    int SSL_do_handshake(SSL *ssl)
    int SSL_read_ex(SSL *ssl, void *buf, size_t num, size_t *readbytes)
    int SSL_peek_ex(SSL *ssl, void *buf, size_t num, size_t *readbytes)
    int SSL_write_ex(SSL *ssl, const void *buf, size_t num, size_t *written)
    int SSL_shutdown(SSL *ssl)
    int SSL_get_error(const SSL *ssl, int ret)
    int SSL_pending(const SSL *ssl)
    int SSL_get_shutdown(const SSL *ssl)
    int SSL_key_update(SSL *ssl, int updatetype)
    int SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED
    void SSL_set_shutdown(SSL *ssl, int mode)
    bint SSL_is_server(const SSL *ssl)
    bint SSL_in_before(const SSL *ssl)
    bint SSL_is_init_finished(const SSL *ssl)

    int SSL_ERROR_NONE, SSL_ERROR_SSL, SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE, SSL_ERROR_WANT_X509_LOOKUP
    int SSL_ERROR_SYSCALL, SSL_ERROR_ZERO_RETURN, SSL_ERROR_WANT_CONNECT, SSL_ERROR_WANT_CLIENT_HELLO_CB
    int SSL_SENT_SHUTDOWN, SSL_RECEIVED_SHUTDOWN
    long SSL_MODE_AUTO_RETRY, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, SSL_MODE_RELEASE_BUFFERS
    int SSL_R_CERTIFICATE_VERIFY_FAILED, SSL_R_UNEXPECTED_EOF_WHILE_READING, SSL_R_BAD_WRITE_RETRY
    int SSL_AD_REASON_OFFSET
    int SSL_R_NO_PROTOCOLS_AVAILABLE, SSL_R_PROTOCOL_IS_SHUTDOWN, SSL_R_SHUTDOWN_WHILE_IN_INIT
    int SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_VERSION_TOO_HIGH, SSL_R_WRONG_SSL_VERSION
    int SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_CALLBACK_FAILED
    int SSL_R_NO_SHARED_CIPHER, SSL_R_NO_CIPHERS_AVAILABLE, SSL_R_NO_SHARED_GROUPS, SSL_R_NO_SUITABLE_GROUPS
    int SSL_R_NO_SUITABLE_KEY_SHARE, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM
    int SSL_R_NO_APPLICATION_PROTOCOL, SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE

    # connection: verification and context
    ctypedef int (*SSL_verify_cb)(int preverify_ok, X509_STORE_CTX *x509_ctx) noexcept
    void SSL_set_verify(SSL *ssl, int mode, SSL_verify_cb verify_callback)
    SSL_verify_cb SSL_get_verify_callback(const SSL *ssl)
    int SSL_get_ex_data_X509_STORE_CTX_idx()
    int SSL_get_verify_mode(const SSL *ssl)
    void SSL_set_post_handshake_auth(SSL *ssl, int val)
    int SSL_verify_client_post_handshake(SSL *ssl)
    SSL_CTX *SSL_get_SSL_CTX(const SSL *ssl)
    int SSL_VERIFY_POST_HANDSHAKE

    # connection: what was negotiated
    stack_st_SSL_CIPHER *SSL_get_client_ciphers(const SSL *ssl)
    stack_st_SSL_CIPHER *SSL_get_cipher_list_stack "SSL_get_ciphers"(const SSL *ssl)
    stack_st_SSL_CIPHER *SSL_get1_supported_ciphers(SSL *s)
    int sk_SSL_CIPHER_find(stack_st_SSL_CIPHER *sk, const SSL_CIPHER *cipher)
    const void *SSL_get_current_compression(const SSL *ssl)
    const char *SSL_COMP_get_name(const void *comp)
    long SSL_get_verify_result(const SSL *ssl)
    const char *SSL_get_version(const SSL *ssl)
    int SSL_version(const SSL *ssl)
    const SSL_CIPHER *SSL_get_current_cipher(const SSL *ssl)
    bint SSL_session_reused(const SSL *ssl)
    SSL_SESSION *SSL_get1_session(SSL *ssl)
    SSL_SESSION *SSL_get0_session "SSL_get_session"(const SSL *ssl)
    int SSL_set_session(SSL *ssl, SSL_SESSION *session)
    void SSL_get0_alpn_selected(const SSL *ssl, const unsigned char **data, unsigned int *len)
    size_t SSL_get_finished(const SSL *ssl, void *buf, size_t count)
    size_t SSL_get_peer_finished(const SSL *ssl, void *buf, size_t count)
    X509 *SSL_get_certificate(const SSL *ssl)
    X509 *SSL_get0_peer_certificate(const SSL *ssl)
    stack_st_X509 *SSL_get_peer_cert_chain(const SSL *ssl)
    stack_st_X509 *SSL_get0_verified_chain(const SSL *ssl)
    const char *SSL_CIPHER_get_name(const SSL_CIPHER *cipher)
    const char *SSL_CIPHER_standard_name(const SSL_CIPHER *cipher)
    const SSL_CIPHER *SSL_CIPHER_find(SSL *ssl, const unsigned char *ptr)
    const char *SSL_group_to_name(SSL *s, int id)
    const char *SSL_CIPHER_get_version(const SSL_CIPHER *cipher)
    int SSL_CIPHER_get_bits(const SSL_CIPHER *cipher, int *alg_bits)
    int SSL_get_extms_support(SSL *ssl)
    int SSL_export_keying_material(
        SSL *s, unsigned char *out, size_t olen, const char *label, size_t llen, const unsigned char *context,
        size_t contextlen, int use_context)
    int SSL_export_keying_material_early(
        SSL *s, unsigned char *out, size_t olen, const char *label, size_t llen, const unsigned char *context,
        size_t contextlen)

    # cipher
    cdef struct stack_st_SSL_CIPHER:
        pass
    stack_st_SSL_CIPHER *sk_SSL_CIPHER_dup(const stack_st_SSL_CIPHER *sk)
    void sk_SSL_CIPHER_free(stack_st_SSL_CIPHER *sk)
    int sk_SSL_CIPHER_num(const stack_st_SSL_CIPHER *sk)
    const SSL_CIPHER *sk_SSL_CIPHER_value(const stack_st_SSL_CIPHER *sk, int i)
    char *SSL_CIPHER_description(const SSL_CIPHER *cipher, char *buf, int size)
    int SSL_CIPHER_get_cipher_nid(const SSL_CIPHER *c)
    int SSL_CIPHER_get_digest_nid(const SSL_CIPHER *c)
    int SSL_CIPHER_get_kx_nid(const SSL_CIPHER *c)
    int SSL_CIPHER_get_auth_nid(const SSL_CIPHER *c)
    bint SSL_CIPHER_is_aead(const SSL_CIPHER *c)
    unsigned long SSL_CIPHER_get_id(const SSL_CIPHER *c)

    # context: life, protocol and options
    const SSL_METHOD *TLS_method()
    const SSL_METHOD *TLS_client_method()
    const SSL_METHOD *TLS_server_method()
    SSL_CTX *SSL_CTX_new_ex(void *libctx, const char *propq, const SSL_METHOD *method)
    int SSL_CTX_up_ref(SSL_CTX *ctx)
    void SSL_CTX_free(SSL_CTX *ctx)
    int SSL_CTX_get_ex_new_index(
        long argl, void *argp, void *new_func, void *dup_func, CRYPTO_EX_free *free_func)
    int SSL_CTX_set_ex_data(SSL_CTX *ctx, int idx, void *arg)
    void *SSL_CTX_get_ex_data(const SSL_CTX *ctx, int idx)
    int SSL_CTX_set_min_proto_version(SSL_CTX *ctx, int version)
    int SSL_CTX_set_max_proto_version(SSL_CTX *ctx, int version)
    int SSL_CTX_get_min_proto_version(SSL_CTX *ctx)
    int SSL_CTX_get_max_proto_version(SSL_CTX *ctx)
    uint64_t SSL_CTX_set_options(SSL_CTX *ctx, uint64_t options)
    uint64_t SSL_CTX_clear_options(SSL_CTX *ctx, uint64_t options)
    uint64_t SSL_CTX_get_options(const SSL_CTX *ctx)
    long SSL_CTX_set_mode(SSL_CTX *ctx, long mode)
    int SSL_CTX_get_security_level(const SSL_CTX *ctx)
    int SSL_get_security_level(const SSL *s)
    int SSL_set_min_proto_version(SSL *ssl, int version)
    int SSL_set_max_proto_version(SSL *ssl, int version)
    int SSL_get_min_proto_version(SSL *ssl)
    int SSL_get_max_proto_version(SSL *ssl)
    void SSL_set_security_level(SSL *s, int level)
    void SSL_CTX_set_security_level(SSL_CTX *ctx, int level)
    const SSL_METHOD *SSL_CTX_get_ssl_method(const SSL_CTX *ctx)
    uint64_t SSL_set_options(SSL *ssl, uint64_t options)
    uint64_t SSL_clear_options(SSL *ssl, uint64_t options)
    uint64_t SSL_get_options(const SSL *ssl)
    uint64_t SSL_OP_ALL, SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS, SSL_OP_NO_COMPRESSION, SSL_OP_CIPHER_SERVER_PREFERENCE
    uint64_t SSL_OP_SINGLE_DH_USE, SSL_OP_SINGLE_ECDH_USE, SSL_OP_ENABLE_MIDDLEBOX_COMPAT
    uint64_t SSL_OP_NO_RENEGOTIATION, SSL_OP_ALLOW_CLIENT_RENEGOTIATION, SSL_OP_NO_TICKET
    uint64_t SSL_OP_NO_SSLv3, SSL_OP_NO_TLSv1, SSL_OP_NO_TLSv1_1, SSL_OP_NO_TLSv1_2, SSL_OP_NO_TLSv1_3
    int SSL3_VERSION, TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION

    # context: algorithms
    int SSL_CTX_set_cipher_list(SSL_CTX *ctx, const char *control)
    int SSL_set_cipher_list(SSL *ssl, const char *str)
    int SSL_set_ciphersuites(SSL *ssl, const char *str)
    int SSL_CTX_set_ciphersuites(SSL_CTX *ctx, const char *str)
    stack_st_SSL_CIPHER *SSL_CTX_get_ciphers(const SSL_CTX *ctx)
    int SSL_set1_groups_list(SSL *ssl, const char *list)
    int SSL_CTX_set1_groups(SSL_CTX *ctx, int *glist, int glistlen)
    int SSL_CTX_set1_groups_list(SSL_CTX *ctx, const char *list)
    int SSL_CTX_set1_sigalgs_list(SSL_CTX *ctx, const char *str)
    int SSL_CTX_set1_client_sigalgs_list(SSL_CTX *ctx, const char *str)
    int SSL_set1_sigalgs_list(SSL *ssl, const char *str)
    int SSL_set1_client_sigalgs_list(SSL *ssl, const char *str)
    const char *SSL_DEFAULT_CIPHER_LIST

    # context: certificates, keys and trust
    int SSL_CTX_use_cert_and_key(SSL_CTX *ctx, X509 *x509, EVP_PKEY *pkey, stack_st_X509 *chain, int override)
    int SSL_use_cert_and_key(SSL *ssl, X509 *x509, EVP_PKEY *pkey, stack_st_X509 *chain, int override)
    int SSL_use_certificate(SSL *ssl, X509 *x)
    void SSL_certs_clear(SSL *s)
    long SSL_add1_chain_cert(SSL *ssl, X509 *x509)
    int SSL_CTX_set0_tmp_dh_pkey(SSL_CTX *ctx, EVP_PKEY *dhpkey)
    int SSL_set0_tmp_dh_pkey(SSL *s, EVP_PKEY *dhpkey)
    int SSL_set1_verify_cert_store(SSL *ssl, X509_STORE *st)
    int SSL_set1_chain_cert_store(SSL *ssl, X509_STORE *st)
    X509_STORE *SSL_CTX_get_cert_store(const SSL_CTX *ctx)
    void SSL_CTX_set1_cert_store(SSL_CTX *ctx, X509_STORE *store)
    int SSL_CTX_get_verify_mode(const SSL_CTX *ctx)
    void SSL_CTX_set_verify(SSL_CTX *ctx, int mode, void *verify_callback)
    void SSL_CTX_set_cert_verify_callback(
        SSL_CTX *ctx, int (*callback)(X509_STORE_CTX *, void *) noexcept nogil, void *arg)
    X509_VERIFY_PARAM *SSL_CTX_get0_param(SSL_CTX *ctx)
    int SSL_VERIFY_NONE, SSL_VERIFY_PEER, SSL_VERIFY_FAIL_IF_NO_PEER_CERT

    # context: extensions and callbacks
    ctypedef int (*SSL_CTX_alpn_select_cb_func)(
        SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in_, unsigned int inlen,
        void *arg
    ) noexcept
    ctypedef void (*SSL_CTX_keylog_cb_func)(const SSL *ssl, const char *line) noexcept
    int SSL_set_alpn_protos(SSL *ssl, const unsigned char *protos, unsigned int protos_len)
    void SSL_CTX_set_alpn_select_cb(SSL_CTX *ctx, SSL_CTX_alpn_select_cb_func cb, void *arg)
    long SSL_CTX_set_tlsext_servername_callback(SSL_CTX *ctx, int (*cb)(SSL *, int *, void *) noexcept)
    void SSL_CTX_set_keylog_callback(SSL_CTX *ctx, SSL_CTX_keylog_cb_func cb)
    void SSL_CTX_set_info_callback(SSL_CTX *ctx, void (*cb)(const SSL *, int, int) noexcept)
    void SSL_set_info_callback(SSL *ssl, void (*cb)(const SSL *, int, int) noexcept)
    int SSL_CB_ALERT, SSL_CB_WRITE_ALERT, SSL_CB_HANDSHAKE_DONE, SSL3_AL_FATAL
    void SSL_set_msg_callback(
        SSL *ssl, void (*cb)(int, int, int, const void *, size_t, SSL *, void *) noexcept
    )
    void SSL_CTX_set_client_hello_cb(SSL_CTX *ctx, int (*cb)(SSL *, int *, void *) noexcept, void *arg)
    int SSL_client_hello_get0_ext(SSL *ssl, unsigned int type, const unsigned char **out, size_t *outlen)
    int SSL_CLIENT_HELLO_SUCCESS, SSL_CLIENT_HELLO_ERROR, SSL_CLIENT_HELLO_RETRY
    void SSL_set_cert_cb(SSL *s, int (*cb)(SSL *, void *) noexcept, void *arg)
    int SSL_get_sigalgs(
        SSL *s, int idx, int *psign, int *phash, int *psignhash, unsigned char *rsig, unsigned char *rhash)
    cdef struct stack_st_X509_NAME:
        pass
    void SSL_set0_CA_list(SSL *s, stack_st_X509_NAME *name_list)
    const stack_st_X509_NAME *SSL_get0_peer_CA_list(const SSL *s)
    stack_st_X509_NAME *SSL_dup_CA_list(const stack_st_X509_NAME *sk)
    stack_st_X509_NAME *sk_X509_NAME_new_null()
    int sk_X509_NAME_push(stack_st_X509_NAME *sk, const X509_NAME *ptr)
    int sk_X509_NAME_num(const stack_st_X509_NAME *sk)
    X509_NAME *sk_X509_NAME_value(const stack_st_X509_NAME *sk, int idx)
    void sk_X509_NAME_pop_free(stack_st_X509_NAME *sk, void (*freefunc)(X509_NAME *) noexcept)
    unsigned int TLSEXT_TYPE_server_name, TLSEXT_TYPE_application_layer_protocol_negotiation
    int SSL_AD_NO_APPLICATION_PROTOCOL, SSL3_MT_CLIENT_HELLO
    int TLSEXT_NAMETYPE_host_name, TLSEXT_MAXLEN_host_name
    int SSL_TLSEXT_ERR_OK, SSL_TLSEXT_ERR_NOACK, SSL_TLSEXT_ERR_ALERT_FATAL
    int SSL_AD_INTERNAL_ERROR, SSL_AD_HANDSHAKE_FAILURE, SSL_AD_DECODE_ERROR, SSL_AD_UNRECOGNIZED_NAME
    const char *SSL_alert_desc_string_long(int value)
    int SSL3_RT_CHANGE_CIPHER_SPEC, SSL3_RT_ALERT, SSL3_RT_HANDSHAKE, SSL3_RT_HEADER, SSL3_RT_INNER_CONTENT_TYPE
    int SSL3_MT_CHANGE_CIPHER_SPEC

    # context: sessions and their statistics
    ctypedef int (*new_session_cb)(SSL *ssl, SSL_SESSION *session) noexcept
    void SSL_CTX_sess_set_new_cb(SSL_CTX *ctx, new_session_cb cb)
    new_session_cb SSL_CTX_sess_get_new_cb(SSL_CTX *ctx)
    int SSL_CTX_add_session(SSL_CTX *ctx, SSL_SESSION *c)
    int SSL_CTX_remove_session(SSL_CTX *ctx, SSL_SESSION *c)
    ctypedef SSL_SESSION *(*get_session_cb)(SSL *ssl, const unsigned char *data, int len, int *copy) noexcept
    void SSL_CTX_sess_set_get_cb(SSL_CTX *ctx, get_session_cb cb)
    long SSL_CTX_get_timeout(const SSL_CTX *ctx)
    long SSL_CTX_set_session_cache_mode(SSL_CTX *ctx, long mode)
    int SSL_SESS_CACHE_CLIENT, SSL_SESS_CACHE_SERVER, SSL_SESS_CACHE_NO_INTERNAL, SSL_SESS_CACHE_NO_INTERNAL_STORE
    int SSL_set_session_id_context(SSL *ssl, const unsigned char *sid_ctx, unsigned int sid_ctx_len)
    int SSL_CTX_set_tlsext_ticket_key_evp_cb(
        SSL_CTX *sslctx,
        int (*cb)(SSL *, unsigned char *, unsigned char *, EVP_CIPHER_CTX *, EVP_MAC_CTX *, int) noexcept
    )
    int SSL_set_num_tickets(SSL *ssl, size_t num_tickets)
    ctypedef int (*SSL_CTX_generate_session_ticket_fn)(SSL *s, void *arg) noexcept nogil
    ctypedef int (*SSL_CTX_decrypt_session_ticket_fn)(
        SSL *s, SSL_SESSION *ss, const unsigned char *keyname, size_t keyname_length, int status, void *arg
    ) noexcept nogil
    int SSL_CTX_set_session_ticket_cb(
        SSL_CTX *ctx, SSL_CTX_generate_session_ticket_fn gen_cb, SSL_CTX_decrypt_session_ticket_fn dec_cb, void *arg)
    int SSL_TICKET_EMPTY, SSL_TICKET_NO_DECRYPT, SSL_TICKET_SUCCESS_RENEW
    int SSL_TICKET_RETURN_IGNORE_RENEW, SSL_TICKET_RETURN_USE, SSL_TICKET_RETURN_USE_RENEW
    int SSL_CTX_set_num_tickets(SSL_CTX *ctx, size_t num_tickets)
    size_t SSL_CTX_get_num_tickets(const SSL_CTX *ctx)
    void SSL_CTX_set_post_handshake_auth(SSL_CTX *ctx, int val)
    long SSL_CTX_sess_number(SSL_CTX *ctx)
    long SSL_CTX_sess_connect(SSL_CTX *ctx)
    long SSL_CTX_sess_connect_good(SSL_CTX *ctx)
    long SSL_CTX_sess_connect_renegotiate(SSL_CTX *ctx)
    long SSL_total_renegotiations(SSL *ssl)
    long SSL_CTX_sess_accept(SSL_CTX *ctx)
    long SSL_CTX_sess_accept_good(SSL_CTX *ctx)
    long SSL_CTX_sess_accept_renegotiate(SSL_CTX *ctx)
    long SSL_CTX_sess_hits(SSL_CTX *ctx)
    long SSL_CTX_sess_misses(SSL_CTX *ctx)
    long SSL_CTX_sess_timeouts(SSL_CTX *ctx)
    long SSL_CTX_sess_cache_full(SSL_CTX *ctx)

    # session
    int SSL_SESSION_up_ref(SSL_SESSION *ses)
    SSL_SESSION *SSL_SESSION_dup(const SSL_SESSION *src)
    void SSL_SESSION_free(SSL_SESSION *session)
    SSL_SESSION *d2i_SSL_SESSION(SSL_SESSION **a, const unsigned char **pp, long length)
    int i2d_SSL_SESSION(SSL_SESSION *in_, unsigned char **pp)
    unsigned int SSL_SESSION_get_max_early_data(const SSL_SESSION *s)
    const unsigned char *SSL_SESSION_get_id(const SSL_SESSION *s, unsigned int *len)
    long SSL_SESSION_get_time(const SSL_SESSION *s)
    long SSL_SESSION_get_timeout(const SSL_SESSION *s)
    long SSL_SESSION_set_time(SSL_SESSION *s, long tm)
    long SSL_SESSION_set_timeout(SSL_SESSION *s, long tm)
    bint SSL_SESSION_has_ticket(const SSL_SESSION *s)
    unsigned long SSL_SESSION_get_ticket_lifetime_hint(const SSL_SESSION *s)
    bint SSL_SESSION_is_resumable(const SSL_SESSION *s)
    int SSL_SESSION_get_protocol_version(const SSL_SESSION *s)
    X509 *SSL_SESSION_get0_peer(SSL_SESSION *s)
    int SSL_SESSION_set1_ticket_appdata(SSL_SESSION *ss, const void *data, size_t len)
    int SSL_SESSION_get0_ticket_appdata(SSL_SESSION *ss, void **data, size_t *len)
