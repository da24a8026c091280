"""Addition: certificates and CRLs, or a directory of them, that were added to a trust, and where they are from."""

cimport cython

from wiretight._core.base.files cimport absolute, file_content, working_directory
from wiretight._core.context.settings cimport Trust
from wiretight._core.openssl.x509 cimport X509_CRL_free, X509_free, sk_X509_CRL_pop_free, sk_X509_pop_free
from wiretight._core.trust.bundle cimport bundle_of
from wiretight._core.trust.trustedfile cimport trusted_file
from wiretight._core.x509.crl cimport parse_crls
from wiretight._core.x509.pem cimport parse_data

from wiretight._standard.system import os


@cython.final
cdef class Addition:
    """One of those that a trust is made of. It never changes."""


cdef Addition addition(Bundle bundle, bytes directory, tuple origin):
    cdef Addition made = Addition.__new__(Addition)
    made.bundle = bundle
    made.directory = directory
    made.origin = origin
    return made


cdef Addition of_file(object path, str argument):
    return addition(trusted_file(path, argument), None, ("file", absolute(path, working_directory()), None))


cdef Addition of_crl_file(object path):
    cdef Addition made = of_data(None, file_content(path, "path"), repr(os.fspath(path)))
    made.origin = ("crl_file", absolute(path, working_directory()), None)
    return made


cdef Addition of_directory(bytes path):
    cdef list each = []
    cdef str folder = working_directory()
    # A colon separates several.
    for name in path.split(b":"):
        each.append(absolute(name, folder) if name else "")
    return addition(None, path, ("directory", ":".join(each), None))


cdef Addition of_default_places(Bundle bundle, bytes directory):
    return addition(bundle, directory, ("default", None, None))


cdef Addition of_memory(stack_st_X509 *certificates, stack_st_X509_CRL *crls):
    return addition(bundle_of(certificates, crls), None, None)


cdef Addition of_data(object certificates, object crls, str argument):
    cdef stack_st_X509 *x509s = NULL
    cdef stack_st_X509_CRL *lists = NULL
    try:
        if certificates is not None:
            x509s = parse_data(certificates)
        if crls is not None:
            lists = parse_crls(crls, argument)
        return of_memory(x509s, lists)
    finally:
        sk_X509_pop_free(x509s, X509_free)
        sk_X509_CRL_pop_free(lists, X509_CRL_free)


def loads_of(Trust trust not None, /):
    """How `trust` came about, for load_again(): (its additions, whether its CRLs need no VERIFY_CRL_CHECK_LEAF).

    Each addition is a triple: ("file", path, None), ("crl_file", path, None), ("directory", paths, None),
    ("default", None, None), or ("memory", certificates, CRLs): in DER, one after the other, or None. Since 0.1.
    """
    cdef Addition each
    cdef list loads = []
    for each in trust.additions:
        loads.append(each.origin or ("memory", *each.bundle.encodings()))
    return loads, bool(trust.checks_crls)
