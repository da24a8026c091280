"""Owner: the way back from an SSL_CTX to its Context, for callbacks to which OpenSSL passes nothing else.

The reference is weak: connections and sessions keep an SSL_CTX alive, but only the program keeps its Context alive. It
exists exactly as long as the SSL_CTX, so that whoever uses that may read it without a lock.
"""

cimport cython
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF
from cpython.weakref cimport PyWeakref_NewRef

from wiretight._core.base.errors cimport check, raise_queue
from wiretight._core.openssl.crypto cimport CRYPTO_EX_DATA
from wiretight._core.openssl.ssl cimport (
    SSL_CTX_free, SSL_CTX_get_ex_data, SSL_CTX_get_ex_new_index, SSL_CTX_set_ex_data, SSL_CTX_up_ref,
)

cdef extern from "references.h":
    object referent "wt_referent"(object reference)

cdef int slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, forget_owner)
if slot < 0:
    raise_queue()


cdef int set_owner(SSL_CTX *ctx, object owner) except -1:
    """Before the SSL_CTX is used for connections, which read this without a lock.

    OpenSSL: SSL_CTX_set_ex_data(3)"""
    cdef PyObject *former = <PyObject *>SSL_CTX_get_ex_data(ctx, slot)
    reference = PyWeakref_NewRef(owner, None)
    check(SSL_CTX_set_ex_data(ctx, slot, <void *>reference))
    Py_INCREF(reference)
    Py_XDECREF(former)
    return 0


cdef object owner_of(const SSL_CTX *ctx):
    """OpenSSL: SSL_CTX_get_ex_data(3)"""
    cdef PyObject *reference = <PyObject *>SSL_CTX_get_ex_data(ctx, slot)
    return None if reference == NULL else referent(<object>reference)


cdef void forget_owner(
    void *parent, void *reference, CRYPTO_EX_DATA *data, int index, long number, void *argument
) noexcept nogil:
    """Called for each SSL_CTX of the process that is freed, by whatever thread, also once the interpreter has ended.

    Only one with a reference, which is ours, may wait for the GIL.

    OpenSSL: CRYPTO_EX_free(3)
    """
    if reference != NULL:
        drop(reference)


cdef void drop(void *reference) noexcept with gil:
    Py_DECREF(<object>reference)


@cython.final
cdef class Handle:
    """An SSL_CTX without its Context. For tests."""

    def __dealloc__(self):
        SSL_CTX_free(self.ctx)

    @property
    def owner(self):
        """The Context, or None once it is gone. Since 0.1.

        OpenSSL: SSL_CTX_get_ex_data(3)
        """
        return None if self.ctx == NULL else owner_of(self.ctx)


cdef Handle handle(SSL_CTX *ctx):
    cdef Handle new_handle = Handle.__new__(Handle)
    check(SSL_CTX_up_ref(ctx))
    new_handle.ctx = ctx
    return new_handle
