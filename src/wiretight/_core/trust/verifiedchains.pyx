"""Verified chains: those whose signatures OpenSSL has verified, and need not verify again.

OpenSSL verifies a chain in steps, one of which verifies the signatures and looks at the dates. Its result depends on
nothing but what identify() digests, and on the time: so a chain that has passed it once passes it again, as long as its
dates are good. What is remembered is a digest, not a certificate. All the other steps run every time.

That step, internal_verify() in crypto/x509/x509_vfy.c of OpenSSL, reads:

- the certificates of the chain, the trust anchor included: their names, key identifiers, key usage, keys, signatures
  and dates, all of which are in their DER. OpenSSL 3 decodes no key that inherits parameters from another one. What
  else a trust store knows of a certificate (X509_CERT_AUX) is not read here;
- the flags of the verification: CHECK_SS_SIGNATURE, PARTIAL_CHAIN, and those of the time;
- the time, of the verification or of the clock, with which verification.pyx compares the dates before it asks here;
- the implementations of the algorithms, which are fetched by the properties of the SSL_CTX, and OpenSSL's FIPS mode;
- `bare_ta_signed` and raw public keys, which are of DANE (RFC 6698) and RFC 7250: no connection here has them.

It does not read the security level, which is digested so that nobody has to rely on that; nor purpose, trust or depth.

The memory's lock is only tried, because a handshake may hold the GIL or another lock. Whoever finds it locked verifies.
So does a child of fork() in which it stays locked.
"""

from libc.string cimport memcmp, memcpy, strlen

from wiretight._core.base.mutex cimport (
    WT_LEVEL_CHAINS, wt_mutex, wt_mutex_init, wt_mutex_is_orphaned, wt_mutex_lock_with_gil, wt_mutex_try,
    wt_mutex_unlock,
)
from wiretight._core.context.context cimport settings_of, update_settings
from wiretight._core.context.settings cimport Settings
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.err cimport ERR_pop_to_mark, ERR_set_mark
from wiretight._core.openssl.evp cimport (
    EVP_DigestFinal_ex, EVP_DigestInit_ex, EVP_DigestUpdate, EVP_MD_CTX, EVP_MD_CTX_free, EVP_MD_CTX_new,
    EVP_default_properties_is_fips_enabled, EVP_sha256,
)
from wiretight._core.openssl.x509 cimport (
    X509, X509_STORE_CTX_get0_chain, X509_STORE_CTX_get0_param, X509_VERIFY_PARAM, X509_VERIFY_PARAM_get_auth_level,
    X509_VERIFY_PARAM_get_flags, i2d_X509, sk_X509_num, sk_X509_value, stack_st_X509,
)

from collections import namedtuple

cdef enum:
    MOST_CHAINS = 1024

Statistics = namedtuple("Statistics", ("chains", "recalled", "missed"))
Statistics.__module__ = __name__
Statistics.__doc__ = "How many chains are remembered, and how many were recognized and not, so far. Since 0.1."


# --- The identity of a chain -----------------------------------------------------------------------------------------
cdef struct Parameters:
    uint64_t flags
    uint64_t security_level
    uint64_t is_fips
    uint64_t properties_size        # and one more; 0: none
    uint64_t count                  # of certificates


cdef bint identify(X509_STORE_CTX *check, const char *properties, VerifiedChain *chain) noexcept nogil:
    """The SHA-256 digest of all that decides whether the signatures are good; `properties` may be NULL.

    OpenSSL: EVP_DigestUpdate(3)
    """
    cdef EVP_MD_CTX *sha256
    cdef bint done
    ERR_set_mark()
    sha256 = EVP_MD_CTX_new()
    done = (
        sha256 != NULL
        and EVP_DigestInit_ex(sha256, EVP_sha256(), NULL)
        and digest_parameters(sha256, check, properties)
        and digest_certificates(sha256, X509_STORE_CTX_get0_chain(check))
        and EVP_DigestFinal_ex(sha256, chain.digest, NULL)
    )
    EVP_MD_CTX_free(sha256)
    ERR_pop_to_mark()       # a failure here is none of the handshake
    return done


cdef bint digest_parameters(EVP_MD_CTX *sha256, X509_STORE_CTX *check, const char *properties) noexcept nogil:
    """OpenSSL: X509_VERIFY_PARAM_get_flags(3), EVP_default_properties_is_fips_enabled(3)"""
    cdef X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(check)
    cdef size_t size = 0 if properties == NULL else strlen(properties)
    cdef Parameters parameters
    parameters.flags = X509_VERIFY_PARAM_get_flags(param)
    parameters.security_level = <uint64_t>X509_VERIFY_PARAM_get_auth_level(param)
    parameters.is_fips = EVP_default_properties_is_fips_enabled(NULL)
    parameters.properties_size = 0 if properties == NULL else size + 1
    parameters.count = <uint64_t>sk_X509_num(X509_STORE_CTX_get0_chain(check))
    return EVP_DigestUpdate(sha256, &parameters, sizeof(Parameters)) and EVP_DigestUpdate(sha256, properties, size)


cdef bint digest_certificates(EVP_MD_CTX *sha256, stack_st_X509 *certificates) noexcept nogil:
    cdef int depth
    for depth in range(sk_X509_num(certificates)):
        if not digest_certificate(sha256, sk_X509_value(certificates, depth)):
            return False
    return sk_X509_num(certificates) > 0


cdef bint digest_certificate(EVP_MD_CTX *sha256, X509 *certificate) noexcept nogil:
    """OpenSSL: i2d_X509(3)"""
    cdef unsigned char *encoding = NULL
    cdef int length = i2d_X509(certificate, &encoding)
    cdef uint64_t size = <uint64_t>length
    cdef bint done = (
        length > 0
        and EVP_DigestUpdate(sha256, &size, sizeof(size))
        and EVP_DigestUpdate(sha256, encoding, size)
    )
    OPENSSL_free(encoding)
    return done


# --- The memory ------------------------------------------------------------------------------------------------------
# All of it is written and read with `lock` held.
cdef wt_mutex lock
wt_mutex_init(&lock, WT_LEVEL_CHAINS)

cdef unsigned char[MOST_CHAINS][SHA256_DIGEST_LENGTH] digests
cdef uint64_t[MOST_CHAINS] heads        # of the digests, which are looked through first
cdef uint64_t[MOST_CHAINS] uses         # when each was last asked for, in `uses_so_far`
cdef int count = 0
cdef uint64_t uses_so_far = 0
cdef uint64_t era = 1          # 0 is none
cdef uint64_t hits = 0
cdef uint64_t misses = 0


cdef bint try_lock() noexcept nogil:
    return not wt_mutex_is_orphaned(&lock) and wt_mutex_try(&lock)


cdef bint recall(VerifiedChain *chain) noexcept nogil:
    """Whether it is remembered."""
    global hits, misses
    cdef int place
    chain.era = 0
    if not try_lock():
        return False
    place = place_of(chain)
    if place < 0:
        misses += 1
    else:
        hits += 1
        use(place)
    chain.era = era
    wt_mutex_unlock(&lock)
    return place >= 0


cdef void remember(const VerifiedChain *chain) noexcept nogil:
    """In place of the least recently used one, if there are MOST_CHAINS; nothing if it is locked, or came too late."""
    cdef int place
    if not try_lock():
        return
    if chain.era == era:
        place = place_of(chain)
        if place < 0:
            place = free_place()
            memcpy(&heads[place], chain.digest, sizeof(uint64_t))
            memcpy(digests[place], chain.digest, SHA256_DIGEST_LENGTH)
        use(place)
    wt_mutex_unlock(&lock)


cdef int place_of(const VerifiedChain *chain) noexcept nogil:
    cdef uint64_t head
    cdef int place
    memcpy(&head, chain.digest, sizeof(head))
    for place in range(count):
        if heads[place] == head and memcmp(digests[place], chain.digest, SHA256_DIGEST_LENGTH) == 0:
            return place
    return -1


cdef int free_place() noexcept nogil:
    global count
    cdef int place, oldest = 0
    if count < MOST_CHAINS:
        count += 1
        return count - 1
    for place in range(1, MOST_CHAINS):
        if uses[place] < uses[oldest]:
            oldest = place
    return oldest


cdef void use(int place) noexcept nogil:
    global uses_so_far
    uses_so_far += 1
    uses[place] = uses_so_far


def forget_verified_chains():
    """Forgets which chains have been verified: the signatures of each are verified again when it next comes.

    So it is with those that are being verified now. Connections and sessions go on. See
    SSLContext.remember_verified_chains. Since 0.1. Source: an addition to `ssl`.
    """
    global count, era
    if wt_mutex_is_orphaned(&lock):     # nothing is remembered here any more
        return
    wt_mutex_lock_with_gil(&lock)
    count = 0
    era += 1
    wt_mutex_unlock(&lock)


def statistics():
    """The Statistics of this process. A handshake that finds the memory locked is not counted. Since 0.1."""
    if wt_mutex_is_orphaned(&lock):
        return Statistics(0, 0, 0)
    wt_mutex_lock_with_gil(&lock)
    cdef int chains = count
    cdef uint64_t recalled = hits
    cdef uint64_t missed = misses
    wt_mutex_unlock(&lock)
    return Statistics(chains, recalled, missed)


def recalled(bytes digest not None, meanwhile=None, /):
    """Whether a chain with this digest is remembered; if it is not, it is from then on. For tests.

    `meanwhile` is called between the two, when a handshake verifies. Since 0.1.
    """
    cdef VerifiedChain chain
    if len(digest) != SHA256_DIGEST_LENGTH:
        raise ValueError(f"a digest has {SHA256_DIGEST_LENGTH} bytes")
    memcpy(chain.digest, <const unsigned char *>digest, SHA256_DIGEST_LENGTH)
    if recall(&chain):
        return True
    if meanwhile is not None:
        meanwhile()
    remember(&chain)
    return False


# --- The setting -----------------------------------------------------------------------------------------------------
cdef bint remembers(Context context):
    return settings_of(context).values.remembers_chains


cdef int set_remembers(Context context, bint value) except -1:
    return update_settings(context, put_remembers, value)


cdef int put_remembers(Context _, Settings settings, object value) except -1:
    settings.values.remembers_chains = value
    return 0
