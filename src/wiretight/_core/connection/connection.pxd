"""Connection: one SSL*, four verbs. A verb never waits; it returns a Status."""

from wiretight._core.base.errors cimport Failure, Status
from wiretight._core.connection.backlog cimport Backlog, Writing
from wiretight._core.context.context cimport Context
from wiretight._core.context.settings cimport Settings
from wiretight._core.openssl.ssl cimport SSL
from wiretight._core.wire.wire cimport Wire

ctypedef void (*Question)(Connection connection, void *answer) noexcept nogil
ctypedef int (*Change)(Connection connection, void *argument) noexcept nogil

cdef object FROM_CONTEXT


cdef class Connection:
    cdef SSL *ssl
    cdef Wire wire
    cdef Backlog backlog
    cdef Context _context
    cdef Settings settings              # of the context, when this was made or got it
    cdef readonly bint server_side
    cdef readonly object server_hostname
    cdef bytes terms                    # which a session must share to be resumed; None: there is no such session
    cdef object requested_name          # on a server: the name that the client asked for, once that is looked at
    cdef bint looked_at_name            # sni_callback has had it
    cdef object owner_reference         # weak, to the program's object, whom a callback is called about; None: no such
    cdef object __weakref__

    cdef Failure failure            # why the last verb FAILED
    cdef Failure deferred           # the failure that a read met behind data: the next read has it
    cdef bint has_deferred
    cdef bint has_failed            # in OpenSSL, once at least
    cdef unsigned long alert        # with which the peer refused us; 0
    cdef bint was_told              # of a reset, by a call
    cdef bint at_eof                # the stream ended without close_notify: for good
    cdef bint was_cut               # the same, also where OP_IGNORE_UNEXPECTED_EOF takes that for an end

    # Called with lock and turn, by whoever waits.
    cdef Status try_handshake(self) noexcept nogil
    cdef Status try_read(self, char *into, size_t size, size_t *got) noexcept nogil
    cdef Status try_write(self, const char *data, size_t size, Writing *writing) noexcept nogil
    cdef Status try_write_nothing(self) noexcept nogil
    cdef Status try_send(self, const char *data, size_t size, size_t *taken) noexcept nogil
    cdef Status try_shutdown(self) noexcept nogil

    cdef void send_close_notify(self) noexcept nogil
    cdef bint has_more(self) noexcept nogil

    cdef Status result(self, int ret) noexcept nogil
    cdef bint may_go_on(self) noexcept nogil
    cdef Status refused_by_system(self) noexcept nogil
    cdef void look_for_alert(self) noexcept nogil
    cdef Status refused(self) noexcept nogil
    cdef bint has_served(self) noexcept nogil
    cdef Status ended(self) noexcept nogil
    cdef Status refused_turn(self, int error) noexcept nogil
    cdef Status encrypt(self, const char *data, size_t size, Writing *writing) noexcept nogil
    cdef int bind_sessions(self) except -1
    cdef int unbind_sessions(self) except -1
    cdef int expect(self, str hostname) except -1
    cdef int bind(self, Context context, bint server_side, object hostname) except -1

    # Everything that is not a verb
    cdef int ask(self, Question question, void *answer) except -1
    cdef int change(self, Change apply, void *argument) except? -1
