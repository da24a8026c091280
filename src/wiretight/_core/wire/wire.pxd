"""Wire: the BIO of a connection. It alone moves ciphertext, and it alone waits."""

from libc.stdint cimport int64_t

from wiretight._core.base.errors cimport Failure
from wiretight._core.openssl.bio cimport BIO
from wiretight._core.wire.incoming cimport Incoming


# How a wait ended.
cdef enum Wake:
    READY
    TIMED_OUT
    INTERRUPTED


cdef class Wire(Incoming):
    cdef BIO *bio

    cdef void begin(self) noexcept nogil
    cdef Wake wait(self, bint for_write, int64_t deadline) noexcept nogil
    cdef Wake wait_for_watcher(self, int64_t deadline) noexcept nogil

    # What only a Tunnel has to tell
    cdef void explain(self, Failure *failure) noexcept nogil
    cdef void notify_outwards(self) noexcept nogil
