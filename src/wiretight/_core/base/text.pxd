"""Text: what a program gives as one, and C strings for OpenSSL, encoded from it."""

from cpython.unicode cimport PyUnicode_FromObject


cdef inline str exact_text(object given, str argument):
    """One of a subclass of str, such as a member of an enumeration, as a str: Cython takes no other."""
    if not isinstance(given, str):
        raise TypeError(f"{argument} must be str, not {type(given).__name__}")
    return PyUnicode_FromObject(given)


cdef inline bytes c_string(str text):
    """Raises ValueError for an embedded null character, which would end the string in C."""
    cdef bytes encoded = text.encode()
    if b"\0" in encoded:
        raise ValueError("embedded null character")
    return encoded
