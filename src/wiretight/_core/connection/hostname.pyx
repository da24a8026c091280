"""Host name: how the name of a server goes over the wire."""


cdef str a_label(object hostname):
    """`hostname` as it is sent and compared with certificates: an IDNA 2003 A-label, with its case kept.

    Bytes already are one. Raises UnicodeError if it cannot be encoded.
    """
    if hostname is None:
        return None
    if type(hostname) is str and is_a_label(hostname):
        return hostname
    if isinstance(hostname, str):
        hostname = hostname.encode("idna")
    elif not isinstance(hostname, (bytes, bytearray)):
        raise TypeError(f"server_hostname must be str, bytes or None, not {type(hostname).__name__}")
    if b"\0" in hostname:
        raise TypeError("server_hostname must not contain a null character")
    return bytes(hostname).decode("ascii")


cdef bint is_a_label(str hostname):
    """Whether IDNA would leave it unchanged. The codec costs as much as creating a connection does otherwise."""
    cdef Py_UCS4 letter
    cdef Py_ssize_t length = 0
    for letter in hostname:
        if letter == u".":
            if not 0 < length < 64:
                return False
            length = 0
        elif 0 < letter < 128:
            length += 1
        else:
            return False
    return length < 64
