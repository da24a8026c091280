"""Context: an SSL_CTX and the settings of the connections made from it."""

from cpython.exc cimport PyErr_WarnEx
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t

cimport cython

from wiretight._core.base.errors cimport forget_errors, raise_queue
from wiretight._core.base.mutex cimport wt_gate_at_thread_end
from wiretight._core.context.defaults cimport CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED, defaults, openssl_mode
from wiretight._core.context.owner cimport handle, set_owner
from wiretight._core.context.settings cimport Hook, apply, put_properties, seal
from wiretight._core.context.versions cimport (
    MAXIMUM_SUPPORTED, MINIMUM_SUPPORTED, PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER, check_version, method_of,
    only_version, shown_limit, warn_of,
)
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_CTX_free, SSL_CTX_new_ex, SSL_METHOD, SSL_OP_NO_SSLv3, SSL_OP_NO_TLSv1, SSL_OP_NO_TLSv1_1,
    SSL_OP_NO_TLSv1_2, SSL_OP_NO_TLSv1_3, SSL_VERIFY_FAIL_IF_NO_PEER_CERT, SSL_VERIFY_NONE, SSL_VERIFY_PEER, SSL_free,
    SSL_new, SSL_set_max_proto_version, SSL_set_min_proto_version, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION,
    TLS1_VERSION,
)
from wiretight._core.openssl.x509 cimport X509_V_FLAG_POLICY_CHECK, X509_V_FLAG_POLICY_MASK

cdef extern from "Python.h":
    # As cpython.object declares it, it cannot delete.
    int generic_setattr "PyObject_GenericSetAttr"(object self, object name, PyObject *value) except -1
    void PyObject_GC_Track(object it)
    void PyObject_GC_UnTrack(object it)

from operator import index      # of a number: a C type alone would take a float, and cut it off
from types import GetSetDescriptorType

cdef uint64_t VERSION_OPTIONS = (
    SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 | SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3
)


cdef class Context:
    """The settings for TLS connections: versions, algorithms, verification, certificates, trust.

    `protocol` is a number of the standard library's: PROTOCOL_TLS_CLIENT (16), PROTOCOL_TLS_SERVER (17), PROTOCOL_TLS
    (2), or a single version (3, 4, 5). Raises ValueError for any other.

    A connection keeps the settings that its context had when it was made: later changes affect later connections. A
    context may be changed in one thread while others use it.

    Since 0.1. Source: `ssl.SSLContext` of the standard library.

    OpenSSL: SSL_CTX_new(3)
    """

    def __cinit__(self, protocol, /, Context original=None, bytes properties=None):
        """With `original`, its copy; with `properties`, a copy that fetches other algorithms than the original.

        With `properties` alone, which may be empty, a context that is made again, and warned of before.
        """
        # What runs Python here, `protocol` and the filters of warnings, must not find a context without settings by gc.
        PyObject_GC_UnTrack(self)
        cdef int number = index(protocol)
        cdef const SSL_METHOD *method = method_of(number)
        cdef Settings copied = None
        if original is not None:
            copied = settings_of(original).for_another_context()
            if properties is not None:
                put_properties(copied, properties)
            properties = copied.properties
        elif properties is None:
            warn_of(number)
        properties = properties or None
        forget_errors()
        self.ctx = SSL_CTX_new_ex(NULL, <const char *>NULL if properties is None else <const char *>properties, method)
        if self.ctx == NULL:
            raise_queue()
        set_owner(self.ctx, self)
        self._protocol = number
        self.tally = Tally()
        self.settings = self.sealed = defaults(self.ctx, only_version(number), number == PROTOCOL_TLS_CLIENT)
        put_properties(self.settings, properties)
        self.installed = ()
        if copied is not None:
            self.settings = copied
            install_hooks(self, copied)
        PyObject_GC_Track(self)

    def __dealloc__(self):
        SSL_CTX_free(self.ctx)

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object")

    def __setattr__(self, name, value):
        if settings_of(self).frozen and not is_setting(type(self), name):
            check_not_frozen(self)
        generic_setattr(self, name, <PyObject *>value)

    def __delattr__(self, name):
        check_not_frozen(self)
        try:
            generic_setattr(self, name, NULL)
        except NotImplementedError:  # Cython raises this for a property without a deleter
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
        return settings_of(self).values.options

    @options.setter
    def options(self, value):
        number = index(value)
        if number < 0:
            raise ValueError("Cannot convert negative int")
        cdef uint64_t wanted = number
        if wanted & ~settings_of(self).values.options & VERSION_OPTIONS:
            PyErr_WarnEx(DeprecationWarning, "ssl.OP_NO_SSL*/ssl.OP_NO_TLS* options are deprecated", 2)
        update_settings(self, put_options, wanted)

    @property
    def minimum_version(self):
        """The lowest protocol version: a TLSVersion number, or -2 (MINIMUM_SUPPORTED) if the context sets no limit.

        Setting -1 (MAXIMUM_SUPPORTED) selects the highest supported version. Raises ValueError for an unsupported
        version, and on a context for a single version. Since 0.1.

        OpenSSL: SSL_CTX_set_min_proto_version(3)
        """
        return shown_limit(self._protocol, settings_of(self).values.minimum_version, MINIMUM_SUPPORTED)

    @minimum_version.setter
    def minimum_version(self, value):
        cdef int version = index(value)
        check_version(self._protocol, version)
        if version == MAXIMUM_SUPPORTED:
            version = TLS1_3_VERSION
        set_limit(self, 0 if version == MINIMUM_SUPPORTED else version, False)

    @property
    def maximum_version(self):
        """The highest protocol version: a TLSVersion number, or -1 (MAXIMUM_SUPPORTED) if the context sets no limit.

        Setting -2 (MINIMUM_SUPPORTED) selects the lowest supported version. Raises ValueError for an unsupported
        version, and on a context for a single version. Since 0.1.

        OpenSSL: SSL_CTX_set_max_proto_version(3)
        """
        return shown_limit(self._protocol, settings_of(self).values.maximum_version, MAXIMUM_SUPPORTED)

    @maximum_version.setter
    def maximum_version(self, value):
        cdef int version = index(value)
        check_version(self._protocol, version)
        if version == MINIMUM_SUPPORTED:
            # OpenSSL rejects a version that it was built without.
            for version in (TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION):
                if is_limit(self, version, True):
                    break
        set_limit(self, 0 if version == MAXIMUM_SUPPORTED else version, True)

    @property
    def security_level(self):
        """OpenSSL's security level, 0 to 5: the minimum strength of keys and algorithms. Since 0.1.

        OpenSSL: SSL_get_security_level(3)
        """
        return settings_of(self).values.security_level

    # --- verification ------------------------------------------------------------------------------------------------
    @property
    def verify_mode(self):
        """Whether the peer must present a valid certificate: CERT_NONE (0), CERT_OPTIONAL (1), CERT_REQUIRED (2).

        Raises ValueError for another number, and for CERT_NONE while check_hostname is on. Since 0.1.

        OpenSSL: SSL_CTX_set_verify(3)
        """
        cdef int mode = settings_of(self).values.verify_mode
        if not mode & SSL_VERIFY_PEER:
            return CERT_NONE
        return CERT_REQUIRED if mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT else CERT_OPTIONAL

    @verify_mode.setter
    def verify_mode(self, value):
        cdef int mode = index(value)
        if mode not in (CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED):
            raise ValueError("invalid value for verify_mode")
        update_settings(self, put_verify_mode, mode)

    @property
    def verify_flags(self):
        """How certificate chains are verified: a sum of the VERIFY_* flags. Since 0.1.

        OpenSSL: X509_VERIFY_PARAM_set_flags(3)
        """
        return settings_of(self).values.verify_flags

    @verify_flags.setter
    def verify_flags(self, value):
        cdef unsigned long flags = index(value)
        if flags & X509_V_FLAG_POLICY_MASK:     # as OpenSSL does it
            flags |= X509_V_FLAG_POLICY_CHECK
        update_settings(self, put_verify_flags, flags)

    @property
    def check_hostname(self):
        """Whether a client checks that the server's certificate matches the name it connects to.

        Setting it to True raises verify_mode from CERT_NONE to CERT_REQUIRED. Since 0.1. Source: RFC 9525.
        """
        return settings_of(self).values.check_hostname

    @check_hostname.setter
    def check_hostname(self, bint value):
        update_settings(self, put_check_hostname, value)

    @property
    def _host_flags(self):
        """How names are compared: OpenSSL's X509_CHECK_FLAG_* numbers. Since 0.1.

        OpenSSL: X509_VERIFY_PARAM_set_hostflags(3)
        """
        return settings_of(self).values.host_flags

    @_host_flags.setter
    def _host_flags(self, value):
        cdef unsigned int flags = index(value)
        update_settings(self, put_host_flags, flags)

    @property
    def post_handshake_auth(self):
        """Whether a TLS 1.3 server may ask for the client's certificate after the handshake. Since 0.1.

        OpenSSL: SSL_set_post_handshake_auth(3)
        """
        return settings_of(self).values.post_handshake_auth

    @post_handshake_auth.setter
    def post_handshake_auth(self, bint value):
        update_settings(self, put_post_handshake_auth, value)

    # --- sessions ----------------------------------------------------------------------------------------------------
    @property
    def num_tickets(self):
        """How many session tickets a TLS 1.3 server sends after a full handshake.

        Setting it raises ValueError for a negative number, and on a context that is not PROTOCOL_TLS_SERVER.
        Since 0.1.

        OpenSSL: SSL_CTX_set_num_tickets(3)
        """
        return settings_of(self).values.num_tickets

    @num_tickets.setter
    def num_tickets(self, Py_ssize_t value):
        if value < 0:
            raise ValueError("value must be non-negative")
        if self._protocol != PROTOCOL_TLS_SERVER:
            raise ValueError("SSLContext is not a server context.")
        update_settings(self, put_num_tickets, value)


# --- settings --------------------------------------------------------------------------------------------------------
cdef Settings settings_of(Context context):
    with cython.critical_section(context):
        return context.settings


cdef int update_settings(Context context, Setter setter, object value) except -1:
    """The only way to change a setting: `setter` changes a copy, which then replaces the original. If another thread
    was faster, the copy is discarded, and the setter called again.

    Raises RuntimeError if the context is frozen, unless everything stays as it is: libraries set what they rely on
    before each connection.
    """
    return change_settings(context, setter, value, False)


cdef int renew_settings(Context context, Setter setter, object value) except -1:
    """The same for what is read again from where it was before, which a frozen context takes too: it is what the
    program has set.
    """
    return change_settings(context, setter, value, True)


cdef int change_settings(Context context, Setter setter, object value, bint is_renewal) except -1:
    cdef Settings before, changed
    while True:
        before = settings_of(context)
        changed = before.copy()
        setter(context, changed, value)
        if before.frozen and not is_renewal:
            if changed.equals(before):
                return 0
            check_not_frozen(context)
        if replace_settings(context, before, changed):
            return 0


cdef int check_not_frozen(Context context) except -1:
    if settings_of(context).frozen:
        raise RuntimeError("this context is frozen: change a copy() of it")
    return 0


cdef bint is_setting(object kind, str name) except -1:
    """Whether assigning this attribute calls a setter, so that update_settings() decides whether it is a change."""
    if name.startswith("__"):
        return False
    for base in kind.__mro__:
        if name in vars(base):
            return isinstance(vars(base)[name], (property, GetSetDescriptorType))
    return False


cdef bint replace_settings(Context context, Settings before, Settings changed) except -1:
    """False if another thread has replaced `before` first."""
    with cython.critical_section(context):
        if context.settings is not before:
            return False
        install_hooks(context, changed)
        context.settings = changed      # frees nothing: the caller still owns `before`
        return True


cdef int install_hooks(Context context, Settings settings) except -1:
    """What `settings` have, the SSL_CTX has first, and once. What it had without is NULL: handshakes that read it
    meanwhile, without a lock, find the one or the other.
    """
    cdef Hook hook
    for hook in settings.hooks:
        if hook not in context.installed and hook.install(context.ctx):
            context.installed += (hook,)
    return 0


cdef int put_options(Context _, Settings settings, object value) except -1:
    settings.values.options = value
    return 0


cdef int put_minimum_version(Context _, Settings settings, object value) except -1:
    settings.values.minimum_version = value
    return 0


cdef int put_maximum_version(Context _, Settings settings, object value) except -1:
    settings.values.maximum_version = value
    return 0


cdef int put_verify_mode(Context _, Settings settings, object value) except -1:
    if value == CERT_NONE and settings.values.check_hostname:
        raise ValueError("Cannot set verify_mode to CERT_NONE when check_hostname is enabled.")
    if value == CERT_NONE and settings.values.has_verify_callback:
        raise ValueError("Cannot set verify_mode to CERT_NONE while there is a verify_callback: set that to None first")
    settings.values.verify_mode = openssl_mode(value)
    return 0


cdef int put_verify_flags(Context _, Settings settings, object value) except -1:
    settings.values.verify_flags = value
    return 0


cdef int put_check_hostname(Context _, Settings settings, object value) except -1:
    if value and settings.values.verify_mode == SSL_VERIFY_NONE:
        settings.values.verify_mode = openssl_mode(CERT_REQUIRED)
    settings.values.check_hostname = value
    return 0


cdef int put_host_flags(Context _, Settings settings, object value) except -1:
    settings.values.host_flags = value
    return 0


cdef int put_post_handshake_auth(Context _, Settings settings, object value) except -1:
    settings.values.post_handshake_auth = value
    return 0


cdef int put_num_tickets(Context _, Settings settings, object value) except -1:
    settings.values.num_tickets = value
    return 0


cdef int set_read_ahead(Context context, bint value) except -1:
    return update_settings(context, put_read_ahead, value)


cdef int put_read_ahead(Context _, Settings settings, object value) except -1:
    settings.values.reads_ahead = value
    return 0


# --- connections -----------------------------------------------------------------------------------------------------
cdef int make_sealed(Context context) except -1:
    cdef Settings before, settings
    while not is_sealed(context):
        before = settings_of(context)
        settings = before.without_callbacks()       # the SSL_CTX has none, and must not keep them alive
        # One thread does it, and nothing in it releases the GIL.
        with cython.critical_section(context):
            if not context.is_sealed and context.settings is before:
                seal(context.ctx, settings)
                settings, context.sealed = context.sealed, settings
                context.is_sealed = True
    return 0


cdef bint is_sealed(Context context) noexcept:
    with cython.critical_section(context):
        return context.is_sealed


cdef bint exchange_unsealed(Context context, Context other) except -1:
    """Exchanges the SSL_CTX of the two; False if one has been used for a connection."""
    with cython.critical_section(context, other):
        if context.is_sealed or other.is_sealed:
            return False
        set_owner(other.ctx, context)
        set_owner(context.ctx, other)
        context.ctx, other.ctx = other.ctx, context.ctx
        context.sealed, other.sealed = other.sealed, context.sealed
        context.installed, other.installed = other.installed, context.installed
        return True


cdef SSL *new_connection(Context context, Settings settings, bint server_side) except NULL:
    """An SSL for the caller to free. OpenSSL: SSL_new(3)"""
    wt_gate_at_thread_end()
    make_sealed(context)
    return configured(SSL_new(context.ctx), context.sealed, settings, server_side)


cdef SSL *trial(Context context, Settings settings) except NULL:
    """OpenSSL: SSL_new(3)"""
    with cython.critical_section(context):      # make_sealed() in another thread writes into the SSL_CTX
        return configured(
            SSL_new(context.ctx), context.sealed, settings, context._protocol != PROTOCOL_TLS_CLIENT
        )


cdef SSL *configured(SSL *ssl, Settings sealed, Settings settings, bint server_side) except NULL:
    if ssl == NULL:
        raise_queue()
    if not apply(ssl, sealed, settings, server_side):
        SSL_free(ssl)
        raise_queue()
    return ssl


# --- protocol versions -----------------------------------------------------------------------------------------------
cdef bint is_limit(Context context, int version, bint highest) except -1:
    """OpenSSL: SSL_set_min_proto_version(3), SSL_set_max_proto_version(3)"""
    cdef SSL *ssl = trial(context, settings_of(context))
    cdef bint accepted
    accepted = SSL_set_max_proto_version(ssl, version) if highest else SSL_set_min_proto_version(ssl, version)
    SSL_free(ssl)
    forget_errors()
    return accepted


cdef int set_limit(Context context, int version, bint highest) except -1:
    if not is_limit(context, version, highest):
        raise ValueError(f"Unsupported protocol version 0x{version:x}")
    return update_settings(context, put_maximum_version if highest else put_minimum_version, version)


def handle_of(Context context not None, /):
    """The SSL_CTX of `context`, which keeps no Context alive. For tests. Since 0.1."""
    return handle(context.ctx)
