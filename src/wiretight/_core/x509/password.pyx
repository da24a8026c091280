"""Password: what decrypts a private key.

It goes straight into OpenSSL's buffer, which OpenSSL overwrites: nothing here keeps a copy.
"""

cimport cython
from cpython.buffer cimport PyObject_CheckBuffer
from libc.string cimport memcpy

from wiretight._core.base.errors cimport forget_errors
from wiretight._core.base.coroutines cimport no_coroutine
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.x509.octets cimport Octets, octets_of_text


@cython.final
cdef class Password:
    """A password, or a callable that is called only if the key is encrypted; or None."""


cdef Password standard_password(object source):
    if not isinstance(source, (str, bytes, bytearray)):
        check_callable(source)
    return password_from(source)


cdef Password any_password(object source):
    if not isinstance(source, str) and not PyObject_CheckBuffer(source):
        check_callable(source)
    return password_from(source)


cdef int check_callable(object source) except -1:
    if source is not None and not callable(source):
        raise TypeError("password should be a string or callable")
    return 0


cdef Password password_from(object source):
    cdef Password password = Password.__new__(Password)
    password.source = source
    return password


cdef int on_password(char *buffer, int size, int writing, void *password) noexcept nogil:
    """Called inside the gate, where no thread may wait for the GIL.

    OpenSSL: pem_password_cb(3)
    """
    cdef int length
    wt_gate_leave(password)
    with gil:
        length = ask_password(buffer, size, <Password>password)
    wt_gate_enter(password)
    return length


cdef int ask_password(char *buffer, int size, Password password) noexcept:
    cdef Octets secret
    if password.error is not None:      # OpenSSL tries another way to read the key, and asks again
        return -1
    if password.source is None:
        password.is_missing = True
        return -1
    try:
        answer = no_coroutine(password.source(), "password") if callable(password.source) else password.source
        try:
            secret = octets_of_text(answer, "", "")
        except TypeError:
            raise TypeError("password callback must return a string") from None
        if secret.length > size:
            raise ValueError(f"password cannot be longer than {size} bytes")
        memcpy(buffer, secret.data, secret.length)
        password.was_given = True
        return <int>secret.length
    except BaseException as error:
        password.error = error
        return -1


cdef int raise_password_error(Password password) except -1:
    """Raises the exception of the callable, instead of OpenSSL's error about it."""
    if password.error is not None:
        forget_errors()
        raise password.error
    return 0


cdef str password_reason(Password password):
    if password.is_missing:
        return ": it is encrypted, and no password was given"
    return ": the password does not decrypt it" if password.was_given else ""


cdef int no_password(char *buffer, int size, int writing, void *unused) noexcept nogil:
    """Without a callback, OpenSSL prompts at the terminal or reads standard input: a server would hang.

    OpenSSL: pem_password_cb(3)
    """
    return -1
