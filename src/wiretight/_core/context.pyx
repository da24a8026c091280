"""Context: one SSL_CTX and what every connection made from it starts with."""

from cpython.exc cimport PyErr_WarnEx
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t

from wiretight._core.distrusted cimport reject_distrusted
from wiretight._core.errors cimport check, raise_queue
from wiretight._core.openssl.crypto cimport RAND_bytes
from wiretight._core.openssl.err cimport ERR_clear_error
from wiretight._core.openssl.ssl cimport (
    SSL, SSL3_VERSION, SSL_CTX_clear_options, SSL_CTX_free, SSL_CTX_get0_param, SSL_CTX_get_max_proto_version,
    SSL_CTX_get_min_proto_version, SSL_CTX_get_num_tickets, SSL_CTX_get_options, SSL_CTX_get_verify_mode, SSL_CTX_new,
    SSL_CTX_sess_accept, SSL_CTX_sess_accept_good, SSL_CTX_sess_accept_renegotiate, SSL_CTX_sess_cache_full,
    SSL_CTX_sess_connect, SSL_CTX_sess_connect_good, SSL_CTX_sess_connect_renegotiate, SSL_CTX_sess_hits,
    SSL_CTX_sess_misses, SSL_CTX_sess_number, SSL_CTX_sess_timeouts, SSL_CTX_set_cipher_list,
    SSL_CTX_set_max_proto_version, SSL_CTX_set_min_proto_version, SSL_CTX_set_mode, SSL_CTX_set_num_tickets,
    SSL_CTX_set_options, SSL_CTX_set_verify, SSL_DEFAULT_CIPHER_LIST, SSL_METHOD, SSL_MODE_AUTO_RETRY,
    SSL_MODE_RELEASE_BUFFERS, SSL_OP_ALL, SSL_OP_CIPHER_SERVER_PREFERENCE, SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS,
    SSL_OP_ENABLE_MIDDLEBOX_COMPAT, SSL_OP_NO_COMPRESSION, SSL_OP_NO_SSLv3, SSL_OP_NO_TLSv1, SSL_OP_NO_TLSv1_1,
    SSL_OP_NO_TLSv1_2, SSL_OP_NO_TLSv1_3, SSL_OP_SINGLE_DH_USE, SSL_OP_SINGLE_ECDH_USE,
    SSL_VERIFY_FAIL_IF_NO_PEER_CERT, SSL_VERIFY_NONE, SSL_VERIFY_PEER, SSL_VERIFY_POST_HANDSHAKE, SSL_free,
    SSL_get_security_level, SSL_new, SSL_set_cipher_list, SSL_set_ciphersuites, TLS1_1_VERSION, TLS1_2_VERSION,
    TLS1_3_VERSION, TLS1_VERSION, TLS_client_method, TLS_method, TLS_server_method,
)
from wiretight._core.openssl.x509 cimport (
    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, X509_VERIFY_PARAM, X509_VERIFY_PARAM_clear_flags,
    X509_VERIFY_PARAM_get_flags, X509_VERIFY_PARAM_get_hostflags, X509_VERIFY_PARAM_set_flags,
    X509_VERIFY_PARAM_set_hostflags, X509_V_FLAG_TRUSTED_FIRST,
)

cdef extern from "compat.h" nogil:
    void wt_take_any_host(X509_VERIFY_PARAM *param)

cdef extern from "Python.h":
    # As cpython.object declares it, it cannot delete.
    int generic_setattr "PyObject_GenericSetAttr"(object self, object name, PyObject *value) except -1

from operator import index

# Numbers of the standard library: verify modes, and TLSVersion's two that are no version.
cdef enum:
    CERT_NONE = 0
    CERT_OPTIONAL = 1
    CERT_REQUIRED = 2
    MINIMUM_SUPPORTED = -2
    MAXIMUM_SUPPORTED = -1
    GENERATION_SIZE = 16

cdef uint64_t VERSION_OPTIONS = (
    SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3
)

# protocol: (its one version, its name); the others negotiate the version.
cdef dict ONE_VERSION = {
    PROTOCOL_TLSv1: (TLS1_VERSION, "PROTOCOL_TLSv1"),
    PROTOCOL_TLSv1_1: (TLS1_1_VERSION, "PROTOCOL_TLSv1_1"),
    PROTOCOL_TLSv1_2: (TLS1_2_VERSION, "PROTOCOL_TLSv1_2"),
}

cdef dict OLD_VERSIONS = {SSL3_VERSION: "SSLv3", TLS1_VERSION: "TLSv1", TLS1_1_VERSION: "TLSv1_1"}


# Taken now: install() puts wiretight in its place.
try:
    from _ssl import _DEFAULT_CIPHERS as _standard_ciphers, _SSLContext as _standard_context
except ImportError:
    _standard_ciphers = _standard_context = None

cdef tuple policy = None


cdef tuple interpreters_policy():
    """(minimum version, ciphers) that this interpreter was built to give every context; None for ciphers means
    OpenSSL's own, and MINIMUM_SUPPORTED that openssl.cnf decides.

    A distribution sets its policy when it builds Python: Debian trusts its openssl.cnf, python.org's builds do not.
    Found out with the first context: making one is a quarter of the time that importing this package takes.
    """
    global policy
    if policy is None:
        minimum, ciphers = TLS1_2_VERSION, None
        if _standard_context is not None:
            minimum = _standard_context(PROTOCOL_TLS_CLIENT).minimum_version
            if _standard_ciphers != SSL_DEFAULT_CIPHER_LIST.decode("ascii"):
                ciphers = _standard_ciphers
        policy = (minimum, ciphers)
    return policy


cdef class Context:
    """The settings that TLS connections are made with: versions, algorithms, verification, certificates, trust.

    `protocol` is a number of the standard library's: PROTOCOL_TLS_CLIENT (16), PROTOCOL_TLS_SERVER (17), PROTOCOL_TLS
    (2), or a single version (3, 4, 5). Raises ValueError for another.

    Connections take most settings over when they are made: a later change is for later connections.

    Since 0.1. Source: `ssl.SSLContext` of the standard library.

    OpenSSL: SSL_CTX_new(3)
    """

    def __cinit__(self, int protocol, /):
        cdef const SSL_METHOD *method
        if protocol == PROTOCOL_TLS_CLIENT:
            method = TLS_client_method()
        elif protocol == PROTOCOL_TLS_SERVER:
            method = TLS_server_method()
        elif protocol == PROTOCOL_TLS or protocol in ONE_VERSION:
            method = TLS_method()
            warn_deprecated("PROTOCOL_TLS" if protocol == PROTOCOL_TLS else ONE_VERSION[protocol][1])
        else:
            raise ValueError(f"invalid or unsupported protocol version {protocol}")
        ERR_clear_error()
        self.ctx = SSL_CTX_new(method)
        if self.ctx == NULL:
            raise_queue()
        self._protocol = protocol
        renew(self)
        set_defaults(self)

    def __dealloc__(self):
        SSL_CTX_free(self.ctx)

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __delattr__(self, name):
        try:
            generic_setattr(self, name, NULL)
        except NotImplementedError:  # what Cython raises for a property that has no deleter
            raise AttributeError(f"attribute {name!r} of {type(self).__name__!r} objects cannot be deleted") from None

    # --- protocol versions and options -------------------------------------------------------------------------------
    @property
    def protocol(self):
        """The PROTOCOL_* number that the context was made with. Since 0.1."""
        return self._protocol

    @property
    def options(self):
        """OpenSSL's options: a sum of the OP_* flags. Setting it warns about the deprecated OP_NO_<version> ones.

        Since 0.1.

        OpenSSL: SSL_CTX_set_options(3)
        """
        return SSL_CTX_get_options(self.ctx)

    @options.setter
    def options(self, value):
        number = index(value)
        if number < 0:
            raise ValueError("Cannot convert negative int")
        cdef uint64_t wanted = number
        cdef uint64_t present = SSL_CTX_get_options(self.ctx)
        if wanted & ~present & VERSION_OPTIONS:
            PyErr_WarnEx(DeprecationWarning, "ssl.OP_NO_SSL*/ssl.OP_NO_TLS* options are deprecated", 2)
        SSL_CTX_clear_options(self.ctx, present & ~wanted)
        SSL_CTX_set_options(self.ctx, wanted & ~present)

    @property
    def minimum_version(self):
        """The lowest protocol version: a TLSVersion number, or -2 (MINIMUM_SUPPORTED) for no limit of the context's.

        Setting -1 (MAXIMUM_SUPPORTED) means the highest version that there is. Raises ValueError for an unsupported
        version, and on a context for one single version. Since 0.1.

        OpenSSL: SSL_CTX_set_min_proto_version(3)
        """
        return self_limited(self, SSL_CTX_get_min_proto_version(self.ctx), MINIMUM_SUPPORTED)

    @minimum_version.setter
    def minimum_version(self, int value):
        check_version(self, value)
        if value == MAXIMUM_SUPPORTED:
            value = TLS1_3_VERSION
        if not SSL_CTX_set_min_proto_version(self.ctx, 0 if value == MINIMUM_SUPPORTED else value):
            refuse_version(value)

    @property
    def maximum_version(self):
        """The highest protocol version: a TLSVersion number, or -1 (MAXIMUM_SUPPORTED) for no limit of the context's.

        Setting -2 (MINIMUM_SUPPORTED) means the lowest version that there is. Raises ValueError for an unsupported
        version, and on a context for one single version. Since 0.1.

        OpenSSL: SSL_CTX_set_max_proto_version(3)
        """
        return self_limited(self, SSL_CTX_get_max_proto_version(self.ctx), MAXIMUM_SUPPORTED)

    @maximum_version.setter
    def maximum_version(self, int value):
        check_version(self, value)
        if value == MINIMUM_SUPPORTED:
            # OpenSSL refuses a version that it was built without.
            for value in (TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION):
                if SSL_CTX_set_max_proto_version(self.ctx, value):
                    return
            refuse_version(MINIMUM_SUPPORTED)
        if not SSL_CTX_set_max_proto_version(self.ctx, 0 if value == MAXIMUM_SUPPORTED else value):
            refuse_version(value)

    @property
    def security_level(self):
        """OpenSSL's security level, 0 to 5: the least strength that keys and algorithms must have. Since 0.1.

        OpenSSL: SSL_get_security_level(3)
        """
        cdef SSL *trial = configured(self)
        try:
            return SSL_get_security_level(trial)
        finally:
            SSL_free(trial)

    # --- verification ------------------------------------------------------------------------------------------------
    @property
    def verify_mode(self):
        """Whether the peer must show a certificate that holds: CERT_NONE (0), CERT_OPTIONAL (1), CERT_REQUIRED (2).

        Raises ValueError for another number, and for CERT_NONE while check_hostname is on. Since 0.1.

        OpenSSL: SSL_CTX_set_verify(3)
        """
        cdef int mode = SSL_CTX_get_verify_mode(self.ctx)
        if not mode & SSL_VERIFY_PEER:
            return CERT_NONE
        return CERT_REQUIRED if mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT else CERT_OPTIONAL

    @verify_mode.setter
    def verify_mode(self, int value):
        if value not in (CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED):
            raise ValueError("invalid value for verify_mode")
        if value == CERT_NONE and self._check_hostname:
            raise ValueError("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.")
        set_verify_mode(self, value)

    @property
    def verify_flags(self):
        """How certificate chains are verified: a sum of the VERIFY_* flags. Since 0.1.

        OpenSSL: X509_VERIFY_PARAM_set_flags(3)
        """
        return X509_VERIFY_PARAM_get_flags(SSL_CTX_get0_param(self.ctx))

    @verify_flags.setter
    def verify_flags(self, unsigned long value):
        cdef unsigned long present = X509_VERIFY_PARAM_get_flags(SSL_CTX_get0_param(self.ctx))
        ERR_clear_error()
        check(X509_VERIFY_PARAM_clear_flags(SSL_CTX_get0_param(self.ctx), present & ~value))
        check(X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(self.ctx), value & ~present))

    @property
    def check_hostname(self):
        """Whether a client checks that the server's certificate is for the name it connects to.

        Setting it to True raises verify_mode from CERT_NONE to CERT_REQUIRED. Since 0.1. Source: RFC 9525.
        """
        return self._check_hostname

    @check_hostname.setter
    def check_hostname(self, bint value):
        if value and SSL_CTX_get_verify_mode(self.ctx) == SSL_VERIFY_NONE:
            set_verify_mode(self, CERT_REQUIRED)
        self._check_hostname = value

    @property
    def _host_flags(self):
        """How names are compared: OpenSSL's X509_CHECK_FLAG_* numbers. Since 0.1.

        OpenSSL: X509_VERIFY_PARAM_set_hostflags(3)
        """
        return X509_VERIFY_PARAM_get_hostflags(SSL_CTX_get0_param(self.ctx))

    @_host_flags.setter
    def _host_flags(self, unsigned int value):
        X509_VERIFY_PARAM_set_hostflags(SSL_CTX_get0_param(self.ctx), value)

    @property
    def post_handshake_auth(self):
        """Whether a TLS 1.3 server may ask for the client's certificate after the handshake. Since 0.1.

        OpenSSL: SSL_set_post_handshake_auth(3)
        """
        return self._post_handshake_auth

    @post_handshake_auth.setter
    def post_handshake_auth(self, bint value):
        self._post_handshake_auth = value

    # --- sessions ----------------------------------------------------------------------------------------------------
    @property
    def num_tickets(self):
        """How many session tickets a TLS 1.3 server sends after a full handshake.

        Setting it raises ValueError for a negative number, and on a context that is not PROTOCOL_TLS_SERVER.
        Since 0.1.

        OpenSSL: SSL_CTX_set_num_tickets(3)
        """
        return SSL_CTX_get_num_tickets(self.ctx)

    @num_tickets.setter
    def num_tickets(self, Py_ssize_t value):
        if value < 0:
            raise ValueError("value must be non-negative")
        if self._protocol != PROTOCOL_TLS_SERVER:
            raise ValueError("SSLContext is not a server context.")
        ERR_clear_error()
        check(SSL_CTX_set_num_tickets(self.ctx, value))

    def session_stats(self):
        """How many connections and session reuses there were: eleven counters. Since 0.1.

        OpenSSL: SSL_CTX_sess_number(3)
        """
        return {
            "number": SSL_CTX_sess_number(self.ctx),
            "connect": SSL_CTX_sess_connect(self.ctx), "connect_good": SSL_CTX_sess_connect_good(self.ctx),
            "connect_renegotiate": SSL_CTX_sess_connect_renegotiate(self.ctx),
            "accept": SSL_CTX_sess_accept(self.ctx), "accept_good": SSL_CTX_sess_accept_good(self.ctx),
            "accept_renegotiate": SSL_CTX_sess_accept_renegotiate(self.ctx),
            "hits": SSL_CTX_sess_hits(self.ctx), "misses": SSL_CTX_sess_misses(self.ctx),
            "timeouts": SSL_CTX_sess_timeouts(self.ctx), "cache_full": SSL_CTX_sess_cache_full(self.ctx),
        }


cdef int set_defaults(Context context) except -1:
    """What every new context has, as CPython 3.15 documents it for `ssl.SSLContext`."""
    minimum, ciphers = interpreters_policy()
    if context._protocol in ONE_VERSION:
        minimum = ONE_VERSION[context._protocol][0]
        check(SSL_CTX_set_max_proto_version(context.ctx, minimum))
    if minimum != MINIMUM_SUPPORTED:
        check(SSL_CTX_set_min_proto_version(context.ctx, minimum))
    if ciphers is not None:
        check(SSL_CTX_set_cipher_list(context.ctx, c_string(ciphers)))
    SSL_CTX_set_options(
        context.ctx,
        SSL_OP_ALL & ~SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS | SSL_OP_NO_SSLv3 | SSL_OP_NO_COMPRESSION
        | SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_SINGLE_DH_USE | SSL_OP_SINGLE_ECDH_USE
        | SSL_OP_ENABLE_MIDDLEBOX_COMPAT,
    )
    SSL_CTX_set_mode(context.ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY)
    check(X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.ctx), X509_V_FLAG_TRUSTED_FIRST))
    context._host_flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS
    wt_take_any_host(SSL_CTX_get0_param(context.ctx))
    reject_distrusted(context.ctx)
    if context._protocol == PROTOCOL_TLS_CLIENT:
        context._check_hostname = True      # not by the property: a subclass may have one that does not work yet
        set_verify_mode(context, CERT_REQUIRED)
    return 0


cdef int set_verify_mode(Context context, int mode) except -1:
    cdef int flags = SSL_VERIFY_NONE if mode == CERT_NONE else SSL_VERIFY_PEER
    if mode == CERT_REQUIRED:
        flags |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT
    SSL_CTX_set_verify(context.ctx, flags, NULL)
    return 0


cdef int verify_mode_for(Context context, bint server_side) noexcept:
    """OpenSSL: SSL_CTX_set_verify(3)"""
    cdef int mode = SSL_CTX_get_verify_mode(context.ctx)
    if server_side and context._post_handshake_auth and mode & SSL_VERIFY_PEER:
        mode |= SSL_VERIFY_POST_HANDSHAKE
    return mode


cdef int renew(Context context) except -1:
    """Ends the resumption of sessions that were made with what was loaded before (see resumption).

    Random: no two contexts ever have the same, and a forked process goes on with its parent's.
    """
    cdef unsigned char name[GENERATION_SIZE]
    ERR_clear_error()
    check(RAND_bytes(name, GENERATION_SIZE))
    context._generation = name[:GENERATION_SIZE]
    return 0


# --- connections -----------------------------------------------------------------------------------------------------
cdef SSL *new_connection(Context context) except NULL:
    """An SSL with everything that the context prescribes, and for the caller to free.

    From now on the ciphers of the SSL_CTX stay as they are: a handshake in another thread reads their list without a
    lock, and setting them would free it (`ssl` crashes or fails there). Later ciphers are set on each connection.

    OpenSSL: SSL_new(3)
    """
    cdef SSL *ssl = configured(context)
    context._in_use = True
    return ssl


cdef SSL *configured(Context context) except NULL:
    """OpenSSL: SSL_new(3), SSL_set_cipher_list(3)"""
    cdef SSL *ssl = SSL_new(context.ctx)
    if ssl == NULL:
        raise_queue()
    try:
        if context._later_ciphers is not None:
            check(SSL_set_cipher_list(ssl, context._later_ciphers))
        if context._later_ciphersuites is not None:
            check(SSL_set_ciphersuites(ssl, context._later_ciphersuites))
    except BaseException:
        SSL_free(ssl)
        raise
    return ssl


# --- protocol versions -----------------------------------------------------------------------------------------------
cdef int self_limited(Context context, int version, int unlimited) except? -1:
    """A single-version context shows no limits, as with the standard library: its version is not a limit."""
    return unlimited if version == 0 or context._protocol in ONE_VERSION else version


cdef int check_version(Context context, int version) except -1:
    if context._protocol in ONE_VERSION:
        raise ValueError("The context's protocol doesn't support modification of highest and lowest version.")
    if version in OLD_VERSIONS:
        warn_deprecated(f"TLSVersion.{OLD_VERSIONS[version]}")
    elif version not in (MINIMUM_SUPPORTED, MAXIMUM_SUPPORTED, TLS1_2_VERSION, TLS1_3_VERSION):
        raise ValueError(f"Unsupported TLS/SSL version 0x{version:x}")
    return 0


cdef int refuse_version(int version) except -1:
    ERR_clear_error()
    raise ValueError(f"Unsupported protocol version 0x{version:x}")


cdef int warn_deprecated(str name) except -1:
    # Level 2: the Python face calls this, and its caller is who uses the name.
    return PyErr_WarnEx(DeprecationWarning, f"ssl.{name} is deprecated".encode(), 2)


cdef bytes c_string(str text):
    cdef bytes encoded = text.encode()
    if b"\0" in encoded:
        raise ValueError("embedded null character")
    return encoded
