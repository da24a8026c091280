"""Password: what decrypts a private key."""


cdef class Password:
    cdef object source
    cdef object error       # the exception that getting it raised
    cdef bint is_missing    # OpenSSL asked for it, and there is none
    cdef bint was_given     # OpenSSL asked for it, and got it


cdef Password standard_password(object source)      # of the types that `ssl` accepts
cdef Password any_password(object source)           # or any bytes-like one
# The first two are OpenSSL's pem_password_cb; inside the gate
cdef int on_password(char *buffer, int size, int writing, void *password) noexcept nogil
cdef int no_password(char *buffer, int size, int writing, void *unused) noexcept nogil
cdef int ask_password(char *buffer, int size, Password password) noexcept     # its length, or -1
cdef int raise_password_error(Password password) except -1
cdef str password_reason(Password password)         # why a key could not be read, to end a sentence; may be empty
