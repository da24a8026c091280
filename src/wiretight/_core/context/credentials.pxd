"""Credentials: the certificates, private keys and DH parameters of a Context."""

from wiretight._core.context.context cimport Context
from wiretight._core.context.material cimport Credential
from wiretight._core.context.settings cimport Settings


cdef int load_dh_params(Context context, object path) except -1
cdef int check_strength(Context context, Credential credential) except -1   # of the certificates
cdef int check_pair(Context context, Credential credential) except -1
cdef int put_credential(Context context, Settings settings, object credential) except -1
cdef int put_credentials(Context context, Settings settings, object credentials) except -1
cdef bytes kind_of(Credential credential)
