"""Policy: the versions and algorithms of a Context, all of them set at once or none."""

from libc.stdint cimport uint64_t

from wiretight._core.base.errors cimport check, forget_errors, raise_queue
from wiretight._core.context.algorithms cimport (
    CIPHERS, CIPHERSUITES, CLIENT_SIGALGS, GROUPS, Names, is_accepted, names_of,
)
from wiretight._core.context.context cimport (
    Context, check_not_frozen, exchange_unsealed, settings_of, trial, update_settings,
)
from wiretight._core.context.settings cimport Parameters, Settings, put_properties
from wiretight._core.context.versions cimport check_version
from wiretight._core.openssl.evp cimport (
    EVP_MD, EVP_MD_fetch, EVP_MD_free, EVP_PKEY_CTX, EVP_PKEY_CTX_free, EVP_PKEY_CTX_new_from_name,
    EVP_PKEY_CTX_set_group_name, EVP_PKEY_paramgen, EVP_PKEY_paramgen_init,
)
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_OP_CIPHER_SERVER_PREFERENCE, SSL_OP_NO_TLSv1_2, SSL_OP_NO_TLSv1_3, SSL_free, SSL_get1_supported_ciphers,
    SSL_set1_client_sigalgs_list, SSL_set1_sigalgs_list, sk_SSL_CIPHER_free, stack_st_SSL_CIPHER,
)

from wiretight._core.base import tables

cdef const char *EVERY_KEY = "ECDSA+SHA256:RSA-PSS+SHA256:RSA+SHA256"


def apply_policy(Context context not None, dict policy, Context other=None, /):
    """Sets what `policy` names, in the terms of Policy.describe(), with versions as numbers.

    `other` is a copy of the context that fetches its algorithms as needs_another() has asked for. Raises
    NotImplementedError if this OpenSSL lacks one of the algorithms, ValueError if the security level forbids one, or
    on a context for a single version, RuntimeError if another SSL_CTX would be needed and this one is in use; and then
    changes nothing. Since 0.1.

    OpenSSL: SSL_get1_supported_ciphers(3), SSL_set1_groups_list(3)
    """
    check_not_frozen(context)
    check_version(context._protocol, policy["minimum_version"])
    check_available(context if other is None else other, policy)
    parameters = named_parameters(policy["dh_group"].encode()) if "dh_group" in policy else None
    if other is not None:
        update_settings(other, put_policy, (policy, parameters))    # whatever can fail, before anything changes
        if not exchange_unsealed(context, other):
            raise RuntimeError(f"policy {policy['name']!r} must be applied before the first connection of a context")
    update_settings(context, put_policy, (policy, parameters))


def needs_another(Context context not None, dict policy, /):
    """Whether the SSL_CTX of `context` fetches other implementations of the algorithms than `policy` asks for.

    Raises NotImplementedError if there are none such. Since 0.1.

    OpenSSL: EVP_MD_fetch(3), SSL_CTX_new_ex(3)
    """
    cdef EVP_MD *digest
    if "properties" not in policy:
        return False
    properties = policy["properties"].encode()
    if settings_of(context).properties == properties:
        return False
    digest = EVP_MD_fetch(NULL, "SHA2-256", <bytes>properties)
    if digest == NULL:
        forget_errors()
        raise NotImplementedError(
            f"policy {policy['name']!r} needs OpenSSL's FIPS provider, which is not active: activate it in openssl.cnf "
            "as fips_module(7) describes; an OpenSSL inside wiretight (OPENSSL_STATIC) cannot load it"
        )
    EVP_MD_free(digest)
    return True


cdef int put_policy(Context context, Settings settings, object value) except -1:
    cdef uint64_t options = settings.values.options & ~(SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3)
    policy, parameters = value
    settings.values.minimum_version = policy["minimum_version"]
    settings.values.maximum_version = policy["maximum_version"]
    if policy["server_preference"]:
        settings.values.options = options | SSL_OP_CIPHER_SERVER_PREFERENCE
    else:
        settings.values.options = options & ~SSL_OP_CIPHER_SERVER_PREFERENCE
    settings.ciphersuites = joined(policy["ciphersuites"])
    settings.groups = joined(policy["groups"])
    if "ciphers" in policy:
        settings.ciphers = joined(policy["ciphers"])
    if "signature_algorithms" in policy:
        settings.client_sigalgs = settings.server_sigalgs = joined(policy["signature_algorithms"])
    if parameters is not None:
        settings.dh_params = parameters
    if "properties" in policy:
        put_properties(settings, policy["properties"].encode())
    return check_allowed(context, settings, policy)


cdef bytes joined(list names):
    return ":".join(names).encode()


# --- what this OpenSSL and this context can do ----------------------------------------------------------------------
cdef int check_available(Context context, dict policy) except -1:
    """A list of OpenSSL's may skip what it does not know: so each name is tried by itself."""
    cdef list missing = []
    add_missing(missing, context, CIPHERSUITES, policy["ciphersuites"])
    add_missing(missing, context, CIPHERS, policy.get("ciphers", []))
    add_missing(missing, context, GROUPS, policy["groups"])
    add_missing(missing, context, CLIENT_SIGALGS, policy.get("signature_algorithms", []))
    if missing:
        raise NotImplementedError(
            f"policy {policy['name']!r} needs {', '.join(missing)}, which OpenSSL does not have for this context: "
            f"{advice(policy['openssl'])}choose another policy"
        )
    return 0


cdef str advice(str openssl):
    major, minor = openssl.split(".")
    if tables.OPENSSL_VERSION_INFO[:2] >= (int(major), int(minor)):
        return ""
    return f"build wiretight with OpenSSL {openssl} or newer, or "


cdef int add_missing(list missing, Context context, Names which, list names) except -1:
    for name in names:
        if not is_accepted(context, which, name.encode()):
            forget_errors()
            missing.append(name)
    return 0


cdef int check_allowed(Context context, Settings settings, dict policy) except -1:
    """OpenSSL: SSL_get1_supported_ciphers(3)"""
    cdef SSL *ssl = trial(context, settings)
    cdef stack_st_SSL_CIPHER *supported = NULL
    # Ciphers also count as unsupported for signature algorithms that the context does without.
    if SSL_set1_sigalgs_list(ssl, EVERY_KEY) and SSL_set1_client_sigalgs_list(ssl, EVERY_KEY):
        supported = SSL_get1_supported_ciphers(ssl)
    SSL_free(ssl)
    if supported == NULL:
        raise_queue()
    try:
        ciphers, suites = names_of(supported)
    finally:
        sk_SSL_CIPHER_free(supported)
    allowed = (ciphers + b":" + suites).decode().split(":")
    for name in policy["ciphersuites"] + policy.get("ciphers", []):
        if name not in allowed:
            raise ValueError(
                f"policy {policy['name']!r} needs {name}, which the security level {settings.values.security_level} of "
                "this context forbids: choose another policy, or lower the level"
            )
    return 0


# --- Diffie-Hellman parameters ---------------------------------------------------------------------------------------
cdef Parameters named_parameters(bytes group):
    """A group of RFC 7919. OpenSSL: EVP_PKEY_CTX_set_group_name(3)"""
    cdef Parameters parameters = Parameters.__new__(Parameters)
    cdef EVP_PKEY_CTX *generator
    forget_errors()
    generator = EVP_PKEY_CTX_new_from_name(NULL, "DH", NULL)
    if generator == NULL:
        raise_queue()
    try:
        check(EVP_PKEY_paramgen_init(generator))
        check(EVP_PKEY_CTX_set_group_name(generator, group))
        check(EVP_PKEY_paramgen(generator, &parameters.key))
    finally:
        EVP_PKEY_CTX_free(generator)
    return parameters
