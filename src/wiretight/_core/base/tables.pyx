"""The constants, features, error mnemonics and version of the OpenSSL in use.

The tables are generated from OpenSSL's headers when the package is built (tools/openssl_tables.py).
"""

cdef extern from *:
    """
    #define WT_TABLES
    #ifdef WIRETIGHT_STATIC_OPENSSL
    #define WT_STATIC 1
    #else
    #define WT_STATIC 0
    #endif
    """
    enum: _STATIC "WT_STATIC"

cdef extern from "openssl_tables.h":
    ctypedef struct wt_constant:
        const char *name
        long long value

    ctypedef struct wt_feature:
        const char *name
        bint value

    const wt_constant *wt_constants
    const wt_feature *wt_features
    const char *wt_reason_name(int lib, int reason) nogil
    const char *wt_library_name(int lib) nogil

cdef extern from "openssl/crypto.h":
    enum: _VERSION_TEXT "OPENSSL_VERSION"
    const char *OpenSSL_version(int part)
    unsigned long OpenSSL_version_num()


cdef const char *reason_name(int lib, int reason) noexcept nogil:
    return wt_reason_name(lib, reason)


cdef const char *library_name(int lib) noexcept nogil:
    return wt_library_name(lib)


cdef dict _constants():
    cdef dict named = {}
    cdef const wt_constant *entry = wt_constants
    while entry.name != NULL:
        named[entry.name.decode("ascii")] = entry.value
        entry += 1
    return named


cdef dict _features():
    cdef dict named = {}
    cdef const wt_feature *entry = wt_features
    while entry.name != NULL:
        named[entry.name.decode("ascii")] = bool(entry.value)
        entry += 1
    return named


def library_of(int lib):
    """The name of an OpenSSL library number as SSLError.library has it ("SSL", "X509"), or None. Since 0.1."""
    cdef const char *name = wt_library_name(lib)
    return None if name == NULL else name.decode("ascii")


def reason_of(int lib, int reason):
    """The mnemonic of an OpenSSL error as SSLError.reason has it ("BAD_WRITE_RETRY"), or None. Since 0.1."""
    cdef const char *name = wt_reason_name(lib, reason)
    return None if name == NULL else name.decode("ascii")


cdef tuple _version_info(unsigned long number):
    return (number >> 28 & 0xFF, number >> 20 & 0xFF, number >> 12 & 0xFF, number >> 4 & 0xFF, number & 0xF)


CONSTANTS = _constants()
FEATURES = _features()

# Of the loaded library, which may be newer than the headers.
OPENSSL_VERSION = OpenSSL_version(_VERSION_TEXT).decode("ascii")
OPENSSL_VERSION_NUMBER = OpenSSL_version_num()
OPENSSL_VERSION_INFO = _version_info(OPENSSL_VERSION_NUMBER)

# Whether it is wiretight's own, linked into the core, and not the system's.
OPENSSL_STATIC = bool(_STATIC)
