"""TrustStore: CA certificates and CRLs, shared by the contexts that trust them.

Everything is read and parsed first, and then added to a copy (of the list, not of what is in it), which replaces what
was there: a failed addition adds nothing, and no handshake sees a store that changes.
"""

cimport cython

from wiretight._core.base.errors cimport check, forget_errors, raise_queue
from wiretight._core.base.files cimport absolute, path_of, working_directory
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.context.settings cimport trust_of
from wiretight._core.openssl.crypto cimport RAND_bytes
from wiretight._core.openssl.evp cimport SHA256, SHA256_DIGEST_LENGTH
from wiretight._core.openssl.x509 cimport (
    X509, X509_CRL, X509_CRL_free, X509_STORE, X509_STORE_get0_objects, X509_STORE_get1_all_certs,
    X509_STORE_load_path, X509_STORE_set_flags, X509_V_FLAG_CRL_CHECK, X509_free,
    X509_get_default_cert_dir, X509_get_default_cert_dir_env, X509_get_default_cert_file,
    X509_get_default_cert_file_env, sk_X509_CRL_new_null, sk_X509_CRL_num, sk_X509_CRL_pop_free, sk_X509_CRL_push,
    sk_X509_CRL_shift, sk_X509_OBJECT_num, sk_X509_new_null, sk_X509_num, sk_X509_pop_free, sk_X509_push,
    sk_X509_shift, stack_st_X509, stack_st_X509_CRL,
)
from wiretight._core.trust.addition cimport of_default_places, of_directory, of_file, of_memory
from wiretight._core.trust.bundle cimport Bundle, add_objects, new_store
from wiretight._core.trust.demand cimport is_supplied, supply, supply_all
from wiretight._core.trust.trustedfile cimport trusted_file
from wiretight._core.x509.certificate cimport Chain, chain_of
from wiretight._core.x509.crl cimport parse_crls
from wiretight._core.x509.foreign cimport certificate_der, crl_der, is_foreign
from wiretight._core.x509.octets cimport octets_of_text
from wiretight._core.x509.pem cimport parse_der, parse_pem

cdef extern from "Python.h":
    bint PyObject_CheckBuffer(object data)

cdef extern from "compat.h" nogil:
    const char *wt_safe_getenv(const char *name)

from wiretight._core.base import tables
from wiretight._core.trust.places import system_trust
from wiretight._standard.system import os, stat


@cython.final
cdef class TrustStore(TrustSource):
    """CA certificates and CRLs to verify peers with, decoded once for all contexts that have it as their `trust_store`.

    `certificates` and `crls` are PEM text (str or bytes-like), DER (bytes-like, one after the other), a Certificate, an
    object of `cryptography`, or an iterable of any of these. A str is never a path: see from_file().

    It only grows: connections that are made later trust what was added, whichever context they are made from. To take
    something away, make another store. Once it has a CRL, a peer's certificate is refused unless its issuer has a valid
    one there that it is not on (VERIFY_CRL_CHECK_LEAF); VERIFY_CRL_CHECK_CHAIN extends that to its issuers.

    Raises SSLError for data that cannot be decoded or has nothing of its kind, ValueError for empty data, TypeError for
    another type; then nothing has been added. Since 0.1. Source: RFC 5280, section 6.

    OpenSSL: X509_STORE_new(3)
    """

    def __cinit__(self, *_, **__):
        self.trust = empty_trust()

    def __init__(self, certificates=(), crls=()):
        cdef Gathered gathered = Gathered.__new__(Gathered)
        gathered.add(certificates, "certificates", False)
        gathered.add(crls, "crls", True)
        self.grow(gathered.additions())

    @classmethod
    def system(cls):
        """What OpenSSL trusts by default, as SSLContext.set_default_verify_paths() has it. Since 0.1.

        OpenSSL: SSL_CTX_set_default_verify_paths(3)
        """
        cdef TrustStore store = TrustStore()
        store.grow((default_trust(),))
        return store

    @classmethod
    def from_file(cls, path, /):
        """The certificates and CRLs of a file in PEM format, which is read once as long as it does not change.

        Raises OSError if it cannot be read, SSLError if it has none, or a broken one. Since 0.1.

        OpenSSL: X509_STORE_add_cert(3)
        """
        cdef TrustStore store = TrustStore()
        store.grow((of_file(path, "path"),))
        return store

    @classmethod
    def from_directory(cls, path, /):
        """The certificates and CRLs of a directory prepared by `openssl rehash`; each is read when it is needed.

        Whether there are CRLs is not known before: they are used with VERIFY_CRL_CHECK_LEAF in verify_flags.

        Raises OSError if there is no such directory, ValueError for a path with a ":", which would be two of them to
        OpenSSL. Since 0.1.

        OpenSSL: X509_STORE_load_path(3)
        """
        cdef TrustStore store = TrustStore()
        cdef str name = absolute(path_of(path, "path"), working_directory())
        if ":" in name:
            raise ValueError(f"{name!r} contains ':', which separates directories to OpenSSL: rename it")
        if not stat.S_ISDIR(os.stat(name).st_mode):
            raise NotADirectoryError(f"{name!r} is not a directory: use from_file() for a file")
        store.grow((of_directory(os.fsencode(name)),))
        return store

    def add_certificates(self, data, /):
        """Adds CA certificates, in any form that the constructor takes; returns how many of them are new.

        Raises what the constructor raises, and RuntimeError if it is the `trust_store` of a frozen context that was
        given none. Since 0.1.

        OpenSSL: X509_STORE_add_cert(3)
        """
        cdef Gathered gathered = Gathered.__new__(Gathered)
        gathered.add(data, "data", False)
        return self.grow(gathered.additions())

    def add_crls(self, data, /):
        """Adds CRLs, in any form that the constructor takes; returns how many of them are new.

        From then on peers' certificates are looked up in them: see the class. A list does not replace an earlier one of
        its issuer: OpenSSL takes one that is valid at the time, the newer of two such, and the first of two of the same
        time. To replace a list, make another store. Raises what add_certificates() raises.
        Since 0.1. Source: RFC 5280, section 6.3.

        OpenSSL: X509_STORE_add_crl(3)
        """
        cdef Gathered gathered = Gathered.__new__(Gathered)
        gathered.add(data, "data", True)
        return self.grow(gathered.additions())

    @property
    def certificates(self):
        """The certificates in it: a list of Certificate. Those of a directory are there once they have been needed.

        Since 0.1. OpenSSL: X509_STORE_get1_all_certs(3)
        """
        return certificates_of(trust_of(self))

    @property
    def fingerprint(self):
        """Equal for two stores only if they trust the same (bytes): a SHA-256 digest of all that was added.

        Neither the order matters nor what was added twice. A directory counts by its path, not by its content, and
        with a relative path no two stores are equal; what a TRUSTED CERTIFICATE is trusted for counts, and whether CRLs
        are used without VERIFY_CRL_CHECK_LEAF.
        Since 0.1. OpenSSL: i2d_X509_AUX(3), X509_CRL_digest(3)
        """
        return fingerprint_of(trust_of(self))

    def __repr__(self):
        return f"<TrustStore: {len(self.certificates)} certificates>"

    cdef int grow(self, tuple additions) except -1:
        """Adds all or nothing; how many certificates and CRLs are new."""
        cdef Trust before, after
        cdef int added = 0
        cdef bint checks_crls = False
        cdef Addition addition
        if self.frozen:
            raise RuntimeError("this is the trust store of a frozen context: change that of a copy() of the context")
        for addition in additions:
            checks_crls = checks_crls or (addition.bundle is not None and addition.bundle.has_crls())
        while True:
            before = trust_of(self)
            after = grown(before, additions, checks_crls, &added)
            if replace_trust(self, before, after):
                return added


cdef bint replace_trust(TrustStore store, Trust before, Trust after) noexcept:
    """False if another thread has replaced `before` first."""
    with cython.critical_section(store):
        if store.trust is not before:
            return False
        store.trust = after     # frees nothing: the caller still owns `before`
        return True


cdef TrustStore store_with(Trust trust, bint frozen):
    cdef TrustStore store = TrustStore.__new__(TrustStore)
    store.trust = trust
    store.frozen = frozen
    return store


# --- what it trusts --------------------------------------------------------------------------------------------------
cdef Trust empty_trust():
    cdef Trust trust = Trust.__new__(Trust)
    forget_errors()
    trust.store = new_store()
    if trust.store == NULL:
        raise_queue()
    trust.additions = ()
    return trust


cdef Trust grown(Trust before, tuple additions, bint checks_crls, int *added):
    """An addition with nothing new is not kept: a program may load the same again and again.

    OpenSSL: X509_STORE_load_path(3), X509_STORE_set_flags(3)
    """
    cdef Trust trust = empty_trust()
    cdef Addition addition
    cdef Bundle supplier = None if before.additions else only_bundle(additions)
    cdef list directories = directories_of(before)
    cdef list found = []
    cdef set known
    cdef int first, count, total
    cdef bint is_new
    if before.checks_crls >= checks_crls and not has_news(before, additions):
        if added != NULL:
            added[0] = 0
        return before
    # What a directory was searched for is in the store, too, but was not added.
    known = digests_of(before) if directories else None
    complete(before)
    add_objects(before.store, trust.store)
    first = count = total = sk_X509_OBJECT_num(X509_STORE_get0_objects(trust.store))
    for addition in additions:
        is_new = addition.directory is not None and addition.directory not in directories
        if is_new:
            directories.append(addition.directory)
        if addition.bundle is not None and addition.bundle is supplier and supplier.index != NULL:
            supply(trust.store, supplier.index)
            total = count + supplier.index.count
        elif addition.bundle is not None:
            add_objects(addition.bundle.store(), trust.store)
            total = sk_X509_OBJECT_num(X509_STORE_get0_objects(trust.store))
            is_new = is_new or known is not None and not addition.bundle.fingerprints() <= known
        if is_new or total > count:
            found.append(addition)
        count = total
    if added != NULL:
        added[0] = count - first
    trust.additions = (*before.additions, *found)
    trust.checks_crls = before.checks_crls or checks_crls
    if not found and trust.checks_crls == before.checks_crls:
        return before
    for directory in directories:
        check(X509_STORE_load_path(trust.store, directory))     # a missing place is no error
    if trust.checks_crls:
        check(X509_STORE_set_flags(trust.store, X509_V_FLAG_CRL_CHECK))
    return trust


cdef bint has_news(Trust trust, tuple additions) except -1:
    """Whether one of them is not in it already, as far as can be told without decoding anything."""
    cdef Addition addition
    cdef list bundles = bundles_of(trust.additions), directories = directories_of(trust)
    for addition in additions:
        if addition.bundle is not None and not is_among(addition.bundle, bundles):
            return True
        if addition.directory is not None and addition.directory not in directories:
            return True
    return False


cdef bint is_among(Bundle bundle, list bundles) noexcept:
    for each in bundles:
        if each is bundle:
            return True
    return False


cdef Bundle only_bundle(tuple additions):
    """None if there are several: a store has one index."""
    cdef list bundles = bundles_of(additions)
    return bundles[0] if len(bundles) == 1 else None


cdef list bundles_of(tuple additions):
    cdef Addition addition
    cdef list bundles = []
    for addition in additions:
        if addition.bundle is not None:
            bundles.append(addition.bundle)
    return bundles


cdef int complete(Trust trust) except -1:
    """Puts everything into the store that was added: somebody needs more than single certificates of it."""
    cdef Bundle bundle
    if is_supplied(trust.store):
        bundle = only_bundle(trust.additions)
        supply_all(trust.store, bundle.store())
    return 0


cdef list directories_of(Trust trust):
    """Each one once."""
    cdef Addition addition
    cdef dict directories = {}
    for addition in trust.additions:
        if addition.directory is not None:
            directories[addition.directory] = None
    return list(directories)


cdef list certificates_of(Trust trust):
    """OpenSSL: X509_STORE_get1_all_certs(3)"""
    cdef X509_STORE *store = trust.store
    cdef Chain certificates
    complete(trust)
    forget_errors()
    with nogil:
        wt_gate_enter(store)
        certificates.certificates = X509_STORE_get1_all_certs(store)
        wt_gate_leave(store)
    certificates.is_starved = certificates.certificates == NULL
    try:
        return chain_of(&certificates)
    finally:
        sk_X509_pop_free(certificates.certificates, X509_free)


cdef set digests_of(Trust trust):
    """Of what was added, without what is in its directories."""
    cdef Addition addition
    cdef set digests = set()
    for addition in trust.additions:
        if addition.bundle is not None:
            digests |= addition.bundle.fingerprints()
    return digests


cdef bytes fingerprint_of(Trust trust):
    """See TrustStore.fingerprint."""
    cdef bytes known
    with cython.critical_section(trust):
        known = trust.fingerprint
    if known is None:
        known = new_fingerprint(trust)
        with cython.critical_section(trust):
            trust.fingerprint = known
    return known


cdef bytes new_fingerprint(Trust trust):
    """OpenSSL: SHA256(3), RAND_bytes(3)"""
    cdef unsigned char digest[SHA256_DIGEST_LENGTH]
    cdef bytes text = b"".join(sorted(digests_of(trust)))
    if trust.checks_crls:
        text += b"\1"
    for directory in sorted(directories_of(trust)):
        text += b"\0" + directory
        if any_relative(directory):     # it is another one in another folder, so that no other store is like this
            check(RAND_bytes(digest, SHA256_DIGEST_LENGTH))
            text += digest[:SHA256_DIGEST_LENGTH]
    if SHA256(text, len(text), digest) == NULL:
        raise MemoryError
    return digest[:SHA256_DIGEST_LENGTH]


cdef bint any_relative(bytes directories) except -1:
    """OpenSSL: X509_LOOKUP_hash_dir(3)"""
    cdef bytes directory
    for directory in directories.split(b":"):
        if not directory.startswith(b"/"):
            return True
    return False


# --- places ----------------------------------------------------------------------------------------------------------
cdef Addition default_trust():
    """As SSL_CTX_set_default_verify_paths() has it: a file and a directory; a missing or broken file is no error.

    An OpenSSL of our own has the places of this system, unless the environment names others. That is asked once: a
    store goes on searching the directory that was named when it was made.
    """
    cdef const char *named_file = wt_safe_getenv(X509_get_default_cert_file_env())
    cdef const char *named_directory = wt_safe_getenv(X509_get_default_cert_dir_env())
    cdef Bundle bundle = None
    file, directory = default_places()
    try:
        bundle = trusted_file(file if named_file == NULL else <bytes>named_file, None)
    except OSError:
        pass
    if named_directory != NULL:
        directory = <bytes>named_directory
    return of_default_places(bundle, directory or None)


cdef tuple default_places():
    """(file, directory) of this system, which its own OpenSSL was built with and ours was not.

    OpenSSL: X509_get_default_cert_file(3)
    """
    file, directory = system_trust() if tables.OPENSSL_STATIC else (None, None)
    return (
        <bytes>X509_get_default_cert_file() if file is None else os.fsencode(file),
        <bytes>X509_get_default_cert_dir() if directory is None else os.fsencode(directory),
    )


def default_verify_paths():
    """(variable, file, variable, directory): where OpenSSL looks for CA certificates, and what overrides it.

    Since 0.1. Source: `ssl.get_default_verify_paths` of the standard library.

    OpenSSL: X509_get_default_cert_file(3)
    """
    file, directory = default_places()
    return (
        os.fsdecode(X509_get_default_cert_file_env()),
        os.fsdecode(file),
        os.fsdecode(X509_get_default_cert_dir_env()),
        os.fsdecode(directory),
    )


# --- what a program passes -------------------------------------------------------------------------------------------
@cython.final
cdef class Gathered:
    """Certificates and CRLs, before they are added."""
    cdef stack_st_X509 *certificates
    cdef stack_st_X509_CRL *crls

    def __cinit__(self):
        self.certificates = sk_X509_new_null()
        self.crls = sk_X509_CRL_new_null()
        if self.certificates == NULL or self.crls == NULL:
            raise MemoryError

    def __dealloc__(self):
        sk_X509_pop_free(self.certificates, X509_free)
        sk_X509_CRL_pop_free(self.crls, X509_CRL_free)

    cdef int add(self, object data, str argument, bint is_crl) except -1:
        """Data in one piece, an object, or an iterable of these: a list of `cryptography` is iterable, too."""
        if not is_one(data):
            try:
                each = iter(data)
            except TypeError:
                raise TypeError(
                    f"{argument} must be PEM or DER data, {'CRLs' if is_crl else 'certificates'}, or an iterable of "
                    f"these, not {type(data).__name__}"
                ) from None
            for data in each:
                self.add_one(data, argument, is_crl)
            return 0
        return self.add_one(data, argument, is_crl)

    cdef int add_one(self, object data, str argument, bint is_crl) except -1:
        if not isinstance(data, str) and not PyObject_CheckBuffer(data):
            data = crl_der(data, argument) if is_crl else certificate_der(data, argument)
        if is_crl:
            return self.take_crls(parse_crls(data, argument))
        if octets_of_text(data, argument, "a string or a bytes-like object").is_der():
            return self.take_certificates(parse_der(data, argument))
        return self.take_certificates(parse_pem(data, argument))

    cdef int take_certificates(self, stack_st_X509 *found) except -1:
        """OpenSSL: X509_STORE_add_cert(3)"""
        cdef X509 *x509 = sk_X509_shift(found)
        while x509 != NULL and sk_X509_push(self.certificates, x509) > 0:
            x509 = sk_X509_shift(found)
        sk_X509_pop_free(found, X509_free)
        if x509 != NULL:
            X509_free(x509)
            raise MemoryError
        return 0

    cdef int take_crls(self, stack_st_X509_CRL *found) except -1:
        """OpenSSL: X509_STORE_add_crl(3)"""
        cdef X509_CRL *crl = sk_X509_CRL_shift(found)
        while crl != NULL and sk_X509_CRL_push(self.crls, crl) > 0:
            crl = sk_X509_CRL_shift(found)
        sk_X509_CRL_pop_free(found, X509_CRL_free)
        if crl != NULL:
            X509_CRL_free(crl)
            raise MemoryError
        return 0

    cdef tuple additions(self):
        if sk_X509_num(self.certificates) == 0 and sk_X509_CRL_num(self.crls) == 0:
            return ()
        return (of_memory(self.certificates, self.crls),)


cdef bint is_one(object data):
    return isinstance(data, str) or PyObject_CheckBuffer(data) or is_foreign(data)
