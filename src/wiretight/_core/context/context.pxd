"""Context: an SSL_CTX and the settings of the connections made from it."""

from libc.stdint cimport uint64_t

from wiretight._core.context.settings cimport Settings
from wiretight._core.context.tally cimport Tally
from wiretight._core.openssl.ssl cimport SSL, SSL_CTX


cdef class Context:
    # Libraries that know CPython's layout read an SSL_CTX* from the first field (aiofastnet, google-auth); NULL makes
    # them fail cleanly. A cdef method would put a vtable pointer here instead: Context has none.
    cdef void *reserved
    cdef SSL_CTX *ctx
    cdef int _protocol
    cdef Settings settings                  # the current ones; read by settings_of(), replaced by update_settings()
    cdef Settings sealed                    # those written into `ctx`
    cdef bint is_sealed                     # since the first connection: only hooks write into `ctx` any more
    cdef uint64_t emptied                   # times_shortened() when OpenSSL's own cache was last emptied
    cdef tuple installed                    # the hooks that have
    cdef Tally tally                        # what its connections have done; not shared with a copy
    cdef object looks                       # how context/reloading.pyx stands with it; None: it has never looked
    cdef object __weakref__


# Changes one thing in `settings`, a copy of the context's. It may be called again, with another copy.
ctypedef int (*Setter)(Context context, Settings settings, object value) except -1

cdef Settings settings_of(Context context)
cdef int update_settings(Context context, Setter setter, object value) except -1
cdef int set_read_ahead(Context context, bint value) except -1
cdef int renew_settings(Context context, Setter setter, object value) except -1
cdef int check_not_frozen(Context context) except -1    # before a change that reads files or asks for a password
cdef int make_sealed(Context context) except -1         # before a connection uses its SSL_CTX
cdef bint exchange_unsealed(Context context, Context other) except -1
# Configured with `settings`, which are the context's
cdef SSL *new_connection(Context context, Settings settings, bint server_side) except NULL
cdef SSL *trial(Context context, Settings settings) except NULL     # the same, to try or to read a setting
