"""C strings for OpenSSL, encoded from str."""


cdef inline bytes c_string(str text):
    """Raises ValueError for an embedded null character, which would end the string in C."""
    cdef bytes encoded = text.encode()
    if b"\0" in encoded:
        raise ValueError("embedded null character")
    return encoded
