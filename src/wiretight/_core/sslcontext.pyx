"""_SSLContext: a Context with everything that can be loaded into it, in the shape of CPython's `_ssl._SSLContext`."""

cimport cython

from wiretight._core cimport callbacks, credentials, truststore
from wiretight._core.context cimport Context
from wiretight._core.sslsocket cimport over_bios, over_socket


@cython.auto_pickle(False)
cdef class _SSLContext(Context):
    """What `ssl.SSLContext` is built on: see Context for the settings, and here for what is loaded. Since 0.1."""

    # --- certificates and trust --------------------------------------------------------------------------------------
    def load_cert_chain(self, certfile, keyfile=None, password=None):
        """Loads a PEM certificate chain, leaf first, and its private key, from `keyfile` or from the same file.

        `password` decrypts the key: str, bytes or bytearray, at most 1024 bytes, or a callable that returns one and is
        called only if the key is encrypted. Without it, OpenSSL asks for the password of an encrypted key at the
        terminal.

        Raises OSError if a file cannot be read, SSLError if it holds no chain or key, the password is wrong or the key
        is not the certificate's, and what the callable raises. After an error, what was loaded before stays in use.
        Since 0.1.

        OpenSSL: SSL_CTX_use_cert_and_key(3)
        """
        credentials.load_cert_chain(self, certfile, keyfile, password)

    def load_dh_params(self, path, /):
        """Loads Diffie-Hellman parameters from a PEM file, for a server.

        Raises OSError if it cannot be read, SSLError if it holds none. Since 0.1.

        OpenSSL: SSL_CTX_set0_tmp_dh_pkey(3)
        """
        credentials.load_dh_params(self, path)

    def load_verify_locations(self, cafile=None, capath=None, cadata=None):
        """Adds CA certificates to verify peers with.

        `cafile` is a file of certificates and CRLs in PEM format. `capath` is a directory with names as `openssl
        rehash` makes them, which is read only when a certificate is looked for. `cadata` is certificates in PEM format
        (str), or in DER format one after another (bytes-like).

        Raises TypeError if none is given, OSError if the file cannot be read, SSLError if there is no certificate in
        it or one is broken, ValueError for empty data. After an error nothing has been added. Since 0.1.

        OpenSSL: X509_STORE_add_cert(3), SSL_CTX_load_verify_dir(3)
        """
        truststore.load_verify_locations(self, cafile, capath, cadata)

    def set_default_verify_paths(self):
        """Adds the CA certificates where OpenSSL looks by default; none there is no error. Since 0.1.

        OpenSSL: SSL_CTX_set_default_verify_paths(3)
        """
        truststore.set_default_verify_paths(self)

    def cert_store_stats(self):
        """How many certificates, CA certificates among them, and CRLs are loaded.

        Those of a directory count once they have been looked for. Since 0.1.

        OpenSSL: X509_STORE_get0_objects(3)
        """
        return truststore.cert_store_stats(self)

    def get_ca_certs(self, bint binary_form=False):
        """The CA certificates that are loaded: as getpeercert() has them, or as DER. Since 0.1.

        OpenSSL: X509_STORE_get1_all_certs(3)
        """
        return truststore.get_ca_certs(self, binary_form)

    # --- callbacks ---------------------------------------------------------------------------------------------------
    @property
    def sni_callback(self):
        """Called on a server with (connection, server name or None, context) for every ClientHello; or None.

        It may set the connection's context. It returns None to go on, or the number of the alert to refuse with. If it
        raises, sys.unraisablehook gets the exception and the client the alert handshake_failure.

        Setting it raises TypeError for what is not callable, ValueError on a PROTOCOL_TLS_CLIENT context. Since 0.1.
        Source: RFC 6066, section 3.

        OpenSSL: SSL_CTX_set_tlsext_servername_callback(3)
        """
        return self._sni_callback

    @sni_callback.setter
    def sni_callback(self, callback):
        callbacks.set_sni_callback(self, callback)

    def _set_alpn_protocols(self, protocols, /):
        """Sets the ALPN protocols, the preferred first, in the format of RFC 7301: each after its length in one byte.

        Raises SSLError for another format. On a server, its own order decides; without a common protocol the
        connection goes on without one. Since 0.1.

        OpenSSL: SSL_CTX_set_alpn_protos(3)
        """
        callbacks.set_alpn_protocols(self, bytes(memoryview(protocols)))

    @property
    def keylog_filename(self):
        """The file that the TLS secrets of every connection are appended to, for debugging; None for none.

        Setting it raises OSError if the file cannot be opened, and then changes nothing. Since 0.1. Source: the
        NSS key log format, RFC 9850.

        OpenSSL: SSL_CTX_set_keylog_callback(3)
        """
        return self._keylog_filename

    @keylog_filename.setter
    def keylog_filename(self, path):
        callbacks.set_keylog_filename(self, path)

    @property
    def _msg_callback(self):
        """Called with (connection, "read" or "write", version, content type, message type, bytes) for every TLS
        message, header and alert, for debugging; or None. Since 0.1.

        OpenSSL: SSL_CTX_set_msg_callback(3)
        """
        return self._message_callback

    @_msg_callback.setter
    def _msg_callback(self, callback):
        callbacks.set_msg_callback(self, callback)

    @_msg_callback.deleter
    def _msg_callback(self):
        raise AttributeError("attribute '_msg_callback' cannot be deleted")

    # --- connections -------------------------------------------------------------------------------------------------
    def _wrap_socket(self, sock, bint server_side, server_hostname=None, *, owner=None, session=None):
        """A connection over the descriptor of `sock`, which has to stay alive. Since 0.1.

        OpenSSL: SSL_new(3)
        """
        return over_socket(self, sock, server_side, a_label(server_hostname), owner, session)

    def _wrap_bio(self, incoming, outgoing, bint server_side, server_hostname=None, *, owner=None, session=None):
        """A connection over two objects with read() and write(), such as MemoryBIO. Since 0.1.

        OpenSSL: SSL_new(3)
        """
        return over_bios(self, incoming, outgoing, server_side, a_label(server_hostname), owner, session)


cdef str a_label(object hostname):
    """The host name as it goes over the wire and into the certificate check: an IDNA 2003 A-label, its case kept.

    Bytes are taken to be one already. Raises UnicodeError for what cannot be encoded.
    """
    if hostname is None:
        return None
    if isinstance(hostname, str):
        hostname = hostname.encode("idna")
    elif not isinstance(hostname, (bytes, bytearray)):
        raise TypeError(f"server_hostname must be str, bytes or None, not {type(hostname).__name__}")
    if b"\0" in hostname:
        raise TypeError("server_hostname must not contain a null character")
    if not hostname or hostname.startswith(b"."):
        raise ValueError("server_hostname cannot be an empty string or start with a leading dot.")
    return bytes(hostname).decode("ascii")
