"""Stream: the verbs of a connection, as steps that move bytes between OpenSSL and its Wire.

A verb never waits; each of its steps returns a Status. DONE: it did what was asked. WANT_*: call again once the
descriptor is ready, or a callback has decided. CLOSED: the peer's close_notify has been read. FAILED: `failure` says
why. AGAIN: call again at once. The caller has the lock and the turn of the wire, and if `keeps_gil` says so the GIL.
"""

from cython cimport no_gc_clear
from libc.errno cimport EAGAIN, EBADF, ECONNRESET, ENOMEM, EPIPE
from libc.stdint cimport uint64_t
from libc.string cimport memset

from wiretight._core.base.errors cimport (
    AGAIN, CARRIES, CLOSED, DONE, FAILED, Failure, Status, WANT_READ, WANT_WRITE, failed, forget_errors, is_alert,
    is_of_tls, outcome,
)
from wiretight._core.connection.accounting cimport UNBEGUN, begin_handshake, settle, was_refused
from wiretight._core.connection.backlog cimport BATCH, Backlog, Writing, note
from wiretight._core.connection.keyupdate cimport are_due, send_key_update
from wiretight._core.connection.negotiated cimport has_protocol
from wiretight._core.connection.state cimport CUT, ENDED, GONE, LOST, OPEN, RESET, State, follows
from wiretight._core.openssl.err cimport ERR_LIB_SSL, ERR_PACK
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_ERROR_SSL, SSL_ERROR_SYSCALL, SSL_RECEIVED_SHUTDOWN, SSL_R_BAD_WRITE_RETRY, SSL_R_NO_APPLICATION_PROTOCOL,
    SSL_SENT_SHUTDOWN, SSL_do_handshake, SSL_get_shutdown, SSL_is_init_finished, SSL_peek_ex, SSL_pending,
    SSL_read_ex, SSL_shutdown, SSL_version, SSL_write_ex, TLS1_3_VERSION,
)

cdef extern from "checks.h" nogil:
    void wt_require(bint condition, const char *what)

cdef extern from "compat.h" nogil:
    bint wt_in_error_state(const SSL *ssl)

cdef enum:
    RECORD = 16384          # RFC 8446, 5.1: the most plaintext that a record carries
    SSL_ERROR_EOF = 8       # as in errors


@no_gc_clear
cdef class Stream(Negotiated):
    """One TLS connection over a Wire."""

    def __cinit__(self, origin=None, Wire wire=None, *_):
        self.wire = wire
        self.backlog = Backlog()

    def __dealloc__(self):
        if self.ssl != NULL and not self.descriptor.orphaned_by_fork():
            settle(self.ssl, &self.account, self.was_cut)

    # --- A step -------------------------------------------------------------------------------------------------------
    #
    # OpenSSL never touches the network: it reads from the wire and writes to it, so that one frame fits every verb.
    #
    # 1. admit. May OpenSSL be called? Not without a descriptor, and not after bytes of the stream were lost for lack of
    #    memory: OpenSSL would take the former for a fault of the connection and report it ever after, and continue
    #    after the latter as if nothing were missing. If the peer is gone, each verb has an answer of its own.
    # 2. operate. The wire begins: no error, no want, no space. The verb calls OpenSSL, one record at a time, each time
    #    with an empty error queue, and result() reads the outcome at once. Then the wire settles: what OpenSSL has
    #    consumed leaves the kernel. Then it flushes, whatever the outcome: a failed handshake has written an alert that
    #    the peer must see, and a read may have answered a KeyUpdate.
    # 3. answer. OpenSSL and the flush after it may both have failed, and a step reports one failure. The handshake and
    #    the shutdown report OpenSSL's, of which the kernel's is a consequence. A write reports the kernel's, which
    #    decides what was sent. A read reports neither: a failed flush must not hide data that was read, and the next
    #    call meets the failure again.
    # 4. What a callback raised belongs to the verb that ran it. The wire has it while other callbacks may replace it
    #    (the last exception counts, as in `ssl`, but not over what ends the program); the verb gets it before anybody
    #    else gets the lock.
    #
    # A write of more than a batch takes several such rounds, and yields the lock to waiting threads between them.

    cdef Status step(self, Operation *op) noexcept nogil:
        """Advances `op` as far as the available bytes and the kernel allow."""
        cdef Status status
        cdef int error
        while True:
            self.descriptor.raised = op.raised
            status = self.admit(op)
            if status == DONE:
                status = self.answer(op, self.operate(op))
            op.raised = self.descriptor.take_raised()
            keep_account(self, op, status)
            if status != DONE or op.verb != WRITE or op.writing.sent == op.size:
                return status
            error = self.descriptor.yield_lock()
            if error:
                return AGAIN if error == EAGAIN else self.refused_turn(error)

    cdef Status admit(self, const Operation *op) noexcept nogil:
        """DONE, or why the verb fails before OpenSSL is called."""
        if self.wire.carries and not self.serves_carried:
            return self.refused_turn(CARRIES)
        if self.wire.on_socket and self.wire.fd < 0:
            return self.failed_with(EBADF)
        self.follow_wire()
        if self.state == LOST:
            return self.failed_with(ENOMEM)
        if op.verb == READ:
            return self.ended() if self.is_at_end() and not self.has_deferred else DONE
        if op.verb == NOTIFY or op.verb == FLUSH:
            return DONE
        if self.state == CUT:
            return DONE if op.verb == SHUTDOWN or op.verb == CLOSE else self.ended()
        if self.state != OPEN and not (op.verb == HANDSHAKE and self.state != ENDED and self.has_served()):
            # The reset itself, if no call has reported it yet.
            return self.failed_with(self.wire.ending if self.state == GONE and self.wire.ending else EPIPE)
        if op.verb == WRITE and self.backlog.size and op.writing.sent == op.writing.committed:
            if not self.backlog.is_retried_by(op.data, op.pieces, op.writing.sent, op.size):
                return failed(&self.failure, SSL_ERROR_SSL, 0, ERR_PACK(ERR_LIB_SSL, 0, SSL_R_BAD_WRITE_RETRY))
        return DONE

    cdef Status operate(self, Operation *op) noexcept nogil:
        """Calls OpenSSL, and moves the bytes that it has consumed and produced.

        OpenSSL: SSL_do_handshake(3), SSL_peek_ex(3), SSL_shutdown(3)
        """
        cdef Status status = DONE
        cdef char byte
        cdef size_t got
        self.wire.begin()
        self.sent_alert = 0
        if self.account.phase == UNBEGUN and op.verb <= WRITE:
            begin_handshake(self.ssl, &self.account)
        if self.settings.values.alpn_required and not self.server_side and op.verb <= WRITE:
            status = self.require_protocol()
        if status != DONE:
            pass
        elif op.verb == READ:
            status = self.peek_record(op) if op.peeks else self.read_records(op)
            if status == CLOSED or status == FAILED:
                self.wire.wake_others(self.descriptor.waiting)
            else:
                self.wire.wake_others(self.wire.is_awaited() and SSL_pending(self.ssl))
        elif op.verb == WRITE:
            status = self.write_records(op)
        elif op.verb == HANDSHAKE:
            forget_errors()
            status = self.result(SSL_do_handshake(self.ssl))
        elif op.verb == SHUTDOWN:
            status = self.shut_down()
        elif op.verb == CLOSE:
            status = self.close_writing()
        elif op.verb == NOTIFY:
            if SSL_is_init_finished(self.ssl) and not SSL_get_shutdown(self.ssl) & SSL_SENT_SHUTDOWN:
                forget_errors()
                SSL_shutdown(self.ssl)
                forget_errors()
        elif op.verb == LOOK:
            self.wire.drained = False
            forget_errors()
            status = self.result(SSL_peek_ex(self.ssl, &byte, 1, &got))
        elif op.verb == UPDATE or op.verb == UPDATE_BOTH:
            status = self.update_keys(op.verb == UPDATE_BOTH)
        self.wire.settle()
        self.wire.flush()
        return status

    cdef Status require_protocol(self) noexcept nogil:
        """The handshake of a client that needs an application protocol."""
        cdef Status status
        forget_errors()
        status = self.result(SSL_do_handshake(self.ssl))        # which does nothing after it
        if status != DONE or has_protocol(self.ssl):
            return status
        self.close_writing()
        self.lacks_protocol = True
        return failed(&self.failure, SSL_ERROR_SSL, 0, ERR_PACK(ERR_LIB_SSL, 0, SSL_R_NO_APPLICATION_PROTOCOL))

    cdef Status answer(self, Operation *op, Status status) noexcept nogil:
        """Which outcome the step reports, OpenSSL's or the kernel's."""
        if op.verb == READ or op.verb == NOTIFY or op.verb == UPDATE or op.verb == UPDATE_BOTH:
            return status
        if op.verb == WRITE:
            note(&op.writing, self.wire.flushed)
        if status == FAILED and not (op.verb == WRITE and op.size):
            return FAILED
        if self.wire.error:
            if op.verb == HANDSHAKE and status == DONE and self.has_served():
                return DONE
            return self.failed_with(self.wire.error)
        if status == FAILED:
            return FAILED
        # A write may be in the kernel as a whole while other records wait behind it.
        if self.wire.has_unsent() and not (op.verb == WRITE and status == DONE and op.writing.sent == op.size):
            return self.blocked()
        return status

    cdef Status send(self, Operation *op) noexcept nogil:
        """A WRITE for a caller that will not retry: the `committed` bytes are encrypted, and the wire sends them.

        WANT_WRITE: the kernel is full. Until the wire has sent everything, it accepts no more, so that it never has
        more than BATCH records.
        """
        cdef Status status = DONE
        if op.size == 0 or self.wire.has_unsent():
            op.verb = FLUSH
            status = self.step(op)
            op.verb = WRITE
        return self.step(op) if status == DONE and op.size else status

    cdef bint has_more(self) noexcept nogil:
        """Whether a read would have a result even if the descriptor were not readable.

        OpenSSL: SSL_pending(3), SSL_get_shutdown(3)
        """
        return (
            self.wire.out_of_memory or self.wire.limited or self.wire.undiscarded
            or self.wire.consumed < self.wire.window_size
            or self.wire.pending_errno or self.has_deferred or self.is_at_end() or SSL_pending(self.ssl)
            or SSL_get_shutdown(self.ssl) & SSL_RECEIVED_SHUTDOWN
            or self.has_failed and wt_in_error_state(self.ssl)
        )

    # --- What each verb asks of OpenSSL -------------------------------------------------------------------------------

    cdef Status read_records(self, Operation *op) noexcept nogil:
        """Fills the caller's space from as many records as are available.

        Over a descriptor, it looks into the kernel once. Over BIOs, it returns after one record, so that the incoming
        BIO always has exactly what has not been read.

        OpenSSL: SSL_read_ex(3)
        """
        cdef Status status
        cdef size_t part = 0
        cdef int ret
        op.got = 0
        if self.wire.undiscarded and not SSL_pending(self.ssl):
            self.wire.report_event()
        status = self.begin_to_read()
        if status != DONE:
            return status
        self.wire.has_event = False
        if self.has_deferred:
            self.has_deferred = False
            self.failure = self.deferred
            return FAILED
        while True:
            self.wire.space = op.size - op.got
            self.wire.has_data = op.got > 0
            forget_errors()
            ret = SSL_read_ex(self.ssl, op.data + op.got, op.size - op.got, &part)
            if ret <= 0:
                break
            op.got += part
            self.wire.delivered = self.wire.consumed
            if op.got == op.size or not self.wire.may_have_more():
                return DONE
        status = self.result(ret)
        if status == CLOSED and self.alert and self.wire.is_gone:
            # To OpenSSL, an alert that it has reported is an end.
            status = self.failed_with(self.wire.ending or ECONNRESET)
        if op.got == 0:
            return status
        if status == CLOSED or status == FAILED:
            self.wire.keep_event()
        if status == FAILED:
            self.deferred = self.failure
            self.has_deferred = True
        return DONE

    cdef Status begin_to_read(self) noexcept nogil:
        """WANT_WRITE while the peer makes us answer what it sends, and does not read."""
        if self.wire.is_overfull() and not self.wire.is_gone and not self.wire.flush():
            return self.blocked()
        return DONE

    cdef Status peek_record(self, Operation *op) noexcept nogil:
        """Copies what the next read returns first, at most one record, and leaves it and whatever else was met to that.

        OpenSSL: SSL_peek_ex(3)
        """
        cdef Status status = self.begin_to_read()
        cdef int ret
        op.got = 0
        if status != DONE:
            return status
        if self.has_deferred:
            self.failure = self.deferred
            return FAILED
        self.wire.space = op.size
        forget_errors()
        ret = SSL_peek_ex(self.ssl, op.data, op.size, &op.got)
        if ret > 0:
            return DONE
        status = self.result(ret)
        if status == CLOSED and self.alert and self.wire.is_gone:
            status = self.failed_with(self.wire.ending or ECONNRESET)
        if status == CLOSED or status == FAILED:
            self.wire.keep_event()
        if status == FAILED and not self.has_deferred:
            self.deferred = self.failure
            self.has_deferred = True
        return status

    cdef Status write_records(self, Operation *op) noexcept nogil:
        """Encrypts the next batch of the caller's bytes, unless records of it still wait for the kernel.

        A write of no bytes creates no record, but shakes hands and reports what a write would.

        OpenSSL: SSL_write_ex(3)
        """
        cdef Status status
        cdef size_t part = 0
        if op.size == 0:
            forget_errors()
            return self.result(SSL_write_ex(self.ssl, b"", 0, &part))
        if op.writing.sent < op.writing.committed or op.writing.sent == op.size:
            return DONE
        if self.backlog.size:
            self.backlog.adopt(op.size - op.writing.sent, &op.writing)
            return DONE
        status = self.encrypt(op)
        if status != DONE and self.has_deferred and self.alert:
            self.wire.look_for_refusal()    # a read has met the alert, and not reported it yet
        return status

    cdef Status encrypt(self, Operation *op) noexcept nogil:
        """Encrypts the next records, at most BATCH."""
        cdef Writing *writing = &op.writing
        cdef size_t part = 0
        cdef size_t share
        cdef uint64_t before
        cdef int ret
        while writing.count < BATCH and writing.committed < op.size:
            share = min(<size_t>RECORD, op.size - writing.committed)
            if self.settings.values.key_update_after and are_due(self.ssl, self.settings, self.sealed):
                if self.update_keys(False) != DONE:
                    return FAILED
            before = self.wire.records_out.count
            forget_errors()
            ret = SSL_write_ex(self.ssl, plaintext(op, writing.committed, share), share, &part)
            self.sealed += self.wire.records_out.count - before
            if ret <= 0:
                return self.result(ret)
            writing.committed += part
            writing.marks[writing.count].cipher_end = self.wire.enqueued
            writing.marks[writing.count].plain_end = writing.committed
            writing.count += 1
        return DONE

    cdef Status close_writing(self) noexcept nogil:
        """Sends our close_notify, unless it was sent before.

        OpenSSL: SSL_shutdown(3)
        """
        cdef int ret
        if SSL_get_shutdown(self.ssl) & SSL_SENT_SHUTDOWN:
            return DONE
        self.backlog.clear()
        self.wire.reads_ahead = False       # what follows the peer's close_notify is for whoever goes on without TLS
        forget_errors()
        ret = SSL_shutdown(self.ssl)
        self.has_closed_writing = ret >= 0
        return DONE if ret >= 0 else self.result(ret)

    cdef Status shut_down(self) noexcept nogil:
        """Sends our close_notify, then looks for the peer's. DONE once both have passed. OpenSSL: SSL_shutdown(3)"""
        cdef int ret
        self.wire.drop_undiscarded()
        self.backlog.clear()
        self.wire.reads_ahead = False
        forget_errors()
        ret = SSL_shutdown(self.ssl)
        if ret == 0:
            self.wire.flush()
            if self.wire.error:
                return DONE     # as far as OpenSSL is concerned
            forget_errors()
            ret = SSL_shutdown(self.ssl)
        self.was_cut = self.was_cut or ret > 0 and was_refused(&self.account)
        return DONE if ret >= 0 else self.result(ret)

    cdef Status update_keys(self, bint asks_peer) noexcept nogil:
        self.sealed = 0
        return self.result(send_key_update(self.ssl, asks_peer))

    # --- Outcomes -----------------------------------------------------------------------------------------------------

    cdef void enter(self, State state) noexcept nogil:
        if state != self.state:
            wt_require(follows(self.state, state), "a connection enters a state that its state does not lead to")
            self.state = state

    cdef void follow_wire(self) noexcept nogil:
        """Enters the state in which earlier steps have left the wire."""
        if self.wire.out_of_memory:
            self.enter(LOST)
        elif self.wire.is_gone and self.state == OPEN:
            self.enter(GONE)

    cdef bint is_at_end(self) noexcept nogil:
        """Whether nothing can be read any more."""
        return self.state == CUT or self.state == ENDED

    cdef Status result(self, int ret) noexcept nogil:
        cdef Status status = outcome(self.ssl, ret, &self.failure)
        if status == FAILED:
            self.failure.sent_alert = self.sent_alert
            if self.lacks_protocol:     # OpenSSL only knows that a callback has refused
                self.failure.code = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_NO_APPLICATION_PROTOCOL)
            if is_alert(&self.failure):
                self.alert = self.failure.code
            self.was_cut = self.was_cut or self.is_cut()
            if self.failure.ssl_error == SSL_ERROR_EOF:
                self.enter(ENDED if self.state == RESET or self.state == ENDED else CUT)
            elif self.failure.ssl_error == SSL_ERROR_SYSCALL:
                self.failure.errno_ = self.wire.error
                if not self.wire.error and self.has_failed and (self.wire.ending or self.alert and self.wire.is_gone):
                    # OpenSSL 4.0 does not ask the wire again, which would say so.
                    self.failure.errno_, self.failure.alert = self.wire.ending or ECONNRESET, self.alert
                if self.wire.is_gone:
                    self.enter(ENDED if self.is_at_end() else RESET)
                # A first failure without a reason is a lack of memory, and must not pass for the end of the stream.
                # After another failure, it is what `ssl` reports ever after.
                if not self.wire.error and not self.wire.at_eof and not self.has_failed:
                    self.failure.ssl_error = SSL_ERROR_SSL
            self.has_failed = True
            if not self.may_go_on():
                self.wire.out_of_memory = True
            self.wire.explain(&self.failure)
        elif status == CLOSED:
            self.was_cut = self.was_cut or self.wire.at_eof     # OP_IGNORE_UNEXPECTED_EOF
        elif status == WANT_READ and self.wire.limited:
            return AGAIN
        elif status == WANT_READ and self.wire.read_wants_write:
            return WANT_WRITE
        return status

    cdef bint is_cut(self) noexcept nogil:
        """Whether the failure is the end of the peer's data, which its close_notify has not ended before.

        OpenSSL: SSL_get_shutdown(3), which takes an alert for a close_notify
        """
        return (
            self.failure.ssl_error == SSL_ERROR_EOF or self.alert or self.wire.ending
            or wt_in_error_state(self.ssl) and not SSL_get_shutdown(self.ssl) & SSL_RECEIVED_SHUTDOWN
        )

    cdef bint may_go_on(self) noexcept nogil:
        """Whether other calls may follow a failed one: if OpenSSL refuses them itself, or is in the state of before.

        OpenSSL 3.2 to 3.6 forgets that it lacked the memory for a record: the next call takes its bytes for sent, and
        the peer never gets them (ossl_tls_handle_rlayer_return() asks the reading side for the alert of the writing
        one; 4.0 does not). So we remember a failure that OpenSSL does not.

        OpenSSL: SSL_state_string_long(3)
        """
        return (
            self.is_at_end() or self.wire.error != 0 or wt_in_error_state(self.ssl) or is_of_tls(&self.failure)
        )

    cdef bint has_served(self) noexcept nogil:
        """Whether a client that is gone may have got what it wanted: it need not read the session tickets of TLS 1.3.

        OpenSSL: SSL_is_init_finished(3)
        """
        cdef bint is_server = self.server_side and self.wire.fd >= 0 and SSL_version(self.ssl) >= TLS1_3_VERSION
        return is_server and SSL_is_init_finished(self.ssl)

    cdef Status failed_with(self, int error) noexcept nogil:
        """Fails with the system's `error`, and what explains it: the peer's alert, or a failure of what carries us."""
        cdef bint is_gone = error == EPIPE or error == ECONNRESET
        self.wire.error = error
        self.wire.settle()
        if is_gone:
            self.look_for_alert()
        failed(&self.failure, SSL_ERROR_SYSCALL, error, 0)
        if is_gone:
            self.failure.alert = self.alert
            self.enter(ENDED if self.is_at_end() else RESET)
        self.wire.explain(&self.failure)
        return FAILED

    cdef void look_for_alert(self) noexcept nogil:
        """Reads the alert of a peer that has refused us and closed: our next write meets a reset while it is unread.

        Data before it stays unread, and the next read reports what was found behind the data.
        """
        cdef Operation look
        if not self.has_deferred and not self.is_at_end() and not self.alert:
            look.verb = LOOK
            self.has_deferred = self.operate(&look) == FAILED and self.failure.ssl_error == SSL_ERROR_SSL
            self.deferred = self.failure

    cdef Status ended(self) noexcept nogil:
        """An end without close_notify stays the answer (CPython issue 148292)."""
        self.wire.settle()
        return failed(&self.failure, SSL_ERROR_EOF, 0, 0)

    cdef Status blocked(self) noexcept nogil:
        """What to wait for until more can be sent."""
        return WANT_READ if self.wire.write_wants_read else WANT_WRITE

    cdef Status refused_turn(self, int error) noexcept nogil:
        memset(&self.failure, 0, sizeof(Failure))
        self.failure.turn = error
        return FAILED
