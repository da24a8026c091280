"""Connection: one SSL*, four verbs. A verb never waits; it returns a Status.

DONE: it did what was asked. WANT_READ, WANT_WRITE: call again when the descriptor can be read or written. CLOSED:
the peer's close_notify has been read. FAILED: `failure` says why. AGAIN: call again at once. The caller has lock and
turn of the wire, and the GIL only if the wire's `keeps_gil` says so.

Everything else that touches the SSL* is a Question or a Change: a C function that runs with the lock held.
"""

from cython cimport critical_section, no_gc_clear
from cpython.exc cimport PyErr_CheckSignals
from libc.errno cimport EAGAIN, ECONNRESET, ENOMEM, EPIPE
from libc.string cimport memset

from wiretight._core.base.errors cimport (
    AGAIN, CLOSED, DONE, FAILED, Failure, Status, WANT_READ, WANT_WRITE, check, failed, forget_errors, is_alert,
    is_of_tls, outcome, raise_queue, turn_refused,
)
from wiretight._core.base.mutex cimport wt_mutex_lock, wt_mutex_lock_with_gil, wt_mutex_try, wt_mutex_unlock
from wiretight._core.connection.backlog cimport BATCH, Backlog, Writing, note
from wiretight._core.context.context cimport new_connection, settings_of
from wiretight._core.openssl.asn1 cimport ASN1_STRING, ASN1_STRING_free, ASN1_STRING_get0_data, ASN1_STRING_length
from wiretight._core.openssl.bio cimport BIO_up_ref
from wiretight._core.openssl.err cimport ERR_LIB_SSL, ERR_PACK
from wiretight._core.openssl.ssl cimport (
    SSL_ERROR_SSL, SSL_ERROR_SYSCALL, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, SSL_MODE_AUTO_RETRY, SSL_RECEIVED_SHUTDOWN,
    SSL_R_BAD_WRITE_RETRY, SSL_SENT_SHUTDOWN, SSL_do_handshake, SSL_free, SSL_get0_param, SSL_get_shutdown,
    SSL_is_init_finished, SSL_peek_ex, SSL_pending, SSL_read_ex, SSL_set_accept_state, SSL_set_app_data, SSL_set_bio,
    SSL_set_connect_state, SSL_set_mode, SSL_set_session_id_context, SSL_set_shutdown, SSL_set_tlsext_host_name,
    SSL_shutdown, SSL_version, SSL_write_ex, TLS1_3_VERSION,
)
from wiretight._core.openssl.x509 cimport X509_VERIFY_PARAM_set1_host, X509_VERIFY_PARAM_set1_ip, a2i_IPADDRESS
from wiretight._core.session.terms cimport terms_of

cdef extern from "compat.h" nogil:
    bint wt_in_error_state(const SSL *ssl)

cdef enum:
    RECORD = 16384          # RFC 8446, 5.1: the most plaintext that a record carries
    SSL_ERROR_EOF = 8       # as in errors

# Only who binds it has it: a Connection without an SSL* cannot be made from Python.
cdef object FROM_CONTEXT = object()


@no_gc_clear
cdef class Connection:
    """One TLS connection over a Wire."""

    def __cinit__(self, origin=None, Wire wire=None, *_):
        if origin is not FROM_CONTEXT:
            kind = type(self).__name__
            raise TypeError(f"cannot create {kind!r} instances: use SSLContext.wrap_socket() or wrap_bio()")
        self.wire = wire

    def __dealloc__(self):
        if self.ssl != NULL and not self.wire.orphaned_by_fork():
            # Without this OpenSSL takes a connection that was just closed for a broken one, and forbids to resume its
            # session, which a program may hold. After a fatal alert it has done so already.
            SSL_set_shutdown(self.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
            SSL_free(self.ssl)

    cdef int bind(self, Context context, bint server_side, object hostname) except -1:
        """Makes the SSL* over `self.wire`, as `context` and the name of the server have it.

        OpenSSL: SSL_new(3), SSL_set_bio(3), SSL_set_tlsext_host_name(3), X509_VERIFY_PARAM_set1_host(3)
        """
        self.backlog = Backlog()
        forget_errors()
        self.settings = settings_of(context)
        self.ssl = new_connection(context, self.settings, server_side)
        self._context = context
        self.server_side = server_side
        check(SSL_set_app_data(self.ssl, <void *>self))
        SSL_set_mode(self.ssl, SSL_MODE_AUTO_RETRY | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER)
        BIO_up_ref(self.wire.bio)
        SSL_set_bio(self.ssl, self.wire.bio, self.wire.bio)
        if hostname is not None:
            self.expect(hostname)
        if server_side:
            SSL_set_accept_state(self.ssl)
        else:
            SSL_set_connect_state(self.ssl)
        if wt_in_error_state(self.ssl):     # all that these two tell of a want of memory
            raise_queue()
        self.bind_sessions()
        return 0

    cdef int bind_sessions(self) except -1:
        """Takes down the terms of the connection, and has a server resume only sessions of the same.

        A client must not set them: OpenSSL 3.0 would take its pre-shared keys for sessions of somebody else.

        OpenSSL: SSL_set_session_id_context(3)
        """
        name = self.requested_name if self.server_side else self.server_hostname
        cdef bytes terms = terms_of(self.ssl, self.settings, name)
        cdef int taken = 1
        wt_mutex_lock_with_gil(&self.wire.lock)
        with critical_section(self):
            self.terms = terms
        if self.server_side:
            taken = SSL_set_session_id_context(self.ssl, terms, len(terms))
        wt_mutex_unlock(&self.wire.lock)
        check(taken)
        return 0

    cdef int unbind_sessions(self) except -1:
        """No session of this connection is good for any other."""
        wt_mutex_lock_with_gil(&self.wire.lock)
        with critical_section(self):
            self.terms = None
        wt_mutex_unlock(&self.wire.lock)
        return 0

    cdef int expect(self, str hostname) except -1:
        """Names the server: in the ClientHello unless it is an address (RFC 6066, 3), and in the verification."""
        cdef bytes name = hostname.encode("ascii")
        cdef ASN1_STRING *address = a2i_IPADDRESS(name)
        forget_errors()       # a name that is no address leaves an entry
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

    # --- The four verbs -----------------------------------------------------------------------------------------------

    cdef Status try_handshake(self) noexcept nogil:
        """Takes the handshake as far as it goes. DONE only when our last flight is in the kernel.

        OpenSSL: SSL_do_handshake(3)
        """
        cdef Status status
        cdef bint flushed
        if self.at_eof or self.wire.out_of_memory or (self.wire.is_gone and not self.has_served()):
            return self.refused()
        self.wire.begin()
        forget_errors()
        status = self.result(SSL_do_handshake(self.ssl))
        self.wire.settle()
        flushed = self.wire.flush()
        if status == FAILED:
            return FAILED       # its alert went out if it could
        if self.wire.error:
            return DONE if status == DONE and self.has_served() else self.refused_by_system()
        return status if flushed else WANT_WRITE

    cdef Status try_read(self, char *into, size_t size, size_t *got) noexcept nogil:
        """Fills `into` from as many records as are there.

        Over a descriptor it looks into the kernel once. Over BIOs it returns after one record, so that what the program
        sees in the incoming BIO stays exactly what has not been read.

        OpenSSL: SSL_read_ex(3)
        """
        cdef Status status = DONE
        cdef size_t part = 0
        cdef int ret
        got[0] = 0
        if self.wire.out_of_memory or (self.at_eof and not self.has_deferred):
            return self.ended()
        self.wire.begin()
        self.wire.drop_undiscarded()
        if self.wire.is_overfull() and not self.wire.is_gone and not self.wire.flush():
            self.wire.settle()
            return WANT_WRITE
        if self.has_deferred:
            self.has_deferred = False
            self.failure = self.deferred
            self.wire.settle()
            return FAILED
        while True:
            self.wire.space = size - got[0]
            self.wire.has_data = got[0] > 0
            forget_errors()
            ret = SSL_read_ex(self.ssl, into + got[0], size - got[0], &part)
            if ret > 0:
                got[0] += part
                self.wire.delivered = self.wire.consumed
                if got[0] < size and self.wire.may_have_more():
                    continue
                break
            status = self.result(ret)
            if status == CLOSED and self.alert and self.wire.is_gone:
                self.wire.error = self.wire.ending or ECONNRESET    # to OpenSSL, an alert that was told of is an end
                status = self.refused_by_system()
            if got[0]:
                if status == CLOSED or status == FAILED:
                    self.wire.keep_event()
                if status == FAILED:
                    self.deferred = self.failure
                    self.has_deferred = True
                status = DONE
            break
        self.wire.settle()
        # An answer to a KeyUpdate that the kernel does not take now goes out with the next call: no reader waits
        # for it, and what was read counts more than that it failed.
        self.wire.flush()
        return status

    cdef Status try_write(self, const char *data, size_t size, Writing *writing) noexcept nogil:
        """Encrypts `data` from `writing.committed` on and sends it. DONE when all of it is in the kernel.

        After another status `writing.sent` bytes are. The caller goes on with the same `data` and `writing`, or
        leaves and has the backlog keep what is committed.

        OpenSSL: SSL_write_ex(3)
        """
        cdef Status status
        cdef int error
        if self.at_eof or self.wire.out_of_memory or self.wire.is_gone:
            return self.refused()
        self.wire.begin()
        if size == 0:
            return self.try_write_nothing()
        while True:
            status = DONE
            if writing.sent == writing.committed:
                if writing.sent == size:
                    return DONE
                if self.backlog.size == 0:
                    status = self.encrypt(data, size, writing)
                    if status != DONE and self.has_deferred and self.alert:
                        self.wire.look_for_refusal()    # a read has taken the alert, and not told of it yet
                elif self.backlog.begins(data + writing.sent, size - writing.sent):
                    self.backlog.adopt(size - writing.sent, writing)
                else:
                    return failed(&self.failure, SSL_ERROR_SSL, 0, ERR_PACK(ERR_LIB_SSL, 0, SSL_R_BAD_WRITE_RETRY))
            self.wire.settle()
            self.wire.flush()
            note(writing, self.wire.flushed)
            if self.wire.error:
                return self.refused_by_system()
            if status == FAILED:
                return FAILED
            if self.wire.has_unsent():
                return WANT_WRITE
            if status != DONE:
                return status
            if writing.sent < size:
                error = self.wire.yield_lock()
                if error:
                    return AGAIN if error == EAGAIN else self.refused_turn(error)

    cdef Status try_write_nothing(self) noexcept nogil:
        """A write of no bytes makes no record, but shakes hands and tells what a write would.

        OpenSSL: SSL_write_ex(3)
        """
        cdef Status status
        cdef size_t part = 0
        forget_errors()
        status = self.result(SSL_write_ex(self.ssl, b"", 0, &part))
        self.wire.settle()
        self.wire.flush()
        if status != FAILED and self.wire.error:
            return self.refused_by_system()
        return WANT_WRITE if status in (WANT_READ, AGAIN) and self.wire.has_unsent() else status

    cdef Status try_send(self, const char *data, size_t size, size_t *taken) noexcept nogil:
        """try_write() for a caller that keeps no bytes to retry with: what was `taken` is encrypted, and the wire's.

        WANT_WRITE: the kernel is full. Nothing more is taken before what the wire has is gone, so that it never has
        more than BATCH records.
        """
        cdef Writing writing
        cdef Status status
        taken[0] = 0
        if self.wire.out_of_memory:
            return self.ended()
        if self.wire.has_unsent():
            self.wire.begin()
            if not self.wire.flush():
                return self.refused_by_system() if self.wire.error else WANT_WRITE
        if size == 0:
            return DONE
        writing.committed = writing.sent = 0
        writing.count = 0
        status = self.try_write(data, size, &writing)
        taken[0] = writing.committed
        return status

    cdef Status try_shutdown(self) noexcept nogil:
        """Sends our close_notify, then looks for the peer's. DONE when both have passed.

        OpenSSL: SSL_shutdown(3)
        """
        cdef Status status
        cdef int ret
        if self.wire.out_of_memory or (self.wire.is_gone and (self.was_told or not self.at_eof)):
            return self.refused()
        self.wire.begin()
        self.wire.drop_undiscarded()
        self.backlog.clear()
        forget_errors()
        ret = SSL_shutdown(self.ssl)
        if ret == 0:
            self.wire.flush()
            if self.wire.error:
                return self.refused_by_system()
            forget_errors()
            ret = SSL_shutdown(self.ssl)
        status = DONE if ret >= 0 else self.result(ret)
        self.wire.settle()
        self.wire.flush()
        if status == FAILED:
            return FAILED
        if self.wire.error:
            return self.refused_by_system()
        return WANT_WRITE if self.wire.has_unsent() else status

    cdef void send_close_notify(self) noexcept nogil:
        """Half of a shutdown: our close_notify, as far as the kernel takes it.

        OpenSSL: SSL_shutdown(3)
        """
        if SSL_is_init_finished(self.ssl) and not SSL_get_shutdown(self.ssl) & SSL_SENT_SHUTDOWN:
            self.wire.begin()
            forget_errors()
            SSL_shutdown(self.ssl)
            forget_errors()
            self.wire.settle()
            self.wire.flush()

    cdef bint has_more(self) noexcept nogil:
        """Whether a read has its answer here, wherever the descriptor stands.

        OpenSSL: SSL_pending(3), SSL_get_shutdown(3)
        """
        return (
            self.wire.out_of_memory or self.wire.limited or self.wire.undiscarded
            or self.wire.consumed < self.wire.window_size
            or self.wire.pending_errno or self.has_deferred or self.at_eof or SSL_pending(self.ssl)
            or SSL_get_shutdown(self.ssl) & SSL_RECEIVED_SHUTDOWN
        )

    # --- Steps of them ------------------------------------------------------------------------------------------------

    cdef Status encrypt(self, const char *data, size_t size, Writing *writing) noexcept nogil:
        """Makes the next records of `data`, at most BATCH."""
        cdef size_t part = 0
        cdef int ret
        while writing.count < BATCH and writing.committed < size:
            forget_errors()
            ret = SSL_write_ex(self.ssl, data + writing.committed, min(<size_t>RECORD, size - writing.committed), &part)
            if ret <= 0:
                return self.result(ret)
            writing.committed += part
            writing.marks[writing.count].cipher_end = self.wire.enqueued
            writing.marks[writing.count].plain_end = writing.committed
            writing.count += 1
        return DONE

    cdef Status result(self, int ret) noexcept nogil:
        cdef Status status = outcome(self.ssl, ret, &self.failure)
        if status == FAILED:
            if is_alert(&self.failure):
                self.alert = self.failure.code
            if self.failure.ssl_error == SSL_ERROR_EOF:
                self.at_eof = self.was_cut = True
            elif self.failure.ssl_error == SSL_ERROR_SYSCALL:
                self.failure.errno_ = self.wire.error
                self.was_told = self.was_told or self.wire.is_gone
                # A first failure without a reason is a want of memory, and must not be taken for the end of the stream.
                # After another failure it is what `ssl` says ever after.
                if not self.wire.error and not self.wire.at_eof and not self.has_failed:
                    self.failure.ssl_error = SSL_ERROR_SSL
            self.has_failed = True
            if not self.may_go_on():
                self.wire.out_of_memory = True
        elif status == CLOSED:
            self.was_cut = self.was_cut or self.wire.at_eof     # OP_IGNORE_UNEXPECTED_EOF
        elif status == WANT_READ and self.wire.limited:
            return AGAIN
        return status

    cdef bint may_go_on(self) noexcept nogil:
        """Whether another call may follow a failed one: where OpenSSL refuses that itself, or is as it was before.

        OpenSSL 3.2 to 3.6 forgets that it failed to make a record, for lack of memory: the next call takes the bytes
        for sent, and the peer misses them (ossl_tls_handle_rlayer_return() asks the reading side for the alert of the
        writing one; 4.0 does not). So a failure that it does not keep in mind is kept by us.

        OpenSSL: SSL_state_string_long(3)
        """
        return (
            self.at_eof or self.wire.error != 0 or wt_in_error_state(self.ssl) or is_of_tls(&self.failure)
        )

    cdef Status refused_by_system(self) noexcept nogil:
        """What the kernel said, and the alert that explains it."""
        cdef int error = self.wire.error
        self.wire.settle()
        if error != EPIPE and error != ECONNRESET:
            return failed(&self.failure, SSL_ERROR_SYSCALL, error, 0)
        self.look_for_alert()
        failed(&self.failure, SSL_ERROR_SYSCALL, error, 0)
        self.failure.alert = self.alert
        self.was_told = True
        return FAILED

    cdef void look_for_alert(self) noexcept nogil:
        """A peer that refuses us sends an alert and closes: what we write then is answered by a reset, with the alert
        still unread. Data before it stays, and the next read says what was found behind that.

        OpenSSL: SSL_peek_ex(3)
        """
        cdef char byte
        cdef size_t got = 0
        cdef int ret
        if not self.has_deferred and not self.at_eof and not self.alert:
            self.wire.begin()
            self.wire.drained = False
            forget_errors()
            ret = SSL_peek_ex(self.ssl, &byte, 1, &got)
            self.has_deferred = ret <= 0 and self.result(ret) == FAILED and self.failure.ssl_error == SSL_ERROR_SSL
            self.deferred = self.failure
            self.wire.settle()
            self.wire.flush()

    cdef Status refused(self) noexcept nogil:
        """For a call that sends, where nothing can be sent: the reset itself if no call has told of it yet."""
        if self.wire.out_of_memory or not self.wire.is_gone or (self.at_eof and not self.was_told):
            return self.ended()
        self.wire.error = EPIPE if self.was_told or not self.wire.ending else self.wire.ending
        return self.refused_by_system()

    cdef bint has_served(self) noexcept nogil:
        """Whether a client that has gone may have what it came for: it need not read the session tickets of TLS 1.3.

        OpenSSL: SSL_is_init_finished(3)
        """
        cdef bint is_server = self.server_side and self.wire.fd >= 0 and SSL_version(self.ssl) >= TLS1_3_VERSION
        return is_server and SSL_is_init_finished(self.ssl)

    cdef Status ended(self) noexcept nogil:
        """The end without close_notify stays the answer (CPython issue 148292), and so does a want of memory."""
        self.wire.settle()
        if self.wire.out_of_memory:
            self.wire.error = ENOMEM
            return self.refused_by_system()
        return failed(&self.failure, SSL_ERROR_EOF, 0, 0)

    cdef Status refused_turn(self, int error) noexcept nogil:
        memset(&self.failure, 0, sizeof(Failure))
        self.failure.turn = error
        return FAILED

    # --- Everything that is not a verb --------------------------------------------------------------------------------

    cdef int ask(self, Question question, void *answer) except -1:
        """Runs `question`, which looks at the SSL* and copies what it sees. It waits for no verb that is in Python."""
        self.wire.refuse_orphan()
        if wt_mutex_try(&self.wire.lock):
            question(self, answer)
            wt_mutex_unlock(&self.wire.lock)
            return 0
        with nogil:
            wt_mutex_lock(&self.wire.lock)
            question(self, answer)
            wt_mutex_unlock(&self.wire.lock)
        return 0

    cdef int change(self, Change apply, void *argument) except? -1:
        """Runs `apply`, which changes the SSL*, between two verbs or in a callback of one. What it returns.

        OpenSSL's error queue is the thread's, so that its caller finds there what went wrong.
        """
        cdef int error = EAGAIN
        cdef int result = 0
        if self.wire.is_callback():
            with nogil:
                wt_mutex_lock(&self.wire.lock)
                result = apply(self, argument)
                wt_mutex_unlock(&self.wire.lock)
            return result
        if self.wire.try_turn():
            result = apply(self, argument)
            wt_mutex_unlock(&self.wire.lock)
            return result
        while error == EAGAIN:
            with nogil:
                error = self.wire.take_turn()
                if error == 0:
                    result = apply(self, argument)
                    wt_mutex_unlock(&self.wire.lock)
            if error == EAGAIN:
                PyErr_CheckSignals()
        if error:
            raise turn_refused(error)
        return result
