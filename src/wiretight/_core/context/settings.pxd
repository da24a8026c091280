"""Settings: everything that a Context configures its connections with."""

from libc.stdint cimport uint64_t

from wiretight._core.openssl.evp cimport EVP_PKEY
from wiretight._core.openssl.ssl cimport SSL, SSL_CTX
from wiretight._core.openssl.x509 cimport X509_STORE


# Owners of loaded material, as Credential is. None of them changes once it is part of Settings.
cdef class Parameters:
    cdef EVP_PKEY *key


cdef class Trust:
    cdef X509_STORE *store
    cdef tuple additions            # what is in the store, in the order of loading: of trust/addition.pyx
    cdef bint checks_crls           # which a TrustStore does that has any
    cdef bytes fingerprint          # of the additions, once somebody has asked


# The part of a TrustStore that contexts need: what it trusts now.
cdef class TrustSource:
    cdef Trust trust                # replaced as a whole; read by trust_of()


# What a feature does to each new SSL, such as installing the C side of its callback. Immutable.
cdef class Hook:
    cdef bint apply(self, SSL *ssl, bint server_side) noexcept  # False, with the reason on OpenSSL's queue
    # For callbacks that OpenSSL has only in an SSL_CTX. It is called once for each, before a connection has the hook;
    # False if there are none.
    cdef bint install(self, SSL_CTX *ctx) noexcept


# The settings that are not Python objects.
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
    long session_timeout            # in seconds, of a server's
    int security_level              # of `ciphers`
    const unsigned char *alpn       # the bytes of Settings.alpn
    unsigned int alpn_size
    bint has_sni_callback
    bint has_client_hello_callback
    bint has_alpn_callback
    bint has_credential_callback    # client_credential_callback
    bint has_msg_callback
    bint alpn_required
    bint has_verify_callback
    bint reloads                    # there is a reload_interval; see context/reloading.pyx
    bint remembers_chains           # see trust/verifiedchains.pyx
    bint reads_ahead                # see wire/incoming.pyx
    uint64_t key_update_after       # records; 0: never. See connection/keyupdate.pyx
    const char *properties          # the bytes of Settings.properties


cdef class Settings:
    cdef Values values
    cdef bytes ciphers              # as they were set, or None; likewise the next four
    cdef bytes ciphersuites
    cdef bytes groups
    cdef bytes client_sigalgs
    cdef bytes server_sigalgs
    cdef bytes alpn                 # in the format of RFC 7301, in the order of preference
    cdef bytes psk_hint             # or None
    cdef tuple credentials          # one for each kind of key, the latest last
    cdef Parameters dh_params       # or None
    cdef Trust trust
    cdef bytes properties           # of the algorithms that the SSL_CTX fetches, or None
    cdef TrustSource trust_store    # where `trust` is from, and where there may be more by now; None: loaded
    cdef bint owns_trust_store      # it was made of what is loaded here, and not set
    cdef bytes policy_id            # or None
    cdef bytes policy               # of policy_of()
    cdef bytes psk_terms            # random, for the sessions of what accepts pre-shared keys; None: nothing does
    # Objects that features keep alive for their callbacks, by feature name, so that they need no field here. Never
    # mutated, because copies share it: keep() replaces it.
    cdef dict kept
    cdef tuple hooks                # of the features that have one
    cdef dict terms                 # of recent connections; see session/terms.pyx
    cdef bint frozen                # update_settings() accepts no change any more

    cdef Settings copy(self)
    cdef bint equals(self, Settings other) noexcept
    cdef Settings verifying_as(self, Settings earlier)      # a copy with the trust and signatures of `earlier`
    cdef Settings judging_as(self, Settings other)          # a copy with the verify_callback of `other`
    cdef Settings without_callbacks(self)
    cdef Settings for_another_context(self)                 # a copy that can be changed by itself
    cdef int leave_own_store(self) except -1                # keeps what it has by now, and takes over nothing later
    cdef int keep(self, str feature, object value) except -1    # None removes it
    cdef int hook(self, Hook hook, bint wanted) except -1       # or removes it


cdef int put_alpn(Settings settings, bytes protocols) except -1     # in the format of RFC 7301, or None
cdef int put_properties(Settings settings, bytes properties) except -1
cdef Trust trust_of(TrustSource source)
cdef bytes policy_of(Settings settings)
cdef bytes unlike_others()
cdef int seal(SSL_CTX *ctx, Settings settings) except -1
# False, with the reason on OpenSSL's queue
cdef bint apply(SSL *ssl, Settings sealed, Settings settings, bint server_side) noexcept
cdef bint apply_loaded(SSL *ssl, Settings sealed, Settings settings) noexcept
cdef bint apply_hooks(SSL *ssl, Settings settings, bint server_side) noexcept
cdef bint use_trust(SSL *ssl, Trust trust) noexcept
