"""CertFiles: the files that a credential was loaded from, to be read again when they have changed."""

from wiretight._core.context.context cimport Context


cdef int load_cert_chain(Context context, object certfile, object keyfile, object password) except -1
# Whether later connections get another pair; without `force` only if the files have changed, and without `at_once` only
# if nobody is likely to be writing them still.
cdef bint renew_credentials(Context context, bint force, bint at_once) except -1
