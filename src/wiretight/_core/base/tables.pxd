"""Tables about the OpenSSL in use; names are NULL where OpenSSL's headers have none."""

cdef const char *reason_name(int lib, int reason) noexcept nogil
cdef const char *library_name(int lib) noexcept nogil
