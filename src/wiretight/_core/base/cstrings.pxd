"""C strings: what OpenSSL takes as one, of a str."""


cdef inline bytes c_string(str text):
    """Raises ValueError for an embedded null character, where C would see the end."""
    cdef bytes encoded = text.encode()
    if b"\0" in encoded:
        raise ValueError("embedded null character")
    return encoded
