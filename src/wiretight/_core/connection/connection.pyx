"""Connection: one SSL*, its context and its peer's name.

Whatever touches the SSL*, except the verbs of a Stream, is a Question or a Change: a C function that runs with the lock
held, and whose answer is copied before Python continues.
"""

from cython cimport critical_section, no_gc_clear
from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EAGAIN

from wiretight._core.base.errors cimport check, failure_exception, forget_errors, raise_queue, turn_refused
from wiretight._core.base.mutex cimport wt_mutex_lock, wt_mutex_try, wt_mutex_unlock
from wiretight._core.context.context cimport new_connection
from wiretight._core.context.reloading cimport fresh_settings
from wiretight._core.openssl.asn1 cimport ASN1_STRING, ASN1_STRING_free, ASN1_STRING_get0_data, ASN1_STRING_length
from wiretight._core.openssl.bio cimport BIO_up_ref
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, SSL_MODE_AUTO_RETRY, SSL_RECEIVED_SHUTDOWN, SSL_SENT_SHUTDOWN, SSL_free,
    SSL_get0_param, SSL_set_accept_state, SSL_set_app_data, SSL_set_bio, SSL_set_connect_state, SSL_set_mode,
    SSL_set_num_tickets, SSL_set_session_id_context, SSL_set_shutdown, SSL_set_tlsext_host_name,
)
from wiretight._core.openssl.x509 cimport (
    X509_VERIFY_PARAM_set1_host, X509_VERIFY_PARAM_set1_ip, X509_free, a2i_IPADDRESS,
)
from wiretight._core.session.expiry cimport empty_if_shortened, times_shortened
from wiretight._core.session.terms cimport Terms, digest_of, terms_of
from wiretight._core.session.ticketkeys cimport can_encrypt, ticket_keys_of

cdef extern from "compat.h" nogil:
    bint wt_in_error_state(const SSL *ssl)

# Only code that calls bind() has it, so that Python cannot create a Connection without an SSL*.
cdef object FROM_CONTEXT = object()


@no_gc_clear
cdef class Connection:
    """OpenSSL's part of a connection, and who may use it."""

    def __cinit__(self, origin=None, Descriptor _=None, Descriptor descriptor=None):
        if origin is not FROM_CONTEXT:
            kind = type(self).__name__
            raise TypeError(f"cannot create {kind!r} instances: use SSLContext.wrap_socket() or wrap_bio()")
        self.descriptor = descriptor

    def __dealloc__(self):
        if self.ssl != NULL and not self.descriptor.orphaned_by_fork():
            # Without this, OpenSSL takes a closed connection for a broken one, and its session, which a program may
            # keep, could not be resumed. After a fatal alert it cannot be, anyway.
            SSL_set_shutdown(self.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
            SSL_free(self.ssl)
        X509_free(self.shown)

    cdef int bind(self, BIO *bio, Context context, bint server_side, object hostname) except -1:
        """Creates the SSL* over `bio`, with the settings of `context`, for the server `hostname`.

        OpenSSL: SSL_new(3), SSL_set_bio(3), SSL_set_tlsext_host_name(3), X509_VERIFY_PARAM_set1_host(3)
        """
        forget_errors()
        self.shortened = times_shortened()      # before the settings are read
        self.settings = fresh_settings(context)
        if server_side:
            self.ticket_keys = ticket_keys_of(self.settings)
        self.ssl = new_connection(context, self.settings, server_side)
        if server_side:
            self.cache = context.ctx
            with critical_section(context):
                empty_if_shortened(self.cache, &context.emptied, self.shortened)
        self._context = context
        self.tally = context.tally
        self.account.tally = self.tally.numbers
        self.server_side = server_side
        check(SSL_set_app_data(self.ssl, <void *>self))
        SSL_set_mode(self.ssl, SSL_MODE_AUTO_RETRY | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
        BIO_up_ref(bio)
        SSL_set_bio(self.ssl, bio, bio)
        if hostname is not None:
            self.expect(hostname)
        if server_side:
            SSL_set_accept_state(self.ssl)
        else:
            SSL_set_connect_state(self.ssl)
        if wt_in_error_state(self.ssl):     # all that these two report if there is no memory
            raise_queue()
        self.bind_sessions()
        return 0

    cdef int bind_sessions(self) except -1:
        """Records the terms of the connection, so that a server resumes only sessions with the same terms.

        A client must not set them: OpenSSL 3.0 would take its pre-shared keys for foreign sessions.

        OpenSSL: SSL_set_session_id_context(3)
        """
        name = self.requested_name if self.server_side else self.server_hostname
        cdef Terms terms = terms_of(self.ssl, self.settings, name)
        cdef bytes binding = digest_of(terms) if self.server_side else None
        cdef int taken = 1
        self.descriptor.lock_with_gil()
        with critical_section(self):
            self.terms, self.session_key = terms, None
        if self.server_side:
            taken = SSL_set_session_id_context(self.ssl, binding, len(binding))
            if self.ticket_keys is not None and not can_encrypt(self.ticket_keys):
                SSL_set_num_tickets(self.ssl, 0)    # 3.0.6 and older send a broken one: openssl/openssl#18977
        wt_mutex_unlock(&self.descriptor.lock)
        check(taken)
        return 0

    cdef int unbind_sessions(self) except -1:
        """Makes the session of this connection unusable for others."""
        self.descriptor.lock_with_gil()
        with critical_section(self):
            self.terms = None
        wt_mutex_unlock(&self.descriptor.lock)
        return 0

    cdef int expect(self, str hostname) except -1:
        """Sets the server's name, for the ClientHello (unless it is an address: RFC 6066, 3) and the verification."""
        cdef bytes name = hostname.encode("ascii")
        cdef ASN1_STRING *address = a2i_IPADDRESS(name)
        forget_errors()       # a name that is not an address leaves an entry
        try:
            if address == NULL:
                check(SSL_set_tlsext_host_name(self.ssl, name))
            if self.settings.values.check_hostname:
                if address == NULL:
                    check(X509_VERIFY_PARAM_set1_host(SSL_get0_param(self.ssl), name, len(name)))
                else:
                    check(X509_VERIFY_PARAM_set1_ip(
                        SSL_get0_param(self.ssl), ASN1_STRING_get0_data(address), ASN1_STRING_length(address)))
        finally:
            ASN1_STRING_free(address)
        self.server_hostname = hostname
        return 0

    cdef object exception_for_failure(self, const Failure *failure):
        """The exception for a FAILED outcome; of a refused certificate, with what was found, and never this object."""
        cdef Verification refused = self.refused
        cdef str reason = None
        if failure.verify_result and refused is not None:
            reason = refused.refusal[0].message
        error = failure_exception(failure, self.server_hostname, reason)
        if failure.verify_result:
            error.peer_chain = [] if refused is None else list(refused.sent)
            error.verify_errors = () if refused is None else refused.refusal
        return error

    # --- Questions and changes ----------------------------------------------------------------------------------------

    cdef int ask(self, Question question, void *answer) except -1:
        """Runs `question`, which reads the SSL* and copies the answer. It does not wait for verbs that run Python."""
        self.descriptor.refuse_orphan()
        if wt_mutex_try(&self.descriptor.lock):
            question(self, answer)
            wt_mutex_unlock(&self.descriptor.lock)
            return 0
        with nogil:
            wt_mutex_lock(&self.descriptor.lock)
            question(self, answer)
            wt_mutex_unlock(&self.descriptor.lock)
        return 0

    cdef int change(self, Change apply, void *argument) except? -1:
        """Runs `apply`, which changes the SSL*, between two verbs or in a callback of one. Returns its result.

        OpenSSL's error queue belongs to the thread: the caller finds there what failed.
        """
        cdef int error = EAGAIN
        cdef int result = 0
        if self.descriptor.is_callback():
            with nogil:
                wt_mutex_lock(&self.descriptor.lock)
                result = apply(self, argument)
                wt_mutex_unlock(&self.descriptor.lock)
            return result
        if self.descriptor.try_turn():
            result = apply(self, argument)
            wt_mutex_unlock(&self.descriptor.lock)
            return result
        while error == EAGAIN:
            with nogil:
                error = self.descriptor.take_turn()
                if error == 0:
                    result = apply(self, argument)
                    wt_mutex_unlock(&self.descriptor.lock)
            if error == EAGAIN:
                PyErr_CheckSignals()
        if error:
            raise turn_refused(error)
        return result
