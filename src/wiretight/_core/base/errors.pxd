"""The error funnel: every OpenSSL return value and the thread's error queue are read here and nowhere else."""

from wiretight._core.base.mutex cimport wt_gate_at_thread_end
from wiretight._core.openssl.err cimport ERR_clear_error, ERR_peek_error
from wiretight._core.openssl.ssl cimport SSL

# What a verb of a connection returns. A want is named by what the caller must wait for.
cdef enum Status:
    DONE = 0
    WANT_READ = 1
    WANT_WRITE = 2
    CLOSED = 3      # the peer's close_notify has been read
    FAILED = 4      # the Failure has the reason
    WANT_CALLBACK = 6   # a callback has not decided yet: call again when it has
    AGAIN = 5       # call again without waiting: the step reached its limit, and the kernel may have more

# Why a verb failed: plain numbers, which can be recorded without the GIL and raised later.
cdef struct Failure:
    int ssl_error           # SSL_ERROR_*, as `ssl` numbers them (EOF is 8)
    unsigned long code      # first entry of OpenSSL's queue, 0 if there was none
    int errno_              # of the descriptor's recv or send, 0 if that did not fail
    unsigned long alert     # the peer's alert that explains that errno, or 0
    int turn                # why the verb did not get its turn: an errno, OWN_CALLBACK or CARRIES; 0 if it did
    long verify_result      # X509_V_ERR_*, when code is CERTIFICATE_VERIFY_FAILED
    int sent_alert          # the fatal alert that told the peer, as OpenSSL reports it: 0x200 and its number; 0: none

cdef enum:
    OWN_CALLBACK = -1       # the thread is in a callback of the connection itself
    CARRIES = -2            # another connection inside this one, whose bytes alone it moves

# --- I/O on a connection --------------------------------------------------------------------------------------------
cdef inline void forget_errors() noexcept nogil:
    """Empties the thread's queue. Looking first costs a tenth of clearing an empty queue.

    OpenSSL: ERR_clear_error(3)
    """
    wt_gate_at_thread_end()
    if ERR_peek_error():
        ERR_clear_error()

cdef Status outcome(SSL *ssl, int ret, Failure *failure) noexcept nogil
cdef Status failed(Failure *failure, int ssl_error, int errno_, unsigned long code) noexcept nogil
cdef bint is_of_tls(const Failure *failure) noexcept nogil
cdef bint is_alert(const Failure *failure) noexcept nogil
cdef int alert_in(unsigned long code) noexcept nogil        # of the peer; -1: none
cdef object failure_exception(const Failure *failure, object hostname, str refusal=*)
cdef str verify_message(long code, object hostname)     # what an X509_V_ERR_* means
cdef object chained(object problem, object cause)
cdef object turn_refused(int turn)

# --- everything else: one checker per return convention of OpenSSL; each raises the error on the queue
cdef int check(int ret) except -1               # <= 0 is an error
cdef int raise_queue(str what=*) except -1      # empties the queue and raises its error
cdef object plain_error(type kind, int number, str message)     # one that is not OpenSSL's
cdef object closed_by_peer()                    # for a verb that meets its close_notify
cdef object queue_exception(str what=*)         # the same, returned instead of raised
cdef object queue_cause()                       # the same, as the cause of another error
cdef str reason_text(unsigned long code)
cdef int check_memory() except -1               # empties the queue, and raises only a lack of memory
cdef int check_decoder_memory() except -1       # the same where a decoder has failed
cdef object ssl_error(int ssl_error, unsigned long code, str message=*)  # an SSLError with library and reason set
