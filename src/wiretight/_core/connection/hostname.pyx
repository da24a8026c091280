"""Host name: how the name of a server goes over the wire."""


cdef str a_label(object hostname):
    """As it goes over the wire and into the certificate check: an IDNA 2003 A-label, its case kept.

    Bytes are one already. Raises UnicodeError for what cannot be encoded.
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
    """Whether IDNA leaves it as it is: the codec costs as much as the rest of making a connection."""
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
