"""Text: what a program gives as one, and C strings for OpenSSL, encoded from it."""

from cpython.unicode cimport PyUnicode_FromObject


cdef inline str exact_text(object given, str argument):
    """A str, made of one of a program's own class if need be, which an argument declared as str would refuse.

    Raises TypeError, in Cython's words, for anything else.
    """
    if not isinstance(given, str):
        raise TypeError(f"Argument '{argument}' has incorrect type (expected str, got {type(given).__name__})")
    return PyUnicode_FromObject(given)


cdef inline bytes c_string(str text):
    """Raises ValueError for an embedded null character, which would end the string in C."""
    cdef bytes encoded = text.encode()
    if b"\0" in encoded:
        raise ValueError("embedded null character")
    return encoded
