"""Connection: one SSL*, its context and its peer's name."""

from libc.stdint cimport uint64_t

from wiretight._core.base.errors cimport Failure
from wiretight._core.connection.accounting cimport Account
from wiretight._core.context.context cimport Context
from wiretight._core.context.settings cimport Settings
from wiretight._core.context.tally cimport Tally
from wiretight._core.openssl.bio cimport BIO
from wiretight._core.openssl.ssl cimport SSL, SSL_CTX
from wiretight._core.openssl.x509 cimport X509
from wiretight._core.session.terms cimport Terms
from wiretight._core.session.ticketkeys cimport KeySet
from wiretight._core.trust.verification cimport Verification
from wiretight._core.wire.descriptor cimport Descriptor

ctypedef void (*Question)(Connection connection, void *answer) noexcept nogil
ctypedef int (*Change)(Connection connection, void *argument) noexcept nogil

cdef object FROM_CONTEXT


cdef class Connection:
    cdef SSL *ssl
    cdef SSL_CTX *cache                 # OpenSSL's own, for a server: of the context that it was made with
    cdef uint64_t shortened             # times_shortened() when it was made, on a server
    # Its lock and turn are the connection's; a Stream's is its Wire, or that of the connection which carries it.
    cdef Descriptor descriptor
    cdef Context _context
    cdef Settings settings              # those that the context had when it was given to this
    cdef readonly bint server_side
    cdef readonly object server_hostname
    cdef object former              # what OpenSSL still uses of earlier contexts; None: nothing. See virtualhost
    cdef Terms terms                    # which a session must share to be resumed; None: no session can be
    cdef bint was_given_session         # by the program, so that the session_store is not asked
    cdef str session_key                # what the session_store has its sessions by; None: it gets none
    cdef KeySet ticket_keys             # on a server whose context has a ring: its keys when this was made; or None
    cdef object requested_name          # on a server: the name that the client asked for, once it is known
    cdef bint looked_at_name            # sni_callback has been called with it
    cdef bint is_undecided              # a callback decides on the ClientHello: OpenSSL has not yet acted on it
    cdef object client_hello            # the last one (bytes), and what was made of it for the callback; None: none
    cdef bint has_seen_hello            # and gone on with it
    cdef bint may_suspend               # the caller of this verb can be told to call again: see callbacks/suspension
    cdef bint is_awaited                # a transport awaits what callbacks return
    cdef object awaited                 # what it awaits now; None: nothing
    cdef bint lacks_protocol            # alpn_required, and there is none
    cdef X509 *shown                    # on a server that has another context since: the certificate that it showed
    cdef Verification refused           # the verification that ended the connection; None: no such
    cdef int sent_alert                 # the fatal one that this step has sent, as in Failure; 0: none
    cdef object owner_reference         # weak, to the program's object, which callbacks get; None: there is none
    cdef Tally tally                    # of the context that it was made with
    cdef Account account                # what it counts there
    cdef object __weakref__

    cdef int bind(self, BIO *bio, Context context, bint server_side, object hostname) except -1
    cdef int bind_sessions(self) except -1
    cdef int unbind_sessions(self) except -1
    cdef int expect(self, str hostname) except -1

    cdef object exception_for_failure(self, const Failure *failure)

    # Questions and changes
    cdef int ask(self, Question question, void *answer) except -1
    cdef int change(self, Change apply, void *argument) except? -1
