"""Algorithms: the ciphers, groups and signature algorithms that a Context negotiates."""

from wiretight._core.context.context cimport Context
from wiretight._core.context.settings cimport Settings
from wiretight._core.openssl.ssl cimport SSL


cdef int set_ciphers(Context context, str ciphers) except -1
cdef int set_ciphersuites(Context context, str ciphersuites) except -1
cdef list get_ciphers(Context context)
cdef tuple ciphers_of(Context context, Settings settings)

cdef int set_ecdh_curve(Context context, object name) except -1
cdef int set_groups(Context context, str groups) except -1
cdef list get_groups(Context context, bint include_aliases)

cdef int set_client_sigalgs(Context context, str sigalgs) except -1
cdef int set_server_sigalgs(Context context, str sigalgs) except -1
