"""The random generator of OpenSSL, which makes the keys of every connection."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer

from libc.limits cimport INT_MAX

from wiretight._core.base.errors cimport check, forget_errors
from wiretight._core.base.mutex cimport wt_gate_at_thread_end
from wiretight._core.openssl.crypto cimport RAND_bytes as fill, RAND_add as add, RAND_status as status


def RAND_bytes(Py_ssize_t n, /):
    """`n` random bytes, strong enough for keys. Prefer Python's `secrets` in new code.

    Raises ValueError for a negative number, OverflowError for one above 2**31 - 1, SSLError if the system provides no
    randomness. Since 0.1.

    OpenSSL: RAND_bytes(3)
    """
    cdef bytearray result
    if n < 0:
        raise ValueError("num must be positive")
    if n > INT_MAX:
        raise OverflowError(f"at most {INT_MAX} bytes at once")
    result = bytearray(n)
    if n:
        forget_errors()
        check(fill(<unsigned char *><char *>result, <int>n))
    return bytes(result)


def RAND_add(string, double entropy, /):
    """Mixes `string`, str or bytes-like, into the generator's state, and credits it with `entropy` bytes.

    The generator seeds itself even without it. Since 0.1. OpenSSL: RAND_add(3)
    """
    cdef Py_buffer view
    wt_gate_at_thread_end()
    PyObject_GetBuffer(string.encode() if isinstance(string, str) else string, &view, PyBUF_SIMPLE)
    try:
        add(view.buf, <int>min(view.len, <Py_ssize_t>INT_MAX), entropy)
    finally:
        PyBuffer_Release(&view)


def RAND_status():
    """Whether the generator has been seeded: always true on a working system. Since 0.1.

    OpenSSL: RAND_status(3)
    """
    wt_gate_at_thread_end()
    return bool(status())
