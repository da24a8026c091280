"""Tables about the OpenSSL in use; a name that its headers do not define is NULL."""

cdef const char *reason_name(int lib, int reason) noexcept nogil
cdef const char *library_name(int lib) noexcept nogil
