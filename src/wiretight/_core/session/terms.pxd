"""Terms: the conditions of a session, which a connection must share to resume it."""

from wiretight._core.context.settings cimport Settings, Trust
from wiretight._core.openssl.ssl cimport SSL


cdef class Terms:
    cdef bytes text             # all that is known without a look at what was loaded
    cdef Trust trust            # that verifies the peer; None: nobody is verified
    cdef tuple credentials      # that the peer may have verified
    cdef bytes digest           # once somebody has asked


cdef Terms terms_of(SSL *ssl, Settings settings, str server_name)
cdef bytes digest_of(Terms terms)                           # equal for equal terms, in any process
cdef bint are_equal(Terms ours, Terms theirs) except -1     # False if one of them is None
