"""Certificate: one X509, and the PEM files that certificates come from."""

from wiretight._core.openssl.bio cimport BIO
from wiretight._core.openssl.x509 cimport X509, stack_st_X509


cdef class Certificate:
    cdef X509 *x509


cdef Certificate take_certificate(X509 *x509)       # takes the reference over
cdef Certificate borrow_certificate(X509 *x509)     # adds a reference of its own
cdef X509 *owned(X509 *certificate) noexcept nogil                  # with a reference more; as is the next
cdef stack_st_X509 *owned_chain(stack_st_X509 *chain) noexcept nogil
cdef dict decoded(X509 *x509)                       # what getpeercert() returns
cdef bytes der(X509 *x509)
cdef list chain_of(stack_st_X509 *chain)            # of Certificate; [] for NULL

cdef bytes file_content(object path, str argument)  # raises OSError with the file's name, TypeError with `argument`
cdef bytes path_of(object path, str argument)
cdef int opened(object path, str argument) except -1        # raises the same; for close()
cdef bytes content_of(int fd)
cdef BIO *reading(const unsigned char *content, Py_ssize_t length) except NULL      # borrows the bytes

cdef int no_password(char *room, int size, int writing, void *unused) noexcept nogil     # for what has no password
