"""_SSLContext: a Context with everything that can be loaded into it, in the shape of CPython's `_ssl._SSLContext`."""

from wiretight._core.base.text cimport exact_text
from wiretight._core.callbacks cimport (
    alerts, alpn, clienthello, keylog, messages, newsession, psk, serversessions, verify,
)
from wiretight._core.connection.hostname cimport a_label
from wiretight._core.context cimport algorithms, certfiles, credentials
from wiretight._core.context.context cimport Context, set_read_ahead, settings_of
from wiretight._core.drivers.sslsocket cimport for_bios, for_socket
from wiretight._core.session.session cimport stats_of
from wiretight._core.trust cimport locations, verifiedchains

cdef extern from "references.h":
    int wt_add_base(object kind, object base) except -1
    int wt_add_to_order(object kind, object base) except -1


cdef class _SSLContext(Context):
    """The base of `ssl.SSLContext`: a Context, and the methods that load something into it. Since 0.1."""

    def __cinit__(self, *_):
        alerts.install(self)
        alpn.install(self)
        clienthello.install(self)
        serversessions.install(self)
        verify.install(self)

    # --- algorithms --------------------------------------------------------------------------------------------------
    def set_ciphers(self, cipherlist, /):
        """Chooses the ciphers of TLS 1.2 and older by OpenSSL's cipher list format.

        Raises SSLError if it selects none. Since 0.1.

        OpenSSL: SSL_CTX_set_cipher_list(3)
        """
        algorithms.set_ciphers(self, exact_text(cipherlist, "cipherlist"))

    def set_ciphersuites(self, ciphersuites, /):
        """Chooses the cipher suites of TLS 1.3: names joined by colons.

        Raises SSLError for an unknown name. Since 0.1.

        OpenSSL: SSL_CTX_set_ciphersuites(3)
        """
        algorithms.set_ciphersuites(self, exact_text(ciphersuites, "ciphersuites"))

    def get_ciphers(self):
        """The enabled ciphers in order of preference, each a dictionary. Since 0.1.

        OpenSSL: SSL_get_ciphers(3)
        """
        return algorithms.get_ciphers(self)

    def set_ecdh_curve(self, name, /):
        """Makes `name`, a curve as OpenSSL names it, the only group for key exchange.

        Raises ValueError for an unknown name. Since 0.1. Prefer set_groups().

        OpenSSL: SSL_CTX_set1_groups(3)
        """
        algorithms.set_ecdh_curve(self, name)

    def set_groups(self, grouplist, /):
        """Chooses the groups for key exchange: names joined by colons, the preferred first.

        Raises SSLError for an unknown name. Since 0.1. Source: RFC 8446, section 4.2.7.

        OpenSSL: SSL_CTX_set1_groups_list(3)
        """
        algorithms.set_groups(self, exact_text(grouplist, "grouplist"))

    def get_groups(self, *, bint include_aliases=False):
        """The names of the groups that set_groups() accepts here; with `include_aliases`, also their other names.

        Raises NotImplementedError on an OpenSSL older than 3.5. Since 0.1.

        OpenSSL: SSL_CTX_get0_implemented_groups(3)
        """
        return algorithms.get_groups(self, include_aliases)

    def set_client_sigalgs(self, sigalgslist, /):
        """Chooses the signature algorithms for client certificates: names joined by colons.

        Raises SSLError for an unknown name. Since 0.1. Source: RFC 8446, section 4.2.3.

        OpenSSL: SSL_CTX_set1_client_sigalgs_list(3)
        """
        algorithms.set_client_sigalgs(self, exact_text(sigalgslist, "sigalgslist"))

    def set_server_sigalgs(self, sigalgslist, /):
        """Chooses the signature algorithms for server certificates: names joined by colons.

        Raises SSLError for an unknown name. Since 0.1. Source: RFC 8446, section 4.2.3.

        OpenSSL: SSL_CTX_set1_sigalgs_list(3)
        """
        algorithms.set_server_sigalgs(self, exact_text(sigalgslist, "sigalgslist"))

    # --- certificates and trust --------------------------------------------------------------------------------------
    def load_cert_chain(self, certfile, keyfile=None, password=None):
        """Loads a PEM certificate chain, leaf first, and its private key, from `keyfile` or from the same file.

        `password` decrypts the key: str, bytes or bytearray, at most 1024 bytes, or a callable that returns one and is
        called only if the key is encrypted, such as `getpass.getpass`. Without it, nothing prompts at the terminal.

        Raises OSError if a file cannot be read; SSLError if it contains no chain or key, a certificate is too weak for
        the security level, the password is wrong or the key does not match the certificate; and whatever the callable
        raises. After an error, the previous chain and key stay in use. Since 0.1.

        OpenSSL: SSL_CTX_use_cert_and_key(3)
        """
        certfiles.load_cert_chain(self, certfile, keyfile, password)

    def load_dh_params(self, path, /):
        """Loads the first Diffie-Hellman parameters of a PEM file, for a server.

        Raises OSError if it cannot be read, SSLError if it contains none. Since 0.1.

        OpenSSL: SSL_CTX_set0_tmp_dh_pkey(3)
        """
        credentials.load_dh_params(self, path)

    def load_verify_locations(self, cafile=None, capath=None, cadata=None):
        """Adds CA certificates to verify peers with.

        `cafile` is a file of certificates and CRLs in PEM format. `capath` is a directory prepared by `openssl rehash`,
        which is searched only when a certificate is needed. `cadata` is certificates in PEM format (str), or in DER
        format, concatenated (bytes-like).

        Raises TypeError if none is given, OSError if the file cannot be read, SSLError if it contains no certificate
        or a broken one, ValueError for empty data. After an error, nothing has been added. Since 0.1.

        OpenSSL: X509_STORE_add_cert(3), X509_STORE_load_path(3)
        """
        locations.load_verify_locations(self, cafile, capath, cadata)

    def set_default_verify_paths(self):
        """Adds the CA certificates from OpenSSL's default places; missing ones are no error. Since 0.1.

        OpenSSL: SSL_CTX_set_default_verify_paths(3)
        """
        locations.set_default_verify_paths(self)

    def load_crls(self, path=None, data=None):
        """Adds lists of revoked certificates, and has the peer's certificate looked up in them from now on.

        `path` is a file and `data` the content of one, in PEM (str or bytes-like) or DER format. Turns
        VERIFY_CRL_CHECK_LEAF on, for good, because a list checks nothing without it: then a certificate needs a list of
        its issuer's that is valid, and is refused without. For those of its issuers too, add VERIFY_CRL_CHECK_CHAIN to
        verify_flags, and their lists. Returns how many of the lists are new.

        Raises TypeError if neither is given, OSError if the file cannot be read, SSLError if there is no list or a
        broken one, ValueError for empty data. After an error, nothing has changed. Since 0.1.
        Source: RFC 5280, section 5; python/cpython#60691.

        OpenSSL: X509_STORE_add_crl(3)
        """
        return locations.load_crls(self, path, data)

    @property
    def trust_store(self):
        """The TrustStore that later connections verify their peers with.

        Assigning one replaces everything that was loaded. Contexts may share one, and then trust what is added to it;
        load_verify_locations(), load_default_certs() and load_crls() give this context a store of its own instead, with
        what it had and what they add. A context that was given none has one of its own, which a copy() does not share,
        and to which nothing can be added once the context is frozen. Setting it raises TypeError for anything else.
        Since 0.1.

        OpenSSL: SSL_set1_verify_cert_store(3)
        """
        return locations.trust_store(self)

    @trust_store.setter
    def trust_store(self, store):
        locations.set_trust_store(self, store)

    def cert_store_stats(self):
        """The numbers of loaded certificates, of CA certificates among them, and of CRLs.

        Those of a directory count once they have been needed. Since 0.1.

        OpenSSL: X509_STORE_get0_objects(3)
        """
        return locations.cert_store_stats(self)

    def get_ca_certs(self, bint binary_form=False):
        """The loaded CA certificates, in the format of getpeercert() or as DER. Since 0.1.

        OpenSSL: X509_STORE_get1_all_certs(3)
        """
        return locations.get_ca_certs(self, binary_form)

    @property
    def verify_callback(self):
        """Called with (connection, Verification) once a peer's certificates have been verified; or None.

        It accepts them by returning None: valid ones, and others as far as it has called Verification.tolerate() for
        each of their errors. It refuses them by Verification.refuse(), and by any exception: the verb raises
        SSLCertVerificationError, with that exception as its __context__. So it adds conditions to the verification, and
        takes none away but those that it names. It may query the connection, and must not read or write it.

        It runs for each certificate that is verified, which is once in a handshake, and not for a session that is
        resumed: see policy_id. A context chosen by `sni_callback` brings its own, unless it has CERT_NONE.

        Setting it raises TypeError if it is not callable or is a coroutine function, ValueError while verify_mode is
        CERT_NONE. Since 0.1. Source: `tls.Config.VerifyConnection` of Go, the model.

        OpenSSL: SSL_CTX_set_cert_verify_callback(3)
        """
        return verify.verify_callback(self)

    @verify_callback.setter
    def verify_callback(self, callback):
        verify.set_verify_callback(self, callback)

    @property
    def policy_id(self):
        """The name of what `verify_callback` demands (bytes), or None.

        A resumed session is not verified again. So it is bound to the callback under which it was verified: without a
        policy_id, to that very setting of it, so that none is resumed once the callback has been set anew, or in
        another context. Whoever gives callbacks the same policy_id promises that they decide alike, and must change it
        with their decisions.

        Setting it raises TypeError if it is not bytes, ValueError if it is empty. Since 0.1.
        Source: RFC 8446, section 4.6.1.
        """
        return verify.policy_id(self)

    @policy_id.setter
    def policy_id(self, value):
        verify.set_policy_id(self, value)

    @property
    def remember_verified_chains(self):
        """Whether a chain of certificates whose signatures were good is not computed again when it comes again: True.

        What is remembered is a SHA-256 digest of the whole chain, the trust anchor included, and of how it was
        verified; for the process, until 1,024 others have come since. Only the signatures rely on that. Dates, names,
        purposes, constraints, policies, revocation, the trust store and `verify_callback` are asked each time, and a
        chain with a bad signature or date is never remembered. False computes the signatures each time, and remembers
        none. See forget_verified_chains(). Since 0.1. Source: an addition to `ssl`.

        OpenSSL: X509_STORE_CTX_set_verify(3)
        """
        return verifiedchains.remembers(self)

    @remember_verified_chains.setter
    def remember_verified_chains(self, bint value):
        verifiedchains.set_remembers(self, value)

    # --- sockets -----------------------------------------------------------------------------------------------------
    @property
    def read_ahead(self):
        """Whether sockets take from the system what has arrived, and keep what was not read: False.

        False leaves what a read has no use for where select() sees it, at the price of a system call. True saves that.
        A program must then not wait for the descriptor while has_pending() is true: it only reads, or uses
        wiretight.Selector. After close_notify() and from unwrap() on nothing is read ahead any more, so that a protocol
        may go on without TLS; if bytes of it came together with data, unwrap() and detach() raise SSLError.

        A connection keeps what the context said with which it was made. SSLObject, TLS in TLS, and the transports of
        wiretight.asyncio, which always read so, do not ask. Since 0.1. Source: an addition to `ssl`, with the name
        that OpenSSL has for it, SSL_CTX_set_read_ahead(3).
        """
        return settings_of(self).values.reads_ahead

    @read_ahead.setter
    def read_ahead(self, bint value):
        set_read_ahead(self, value)

    # --- callbacks ---------------------------------------------------------------------------------------------------
    @property
    def sni_callback(self):
        """Called on a server with (connection, server name or None, context) for every ClientHello; or None.

        It may set the connection's context, all of whose settings take effect: neither the version nor anything else
        has been chosen yet, and no session resumed. verify_mode and minimum_version cannot become less strict. It
        returns None to continue, or the number of the alert to reject the client with.
        If it raises, the exception goes to sys.unraisablehook, and the alert handshake_failure to the client.

        Setting it raises TypeError if it is not callable, ValueError on a PROTOCOL_TLS_CLIENT context. Since 0.1.
        Source: RFC 6066, section 3.

        OpenSSL: SSL_CTX_set_client_hello_cb(3)
        """
        return settings_of(self).kept.get("sni_callback")

    @sni_callback.setter
    def sni_callback(self, callback):
        clienthello.set_sni_callback(self, callback)

    def _set_alpn_protocols(self, protocols, /):
        """Sets the ALPN protocols in the format of RFC 7301, the preferred first, each preceded by its length (1 byte).

        Raises SSLError for another format. A server applies its own order; without a common protocol the connection
        continues without one. Since 0.1.

        OpenSSL: SSL_CTX_set_alpn_protos(3)
        """
        alpn.set_alpn_protocols(self, bytes(memoryview(protocols)))

    def set_psk_client_callback(self, callback):
        """Connects with a pre-shared key: `callback` gets the server's hint (str or None) and returns (identity, key).

        The identity is a str, or None for an empty one, which TLS 1.3 does not allow; the key is bytes-like. TLS 1.3
        has no hint. An empty key means no key, and so does an exception, which goes to sys.unraisablehook. With None,
        no keys are offered. PSK ciphers of TLS 1.2 must be enabled with set_ciphers(), and without a certificate there
        is nothing to verify: see verify_mode and check_hostname.

        Raises TypeError if it is not callable, SSLError on a PROTOCOL_TLS_SERVER context, NotImplementedError if
        OpenSSL was built without PSK. Since 0.1. Source: RFC 4279; RFC 8446, section 2.2.

        OpenSSL: SSL_CTX_set_psk_client_callback(3)
        """
        psk.set_psk_client_callback(self, callback)

    def set_psk_server_callback(self, callback, identity_hint=None):
        """Accepts pre-shared keys: `callback` gets the client's identity (str or None) and returns the key, bytes-like.

        An empty key means an unknown identity, and so does an exception, which goes to sys.unraisablehook.
        `identity_hint`, at most 256 bytes, is sent to clients of TLS 1.2. With None, no keys are accepted.

        Raises TypeError if it is not callable, ValueError for a hint that is too long, SSLError on a
        PROTOCOL_TLS_CLIENT context, NotImplementedError if OpenSSL was built without PSK. Since 0.1. Source: RFC 4279;
        RFC 8446, section 2.2.

        OpenSSL: SSL_CTX_set_psk_server_callback(3), SSL_CTX_use_psk_identity_hint(3)
        """
        hint = None if identity_hint is None else exact_text(identity_hint, "identity_hint")
        psk.set_psk_server_callback(self, callback, hint)

    @property
    def keylog_filename(self):
        """The file to which the TLS secrets of every connection are appended, for debugging; or None.

        A new file is readable by its owner only. A pipe, a terminal or a socket such as /dev/stderr works too;
        handshakes wait while it is full. Where it cannot be written they go on, and sys.unraisablehook gets the first
        OSError. Setting it raises OSError, and changes nothing, if the file cannot be opened or is a FIFO without a
        reader. Since 0.1. Source: the NSS key log format, RFC 9850.

        OpenSSL: SSL_CTX_set_keylog_callback(3)
        """
        return keylog.keylog_filename(self)

    @keylog_filename.setter
    def keylog_filename(self, path):
        keylog.set_keylog_filename(self, path)

    @property
    def keylog_callback(self):
        """Called with (connection, line) for each secret of a connection, for debugging; or None.

        `line` is what keylog_filename would append: a str in the format of RFC 9850, without its end. Whoever sees it
        can decrypt the connection. Both may be set. If it raises, the call that shakes hands raises that, or an
        exception that has it as its __context__.

        Setting it raises TypeError if it is not callable or is a coroutine function. Since 0.1.
        Source: RFC 9850; `OpenSSL.SSL.Context` has one.

        OpenSSL: SSL_CTX_set_keylog_callback(3)
        """
        return keylog.keylog_callback(self)

    @keylog_callback.setter
    def keylog_callback(self, callback):
        keylog.set_keylog_callback(self, callback)

    @property
    def _msg_callback(self):
        """Called with (connection, "read" or "write", version, content type, message type, bytes) for every TLS
        message, header and alert, for debugging; or None. Since 0.1.

        OpenSSL: SSL_CTX_set_msg_callback(3)
        """
        return settings_of(self).kept.get("msg_callback")

    @_msg_callback.setter
    def _msg_callback(self, callback):
        messages.set_msg_callback(self, callback)

    @_msg_callback.deleter
    def _msg_callback(self):
        raise AttributeError("attribute '_msg_callback' cannot be deleted")

    # --- sessions ----------------------------------------------------------------------------------------------------
    @property
    def session_store(self):
        """The SessionStore of a client, or None, the default: where its sessions are kept, so that each connection
        resumes one of an earlier connection to the same server without being told.

        It has two methods. `put(key, session)` is called with each SSLSession, amid a handshake or a read, and
        `take(key)`, which returns one or None, when a handshake begins without a `session` of the program. `key` is a
        str of 64 digits, in which are the server's name (or its address) and port, ALPN and all that the verification
        depends on: so a change of the context's trust or verify_mode finds no earlier session. What they raise, other
        than a BaseException, goes to sys.unraisablehook, and the connection goes on. Of what a parent process has put
        there before a fork(), only what may be resumed more than once (TLS 1.2) is offered.

        A server recognises a client that resumes. Setting it raises TypeError for what lacks a method, or has a
        coroutine function for one, ValueError on a context that is not PROTOCOL_TLS_CLIENT. Since 0.1.
        Source: RFC 8446, section 2.2; Go's tls.ClientSessionCache.

        OpenSSL: SSL_CTX_sess_set_new_cb(3), SSL_set_session(3)
        """
        return newsession.session_store(self)

    @session_store.setter
    def session_store(self, store):
        newsession.set_session_store(self, store)

    @property
    def new_session_callback(self):
        """Called with (connection, session) for each SSLSession that a client gets and could resume; or None.

        With TLS 1.3 that is each ticket, when a read meets it; with TLS 1.2 once, at the end of a full handshake. If it
        raises, the call that met the session raises that, or an exception that has it as its __context__.

        Setting it raises TypeError if it is not callable or is a coroutine function, ValueError on a context that is
        not PROTOCOL_TLS_CLIENT. Since 0.1. Source: RFC 8446, section 4.6.1.

        OpenSSL: SSL_CTX_sess_set_new_cb(3)
        """
        return newsession.new_session_callback(self)

    @new_session_callback.setter
    def new_session_callback(self, callback):
        newsession.set_new_session_callback(self, callback)

    # --- connections -------------------------------------------------------------------------------------------------
    def session_stats(self):
        """Counters of connections and session reuse: eleven of them. Since 0.1.

        OpenSSL: SSL_CTX_sess_number(3)
        """
        return stats_of(self)

    def _wrap_socket(self, sock, bint server_side, server_hostname=None, *, owner=None, session=None):
        """A connection over the descriptor of `sock`, which must stay alive. Since 0.1.

        OpenSSL: SSL_new(3)
        """
        return for_socket(self, sock, server_side, a_label(server_hostname), owner, session)

    def _wrap_bio(self, incoming, outgoing, bint server_side, server_hostname=None, *, owner=None, session=None):
        """A connection over two objects with read() and write(), such as MemoryBIO. Since 0.1.

        OpenSSL: SSL_new(3)
        """
        return for_bios(self, incoming, outgoing, server_side, a_label(server_hostname), owner, session)


def add_base(kind, base, /):
    """Makes `base` the last base of the class `kind`. Python rejects it, because their layouts in memory differ.

    The bases of `base` are left out: their native methods would take an object of `kind` for one of theirs. So they
    raise TypeError. Since 0.1. Source: PEP 253
    """
    wt_add_base(kind, base)


def add_to_order(kind, base, /):
    """Puts `base`, which add_base() has made a base of a base of `kind`, at the end of its lookup order. Since 0.1."""
    wt_add_to_order(kind, base)
