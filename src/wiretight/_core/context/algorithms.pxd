"""Algorithms: the ciphers, groups and signature algorithms that a Context negotiates."""

from wiretight._core.context.context cimport Context
from wiretight._core.context.settings cimport Settings
from wiretight._core.openssl.ssl cimport SSL, stack_st_SSL_CIPHER


# The settings that are lists of names.
cdef enum Names:
    CIPHERS
    CIPHERSUITES
    GROUPS
    CLIENT_SIGALGS
    SERVER_SIGALGS

cdef bint is_accepted(Context context, Names which, bytes names) except -1      # leaves the reason on OpenSSL's queue
cdef tuple names_of(stack_st_SSL_CIPHER *ciphers)

cdef int set_ciphers(Context context, str ciphers) except -1
cdef int set_ciphersuites(Context context, str ciphersuites) except -1
cdef list get_ciphers(Context context)
cdef tuple ciphers_of(Context context, Settings settings)

cdef int set_ecdh_curve(Context context, object name) except -1
cdef int set_groups(Context context, str groups) except -1
cdef list get_groups(Context context, bint include_aliases)

cdef int set_client_sigalgs(Context context, str sigalgs) except -1
cdef int set_server_sigalgs(Context context, str sigalgs) except -1
