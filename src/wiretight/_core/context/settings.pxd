"""Settings: everything that a Context gives to the connections made from it."""

from libc.stdint cimport uint64_t

from wiretight._core.openssl.evp cimport EVP_PKEY
from wiretight._core.openssl.ssl cimport SSL, SSL_CTX
from wiretight._core.openssl.x509 cimport X509, X509_STORE, stack_st_X509

cdef extern from "compat.h" nogil:
    ctypedef void (*wt_message)(
        int written, int version, int content_type, const void *data, size_t length, SSL *ssl, void *arg) noexcept
    ctypedef unsigned int (*wt_psk_client)(
        SSL *ssl, const char *hint, char *identity, unsigned int identity_size, unsigned char *key,
        unsigned int key_size) noexcept
    ctypedef unsigned int (*wt_psk_server)(
        SSL *ssl, const char *identity, unsigned char *key, unsigned int key_size) noexcept


# Owners of what is loaded. None of them changes once it is part of Settings.
cdef class Credential:
    cdef X509 *leaf
    cdef EVP_PKEY *key
    cdef stack_st_X509 *chain       # NULL: OpenSSL completes it from the trusted certificates


cdef class Parameters:
    cdef EVP_PKEY *key


cdef class Trust:
    cdef X509_STORE *store
    cdef tuple directories          # paths, or None for OpenSSL's default places


# What is no Python object.
cdef struct Values:
    uint64_t options
    int minimum_version             # 0: no limit; as is the next one
    int maximum_version
    int verify_mode                 # SSL_VERIFY_PEER, SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    unsigned long verify_flags
    unsigned int host_flags
    bint check_hostname
    bint post_handshake_auth
    size_t num_tickets
    int security_level              # of `ciphers`
    const unsigned char *alpn       # the bytes of that name
    unsigned int alpn_size
    bint has_sni_callback
    # C's side of the callbacks, NULL where there is none
    wt_message on_message
    wt_psk_client on_psk_client
    wt_psk_server on_psk_server


cdef class Settings:
    cdef Values values
    cdef bytes ciphers              # as they were set, or None: as are the next four
    cdef bytes ciphersuites
    cdef bytes groups
    cdef bytes client_sigalgs
    cdef bytes server_sigalgs
    cdef bytes alpn                 # in the format of RFC 7301, in the order of preference
    cdef bytes psk_hint             # or None
    cdef tuple credentials          # one for each kind of key, the latest last
    cdef Parameters dh_params       # or None
    cdef Trust trust
    cdef bytes generation           # names what is trusted and shown: another one after every change
    # What a feature keeps alive for its callbacks, by the feature's name: so it needs no field of its own here. A dict
    # that is never changed, because copies share it; keep() replaces it.
    cdef dict kept
    cdef dict terms                 # those of the last connections; see the module of that name

    cdef Settings copy(self)
    cdef bint proves_as(self, Settings earlier) noexcept    # trusts the same and shows the same
    cdef Settings verifying_as(self, Settings earlier)      # with the trust of those
    cdef Settings without_callbacks(self)
    cdef int keep(self, str feature, object value) except -1    # None: nothing any more


cdef bytes new_generation()
cdef int seal(SSL_CTX *ctx, Settings settings) except -1
# False, with the reason on OpenSSL's queue
cdef bint apply(SSL *ssl, Settings sealed, Settings settings, bint server_side) noexcept
cdef bint apply_loaded(SSL *ssl, Settings sealed, Settings settings) noexcept
cdef int apply_callbacks(SSL *ssl, Settings settings) noexcept
cdef bint use_trust(SSL *ssl, Trust trust) noexcept
cdef bint use_credential(SSL *ssl, Credential credential) noexcept
