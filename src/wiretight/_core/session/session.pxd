"""SSLSession: one SSL_SESSION and the context that it belongs to."""

from wiretight._core.context.context cimport Context
from wiretight._core.openssl.ssl cimport SSL_SESSION
from wiretight._core.session.terms cimport Terms


cdef class SSLSession:
    cdef SSL_SESSION *session
    cdef Context context
    cdef Terms terms        # of the connection that made it
    cdef unsigned int process       # in which it is one's own, as wt_process


cdef double expires_at(SSL_SESSION *session) noexcept nogil         # in seconds since 1970; 0: it cannot be resumed
cdef bint is_single_use(SSL_SESSION *session) noexcept nogil
cdef bint is_another_process(SSLSession session) noexcept       # and may have been used up there
# Takes ownership of the reference
cdef SSLSession adopt_session(SSL_SESSION *session, Context context, Terms terms)

cdef dict stats_of(Context context)        # how often its connections resumed one, and could not
