"""PEM: reads certificates, CRLs and parameters from text.

OpenSSL reads without the GIL, inside the gate that a fork closes (see mutex.h).
"""

from wiretight._core.base.errors cimport (
    check_memory, forget_errors, queue_cause, queue_exception, raise_queue, ssl_error,
)
from wiretight._core.base.mutex cimport wt_gate_enter, wt_gate_leave
from wiretight._core.openssl.bio cimport BIO, BIO_eof, BIO_free, BIO_get_mem_data
from wiretight._core.openssl.crypto cimport OPENSSL_free
from wiretight._core.openssl.err cimport (
    ERR_GET_LIB, ERR_GET_REASON, ERR_LIB_PEM, ERR_LIB_X509, ERR_PACK, ERR_R_PEM_LIB, ERR_peek_last_error,
)
from wiretight._core.openssl.evp cimport EVP_PKEY_free, EVP_PKEY_is_a
from wiretight._core.openssl.pem cimport (
    PEM_R_NO_START_LINE, PEM_X509_INFO_read_bio, PEM_bytes_read_bio, PEM_read_bio_Parameters, PEM_read_bio_X509,
    PEM_read_bio_X509_AUX,
)
from wiretight._core.openssl.x509 cimport (
    X509_free, d2i_X509_bio, sk_X509_new_null, sk_X509_num, sk_X509_pop_free, sk_X509_push,
)
from wiretight._core.x509.octets cimport Octets, content_bio, octets_of, octets_of_text
from wiretight._core.x509.password cimport no_password, on_password, raise_password_error
from wiretight._core.x509.privatekey cimport raise_unreadable

from wiretight._standard.errors import SSLError

# How reading one certificate after another ended.
cdef enum:
    OUT_OF_MEMORY = -1      # for the list
    BROKEN = 0              # OpenSSL's queue has the reason
    COMPLETE = 1


# --- certificates ----------------------------------------------------------------------------------------------------
cdef bint at_end_of_pem() noexcept nogil:
    """Whether the last read reached the end, which OpenSSL reports as "no start line", without an error before it.

    OpenSSL: ERR_peek_last_error(3)
    """
    cdef unsigned long code = ERR_peek_last_error()
    return ERR_GET_LIB(code) == ERR_LIB_PEM and ERR_GET_REASON(code) == PEM_R_NO_START_LINE


cdef int append_pem(stack_st_X509 *certificates, BIO *bio) noexcept nogil:
    """OpenSSL: PEM_read_bio_X509(3)"""
    cdef X509 *x509 = PEM_read_bio_X509(bio, NULL, no_password, NULL)
    while x509 != NULL:
        if not append(certificates, x509):
            return OUT_OF_MEMORY
        x509 = PEM_read_bio_X509(bio, NULL, no_password, NULL)
    return COMPLETE if at_end_of_pem() else BROKEN


cdef int append_der(stack_st_X509 *certificates, BIO *bio) noexcept nogil:
    """OpenSSL: d2i_X509_bio(3)"""
    cdef X509 *x509
    while True:
        x509 = d2i_X509_bio(bio, NULL)
        if x509 == NULL:
            return BROKEN
        if not append(certificates, x509):
            return OUT_OF_MEMORY
        if BIO_eof(bio):
            return COMPLETE


cdef bint append(stack_st_X509 *certificates, X509 *x509) noexcept nogil:
    """Takes ownership of the reference."""
    if certificates != NULL and sk_X509_push(certificates, x509) > 0:
        return True
    X509_free(x509)
    return False


cdef X509 *read_certificate(bytes content) except NULL:
    """The first certificate of a PEM file.

    OpenSSL: PEM_read_bio_X509(3)
    """
    cdef BIO *bio = content_bio(content, len(content))
    cdef X509 *x509
    with nogil:
        wt_gate_enter(<void *>content)
        forget_errors()
        x509 = PEM_read_bio_X509(bio, NULL, no_password, NULL)
        BIO_free(bio)
        wt_gate_leave(<void *>content)
    if x509 == NULL:
        check_memory()
        raise SSLError("Error decoding PEM-encoded file")
    return x509


cdef stack_st_X509 *read_chain(bytes content, Password password, object path) except NULL:
    """The certificates of a PEM file in its order, at least one.

    OpenSSL: PEM_read_bio_X509_AUX(3)
    """
    cdef BIO *bio = content_bio(content, len(content))
    cdef stack_st_X509 *chain
    cdef X509 *x509
    cdef int ending = BROKEN
    with nogil:
        wt_gate_enter(<void *>password)
        chain = sk_X509_new_null()
        # Only the first may have trust settings, or need a password.
        x509 = PEM_read_bio_X509_AUX(bio, NULL, on_password, <void *>password)
        if x509 != NULL:
            ending = append_pem(chain, bio) if append(chain, x509) else OUT_OF_MEMORY
        BIO_free(bio)
        wt_gate_leave(<void *>password)
    try:
        raise_password_error(password)
        if chain == NULL or ending == OUT_OF_MEMORY:
            forget_errors()
            raise MemoryError
        if sk_X509_num(chain) == 0:
            raise_unreadable("certificate", path, password)
        if ending == BROKEN and ERR_peek_last_error():
            raise_queue()
        if ending == BROKEN:    # `ssl` has an error without a reason
            raise ssl_error(
                PEM_R_NO_START_LINE, ERR_PACK(ERR_LIB_PEM, 0, PEM_R_NO_START_LINE),
                f"no start line: a certificate in {path!r} is empty",
            )
    except BaseException:
        sk_X509_pop_free(chain, X509_free)
        raise
    forget_errors()
    return chain


cdef stack_st_X509_INFO *read_entries(bytes content) except NULL:
    """The entries of a PEM file, certificates and CRLs among them; maybe none.

    OpenSSL: PEM_X509_INFO_read_bio(3), which decides as at_end_of_pem() does
    """
    cdef BIO *bio = content_bio(content, len(content))
    cdef stack_st_X509_INFO *entries
    with nogil:
        wt_gate_enter(<void *>content)
        forget_errors()
        entries = PEM_X509_INFO_read_bio(bio, NULL, no_password, NULL)
        BIO_free(bio)
        wt_gate_leave(<void *>content)
    if entries == NULL:
        cause = queue_cause()
        raise ssl_error(ERR_R_PEM_LIB, ERR_PACK(ERR_LIB_X509, 0, ERR_R_PEM_LIB)) from cause
    return entries


cdef stack_st_X509 *parse_data(object cadata) except NULL:
    """The certificates of a PEM str, or of concatenated DER bytes; at least one."""
    if not isinstance(cadata, str):
        return parse_der(cadata, "cadata", "an ASCII string or a bytes-like object")
    if not cadata.isascii():
        raise TypeError("cadata should be an ASCII string or a bytes-like object")
    return parse_pem(cadata, "cadata")


cdef stack_st_X509 *parse_pem(object data, str argument) except NULL:
    cdef Octets octets = octets_of_text(data, argument, "a string or a bytes-like object")
    return parse_sequence(octets.data, octets.length, True, argument)


cdef stack_st_X509 *parse_der(object data, str argument, str expected="a bytes-like object") except NULL:
    cdef Octets octets = octets_of(data, argument, expected)
    return parse_sequence(octets.data, octets.length, False, argument)


cdef stack_st_X509 *parse_sequence(
    const unsigned char *data, Py_ssize_t length, bint is_pem, str argument
) except NULL:
    cdef stack_st_X509 *certificates
    cdef BIO *bio
    cdef int ending
    if length == 0:
        raise ValueError("Empty certificate data")
    bio = content_bio(data, length)
    with nogil:
        wt_gate_enter(data)
        certificates = sk_X509_new_null()
        forget_errors()
        ending = append_pem(certificates, bio) if is_pem else append_der(certificates, bio)
        BIO_free(bio)
        wt_gate_leave(data)
    if certificates != NULL and ending == COMPLETE and sk_X509_num(certificates):
        forget_errors()
        return certificates
    if certificates == NULL or ending == OUT_OF_MEMORY:
        forget_errors()
        error = MemoryError()
    elif sk_X509_num(certificates) and not ERR_peek_last_error():
        # An empty block, or OpenSSL had no memory to say so: what follows is not known to be nothing.
        error = ssl_error(
            PEM_R_NO_START_LINE, ERR_PACK(ERR_LIB_PEM, 0, PEM_R_NO_START_LINE),
            f"no start line: {argument} has an empty block",
        )
    else:
        error = queue_exception()
        if sk_X509_num(certificates) == 0 and not isinstance(error, MemoryError):
            reason = "no start line" if is_pem else "not enough data"
            error = ssl_error(0, 0, f"{reason}: {argument} does not contain a certificate")
    sk_X509_pop_free(certificates, X509_free)
    raise error


# --- parameters ----------------------------------------------------------------------------------------------------
cdef tuple DH_BLOCKS = (b"-----BEGIN DH PARAMETERS-----", b"-----BEGIN X9.42 DH PARAMETERS-----")


cdef EVP_PKEY *read_dh_parameters(bytes content, object path) except NULL:
    """The first Diffie-Hellman parameters of a PEM file.

    OpenSSL: PEM_read_bio_Parameters(3)
    """
    cdef BIO *bio
    cdef EVP_PKEY *parameters
    # OpenSSL would accept the first parameters of any kind, or fail at a certificate.
    content = content[first_line_of(content, DH_BLOCKS):end_of_dh_block(content)]
    bio = content_bio(content, len(content))
    with nogil:
        wt_gate_enter(<void *>content)
        parameters = PEM_read_bio_Parameters(bio, NULL)
        BIO_free(bio)
        wt_gate_leave(<void *>content)
    if parameters != NULL and (EVP_PKEY_is_a(parameters, "DH") or EVP_PKEY_is_a(parameters, "DHX")):
        return parameters
    EVP_PKEY_free(parameters)
    raise ssl_error(
        PEM_R_NO_START_LINE, ERR_PACK(ERR_LIB_PEM, 0, PEM_R_NO_START_LINE),
        f"no start line: no Diffie-Hellman parameters could be read from {path!r}",
    ) from queue_cause()


cdef Py_ssize_t end_of_dh_block(bytes content) except -1:
    """Where the first block of parameters ends, or 0. A broken block before it is an error, as in `ssl`.

    OpenSSL: PEM_bytes_read_bio(3)
    """
    cdef BIO *bio = content_bio(content, len(content))
    cdef unsigned char *octets = NULL
    cdef char *rest = NULL
    cdef long length, left
    cdef bint found
    with nogil:
        wt_gate_enter(<void *>content)
        forget_errors()
        found = PEM_bytes_read_bio(&octets, &length, NULL, "DH PARAMETERS", bio, no_password, NULL)
        left = BIO_get_mem_data(bio, &rest)
        BIO_free(bio)
        wt_gate_leave(<void *>content)
    if found:
        OPENSSL_free(octets)
        return len(content) - left
    if ERR_peek_last_error() and not at_end_of_pem():
        raise_queue()
    return 0


cdef Py_ssize_t first_line_of(bytes content, tuple lines):
    """The offset of the first of these lines, or the length of the content."""
    cdef Py_ssize_t at = 0
    while at < len(content):
        if content.startswith(lines, at):
            return at
        at = content.find(b"\n", at) + 1 or len(content)
    return at
