"""Settings: everything that a Context configures its connections with.

They are immutable. A setter changes one thing in a copy, which then replaces them (update_settings); a connection
keeps those that its context had when it was made, callbacks included. So no handshake sees a partial change, and
nothing that it reads is freed, whichever threads use the context (OpenSSL reads an SSL_CTX without a lock).

The first connection seals the SSL_CTX: the settings so far are written into it, for SSL_new() to copy. Later ones are
applied to each new SSL.

A new setting needs a field in the class, a line in copy(), equals(), apply() and lifecycle.settings_by_name() and, if
it decides who is trusted, one in the terms of a session (session/terms.pyx). What only a callback uses is kept by name
instead (Settings.keep), and what is to be done to each new SSL is a Hook of its feature: neither needs anything here.
"""

cimport cython

from wiretight._core.base.errors cimport check, forget_errors, raise_queue
from wiretight._core.context.material cimport Credential
from wiretight._core.openssl.crypto cimport RAND_bytes
from wiretight._core.openssl.evp cimport EVP_PKEY_free, EVP_PKEY_up_ref, SHA256, SHA256_DIGEST_LENGTH
from wiretight._core.openssl.ssl cimport (
    SSL_CTX_set0_tmp_dh_pkey, SSL_CTX_set1_cert_store, SSL_CTX_set1_client_sigalgs_list, SSL_CTX_set1_groups_list,
    SSL_CTX_set1_sigalgs_list, SSL_CTX_set_cipher_list, SSL_CTX_set_ciphersuites, SSL_CTX_set_security_level,
    SSL_CTX_use_cert_and_key, SSL_VERIFY_PEER, SSL_VERIFY_POST_HANDSHAKE, SSL_certs_clear, SSL_clear_options,
    SSL_get0_param, SSL_get_options, SSL_get_security_level, SSL_set0_tmp_dh_pkey, SSL_set1_chain_cert_store,
    SSL_set1_client_sigalgs_list, SSL_set1_groups_list, SSL_set1_sigalgs_list, SSL_set1_verify_cert_store,
    SSL_set_alpn_protos, SSL_set_cipher_list, SSL_set_ciphersuites, SSL_set_max_proto_version,
    SSL_set_min_proto_version, SSL_set_num_tickets, SSL_set_options, SSL_set_post_handshake_auth,
    SSL_set_security_level, SSL_set_verify, SSL_use_cert_and_key,
)
from wiretight._core.openssl.x509 cimport (
    X509_STORE_free, X509_VERIFY_PARAM, X509_VERIFY_PARAM_clear_flags, X509_VERIFY_PARAM_get_flags,
    X509_VERIFY_PARAM_set_flags, X509_VERIFY_PARAM_set_hostflags,
)

cdef extern from "compat.h" nogil:
    bint wt_set_psk_hint(SSL *ssl, const char *hint)     # NULL: none

cdef dict NOTHING = {}


@cython.final
cdef class Parameters:
    """Diffie-Hellman parameters."""

    def __dealloc__(self):
        EVP_PKEY_free(self.key)


@cython.final
cdef class Trust:
    """The certificates and CRLs that peers are verified with, and the directories that are searched for more."""

    def __dealloc__(self):
        X509_STORE_free(self.store)


cdef class TrustSource:
    """The part of a TrustStore that contexts need."""


cdef Trust trust_of(TrustSource source):
    with cython.critical_section(source):
        return source.trust


cdef class Hook:
    """What a feature does to each new SSL."""

    cdef bint apply(self, SSL *ssl, bint server_side) noexcept:
        return True

    cdef bint install(self, SSL_CTX *ctx) noexcept:
        return False


@cython.final
cdef class Settings:
    """Immutable, as described above."""

    def __cinit__(self):
        self.policy = b""
        self.kept = NOTHING
        self.hooks = ()
        self.terms = {}

    cdef Settings copy(self):
        cdef Settings other = Settings.__new__(Settings)
        other.values = self.values
        other.ciphers = self.ciphers
        other.ciphersuites = self.ciphersuites
        other.groups = self.groups
        other.client_sigalgs = self.client_sigalgs
        other.server_sigalgs = self.server_sigalgs
        other.alpn = self.alpn
        other.psk_hint = self.psk_hint
        other.credentials = self.credentials
        other.dh_params = self.dh_params
        other.trust = self.trust
        other.properties = self.properties
        other.trust_store = self.trust_store
        other.owns_trust_store = self.owns_trust_store
        other.policy_id = self.policy_id
        other.policy = self.policy
        other.psk_terms = self.psk_terms
        other.kept = self.kept
        other.hooks = self.hooks
        other.frozen = self.frozen
        return other

    cdef bint equals(self, Settings other) noexcept:
        """Whether each is set to the same. Of what was loaded, and of callbacks: to the same object."""
        return (
            have_equal_values(&self.values, &other.values)
            and self.ciphers == other.ciphers
            and self.ciphersuites == other.ciphersuites
            and self.groups == other.groups
            and self.client_sigalgs == other.client_sigalgs
            and self.server_sigalgs == other.server_sigalgs
            and self.alpn == other.alpn
            and self.psk_hint == other.psk_hint
            and self.credentials is other.credentials
            and self.dh_params is other.dh_params
            and self.trust is other.trust
            and self.trust_store is other.trust_store
            and self.properties == other.properties
            and self.policy_id == other.policy_id
            and self.frozen == other.frozen
            and self.hooks == other.hooks
            and keeps_the_same(self.kept, other.kept)
        )

    cdef Settings verifying_as(self, Settings earlier):
        cdef Settings other = self.judging_as(earlier)
        other.trust = earlier.trust
        other.trust_store = earlier.trust_store
        other.owns_trust_store = earlier.owns_trust_store
        # OpenSSL cannot go back to its own lists. Those are the widest, so that a later one asks for no less.
        if earlier.client_sigalgs is not None:
            other.client_sigalgs = earlier.client_sigalgs
        if earlier.server_sigalgs is not None:
            other.server_sigalgs = earlier.server_sigalgs
        return other

    cdef Settings judging_as(self, Settings other):
        cdef Settings copy = self.copy()
        copy.values.has_verify_callback = other.values.has_verify_callback
        copy.values.remembers_chains = other.values.remembers_chains
        copy.policy_id = other.policy_id
        copy.policy = other.policy
        copy.keep("verify_callback", other.kept.get("verify_callback"))
        return copy

    cdef Settings without_callbacks(self):
        cdef Settings other = self.copy()
        other.values.has_sni_callback = False
        other.values.has_client_hello_callback = False
        other.values.has_alpn_callback = False
        other.values.has_credential_callback = False
        other.values.has_msg_callback = False
        other.values.has_verify_callback = False
        other.values.reloads = False
        other.psk_terms = None
        other.kept = NOTHING
        other.hooks = ()
        return other

    cdef Settings for_another_context(self):
        cdef Settings other = self.copy()
        other.leave_own_store()
        other.policy = policy_of(other)
        if other.psk_terms is not None:
            other.psk_terms = unlike_others()
        other.frozen = False
        return other

    cdef int leave_own_store(self) except -1:
        if self.owns_trust_store:
            self.trust = trust_of(self.trust_store)
            self.trust_store = None
            self.owns_trust_store = False
        return 0

    cdef int keep(self, str feature, object value) except -1:
        cdef dict kept
        former = self.kept.get(feature)
        if former is value or type(former) is float and type(value) is float and former == value:
            return 0
        kept = self.kept.copy()
        if value is None:
            kept.pop(feature, None)
        else:
            kept[feature] = value
        self.kept = kept
        return 0

    cdef int hook(self, Hook hook, bint wanted) except -1:
        cdef list hooks = list(self.hooks)
        if wanted == (hook in hooks):
            return 0
        if wanted:
            hooks.append(hook)
        else:
            hooks.remove(hook)
        self.hooks = tuple(hooks)
        return 0


cdef bint have_equal_values(const Values *ours, const Values *theirs) noexcept:
    """Apart from `alpn` and `properties`, which point into other settings. Not with memcmp(): between the fields may be
    anything.
    """
    return (
        ours.options == theirs.options
        and ours.minimum_version == theirs.minimum_version
        and ours.maximum_version == theirs.maximum_version
        and ours.verify_mode == theirs.verify_mode
        and ours.verify_flags == theirs.verify_flags
        and ours.host_flags == theirs.host_flags
        and ours.check_hostname == theirs.check_hostname
        and ours.post_handshake_auth == theirs.post_handshake_auth
        and ours.num_tickets == theirs.num_tickets
        and ours.session_timeout == theirs.session_timeout
        and ours.security_level == theirs.security_level
        and ours.reloads == theirs.reloads
        and ours.remembers_chains == theirs.remembers_chains
        and ours.reads_ahead == theirs.reads_ahead
        and ours.key_update_after == theirs.key_update_after
        and ours.has_sni_callback == theirs.has_sni_callback
        and ours.has_client_hello_callback == theirs.has_client_hello_callback
        and ours.has_alpn_callback == theirs.has_alpn_callback
        and ours.has_credential_callback == theirs.has_credential_callback
        and ours.has_msg_callback == theirs.has_msg_callback
        and ours.alpn_required == theirs.alpn_required
        and ours.has_verify_callback == theirs.has_verify_callback
    )


cdef bint keeps_the_same(dict ours, dict theirs) noexcept:
    # Not ==, which could run a callback's __eq__().
    if len(ours) != len(theirs):
        return False
    for feature, value in ours.items():
        if theirs.get(feature) is not value:
            return False
    return True


cdef int put_alpn(Settings settings, bytes protocols) except -1:
    settings.alpn = protocols
    settings.values.alpn = <const unsigned char *>NULL if protocols is None else <const unsigned char *>protocols
    settings.values.alpn_size = 0 if protocols is None else <unsigned int>len(protocols)
    return 0


cdef int put_properties(Settings settings, bytes properties) except -1:
    settings.properties = properties
    settings.values.properties = <const char *>NULL if properties is None else <const char *>properties
    return 0


cdef bytes policy_of(Settings settings):
    """What a session is bound to because of the verify_callback: its policy_id, or else something random. A callback
    without one may have decided by anything, as one that chooses the client's certificate may, and no other is like it;
    a forked process keeps its parent's.

    OpenSSL: SHA256(3)
    """
    cdef unsigned char digest[SHA256_DIGEST_LENGTH]
    if not settings.values.has_verify_callback and not settings.values.has_credential_callback:
        return b""
    if settings.policy_id is None or settings.values.has_credential_callback:
        return unlike_others()
    forget_errors()
    if SHA256(settings.policy_id, len(settings.policy_id), digest) == NULL:
        raise MemoryError
    return digest[:SHA256_DIGEST_LENGTH]


cdef bytes unlike_others():
    """OpenSSL: RAND_bytes(3)"""
    cdef unsigned char octets[SHA256_DIGEST_LENGTH]
    forget_errors()
    check(RAND_bytes(octets, SHA256_DIGEST_LENGTH))
    return octets[:SHA256_DIGEST_LENGTH]


cdef int seal(SSL_CTX *ctx, Settings settings) except -1:
    """Writes the settings that SSL_new() copies faster than they can be set on an SSL. All have been accepted before.

    OpenSSL: SSL_CTX_set_cipher_list(3), SSL_CTX_use_cert_and_key(3)
    """
    forget_errors()
    try:
        SSL_CTX_set_security_level(ctx, 0)      # certificates were checked when they were loaded, as in `ssl`
        seal_loaded(ctx, settings)
        SSL_CTX_set1_cert_store(ctx, settings.trust.store)
        if settings.ciphersuites is not None:
            check(SSL_CTX_set_ciphersuites(ctx, settings.ciphersuites))
        if settings.ciphers is not None:
            check(SSL_CTX_set_cipher_list(ctx, settings.ciphers))
        if settings.groups is not None:
            check(SSL_CTX_set1_groups_list(ctx, settings.groups))
        if settings.client_sigalgs is not None:
            check(SSL_CTX_set1_client_sigalgs_list(ctx, settings.client_sigalgs))
        if settings.server_sigalgs is not None:
            check(SSL_CTX_set1_sigalgs_list(ctx, settings.server_sigalgs))
    finally:
        SSL_CTX_set_security_level(ctx, settings.values.security_level)
    return 0


cdef int seal_loaded(SSL_CTX *ctx, Settings settings) except -1:
    """OpenSSL: SSL_CTX_use_cert_and_key(3), SSL_CTX_set0_tmp_dh_pkey(3)"""
    cdef Credential credential
    for credential in settings.credentials:
        check(SSL_CTX_use_cert_and_key(ctx, credential.leaf, credential.key, credential.chain, 1))
    if settings.dh_params is not None:
        check(EVP_PKEY_up_ref(settings.dh_params.key))
        if not SSL_CTX_set0_tmp_dh_pkey(ctx, settings.dh_params.key):
            EVP_PKEY_free(settings.dh_params.key)
            raise_queue()
    return 0


cdef bint apply(SSL *ssl, Settings sealed, Settings settings, bint server_side) noexcept:
    """Applies `settings` to `ssl`, whose SSL_CTX was sealed with `sealed`. If it returns False, the reason is on the
    error queue.

    Creates no exception or other object, because a connection's lock may be held.

    OpenSSL: SSL_set_options(3), SSL_set_min_proto_version(3), SSL_set_verify(3), SSL_set_num_tickets(3)
    """
    cdef Values *values = &settings.values
    cdef X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl)
    cdef int mode = values.verify_mode
    forget_errors()
    SSL_clear_options(ssl, SSL_get_options(ssl) & ~values.options)
    SSL_set_options(ssl, values.options)
    if not SSL_set_min_proto_version(ssl, values.minimum_version):
        return False
    if not SSL_set_max_proto_version(ssl, values.maximum_version):
        return False
    if server_side and values.post_handshake_auth and mode & SSL_VERIFY_PEER:
        mode |= SSL_VERIFY_POST_HANDSHAKE
    SSL_set_verify(ssl, mode, NULL)
    if not server_side:
        SSL_set_post_handshake_auth(ssl, values.post_handshake_auth)
    if not X509_VERIFY_PARAM_clear_flags(parameters, X509_VERIFY_PARAM_get_flags(parameters)):
        return False
    if not X509_VERIFY_PARAM_set_flags(parameters, values.verify_flags):
        return False
    X509_VERIFY_PARAM_set_hostflags(parameters, values.host_flags)
    if not SSL_set_num_tickets(ssl, values.num_tickets):
        return False
    if settings.groups is not None and settings.groups is not sealed.groups:
        if not SSL_set1_groups_list(ssl, settings.groups):
            return False
    # Zero is success here.
    if values.alpn != NULL and SSL_set_alpn_protos(ssl, values.alpn, values.alpn_size):
        return False
    if not apply_loaded(ssl, sealed, settings):
        return False
    return apply_hooks(ssl, settings, server_side)


cdef bint apply_loaded(SSL *ssl, Settings sealed, Settings settings) noexcept:
    """The part that SSL_set_SSL_CTX() copies from the SSL_CTX, which has what was set before it was sealed.

    OpenSSL: SSL_use_cert_and_key(3), SSL_set_cipher_list(3), SSL_set1_sigalgs_list(3)
    """
    cdef const char *hint
    if settings.credentials is not sealed.credentials and not use_credentials(ssl, settings.credentials):
        return False
    if settings.dh_params is not sealed.dh_params and not use_parameters(ssl, settings.dh_params):
        return False
    if settings.ciphersuites is not sealed.ciphersuites and not SSL_set_ciphersuites(ssl, settings.ciphersuites):
        return False
    if settings.ciphers is not sealed.ciphers:
        if not SSL_set_cipher_list(ssl, settings.ciphers):
            return False
        SSL_set_security_level(ssl, settings.values.security_level)
    if settings.client_sigalgs is not sealed.client_sigalgs:
        if not SSL_set1_client_sigalgs_list(ssl, settings.client_sigalgs):
            return False
    if settings.server_sigalgs is not sealed.server_sigalgs:
        if not SSL_set1_sigalgs_list(ssl, settings.server_sigalgs):
            return False
    hint = <const char *>NULL if settings.psk_hint is None else <const char *>settings.psk_hint
    if not wt_set_psk_hint(ssl, hint):
        return False
    return settings.trust is sealed.trust or use_trust(ssl, settings.trust)


cdef bint apply_hooks(SSL *ssl, Settings settings, bint server_side) noexcept:
    """What features do to each SSL. What stands in the SSL_CTX looks up the settings of the connection instead."""
    cdef Hook hook
    for hook in settings.hooks:
        if not hook.apply(ssl, server_side):
            return False
    return True


cdef bint use_trust(SSL *ssl, Trust trust) noexcept:
    """OpenSSL: SSL_set1_verify_cert_store(3)"""
    return SSL_set1_verify_cert_store(ssl, trust.store) and SSL_set1_chain_cert_store(ssl, trust.store)


cdef bint use_credentials(SSL *ssl, tuple credentials) noexcept:
    """Instead of those of its SSL_CTX. At any security level: they were checked when they were loaded, as in `ssl`.

    OpenSSL: SSL_certs_clear(3), SSL_use_cert_and_key(3)
    """
    cdef int level = SSL_get_security_level(ssl)
    cdef bint accepted = True
    cdef Credential credential
    SSL_certs_clear(ssl)
    SSL_set_security_level(ssl, 0)
    for credential in credentials:
        accepted = accepted and SSL_use_cert_and_key(ssl, credential.leaf, credential.key, credential.chain, 1) > 0
    SSL_set_security_level(ssl, level)
    return accepted


cdef bint use_parameters(SSL *ssl, Parameters parameters) noexcept:
    """OpenSSL: SSL_set0_tmp_dh_pkey(3)"""
    cdef int level = SSL_get_security_level(ssl)
    cdef bint accepted
    if not EVP_PKEY_up_ref(parameters.key):
        return False
    SSL_set_security_level(ssl, 0)
    accepted = SSL_set0_tmp_dh_pkey(ssl, parameters.key)
    SSL_set_security_level(ssl, level)
    if not accepted:
        EVP_PKEY_free(parameters.key)
    return accepted
