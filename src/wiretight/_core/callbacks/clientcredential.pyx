"""Client credential: the callback that chooses what a client shows to a server which asks for a certificate."""

cimport cython

from wiretight._core.callbacks.failures cimport FAILS_VERB, call_python, callable_or_none
from wiretight._core.callbacks.suspension cimport PENDING, SUSPENDED, decision
from wiretight._core.connection.connection cimport Connection
from wiretight._core.connection.peer cimport ca_names_of
from wiretight._core.connection.virtualhost cimport choose_credential
from wiretight._core.context.context cimport Context, settings_of, update_settings
from wiretight._core.context.material cimport Credential
from wiretight._core.context.settings cimport Hook, Settings, policy_of
from wiretight._core.context.versions cimport PROTOCOL_TLS_SERVER
from wiretight._core.openssl.ssl cimport SSL, SSL_get_app_data, SSL_get_sigalgs, SSL_set_cert_cb

from collections import namedtuple

cdef enum:
    FAILED_CALLBACK = 0     # what SSL_set_cert_cb(3) documents
    GOES_ON = 1
    IS_SUSPENDED = -1

CertificateRequest = namedtuple("CertificateRequest", ("ca_names", "signature_algorithms"))
CertificateRequest.__module__ = "wiretight"
CertificateRequest.__doc__ = """What a server says of the certificate that it asks a client for. Since 0.1.

Source: RFC 8446, section 4.3.2; RFC 5246, section 7.4.4. OpenSSL: SSL_get0_peer_CA_list(3), SSL_get_sigalgs(3)
"""
CertificateRequest.ca_names.__doc__ = (
    "The issuers that it trusts, each the DER of a distinguished name: a tuple; () if it names none. Since 0.1.")
CertificateRequest.signature_algorithms.__doc__ = (
    "The algorithms that it accepts, the preferred first: a tuple of IANA's numbers. Since 0.1.")


def set_client_credential_callback(Context context not None, callback, /):
    """Sets it, or None. Raises TypeError if it is not callable, ValueError for a server's context. Since 0.1.

    OpenSSL: SSL_set_cert_cb(3)
    """
    callable_or_none(callback, f"client_credential_callback must be callable or None, not {type(callback).__name__}")
    if callback is not None and context._protocol == PROTOCOL_TLS_SERVER:
        raise ValueError("client_credential_callback is for clients: it needs a context made with PROTOCOL_TLS_CLIENT")
    update_settings(context, put_callback, callback)


cdef int put_callback(Context _, Settings settings, object callback) except -1:
    if settings.kept.get("client_credential_callback") is callback:
        return 0
    settings.values.has_credential_callback = callback is not None
    settings.policy = policy_of(settings)   # a server would know by an earlier session whom it was made with
    settings.hook(CREDENTIAL, callback is not None)
    return settings.keep("client_credential_callback", callback)


def client_credential_callback(Context context not None, /):
    """It, or None. Since 0.1."""
    return settings_of(context).kept.get("client_credential_callback")


@cython.final
cdef class CredentialHook(Hook):
    cdef bint apply(self, SSL *ssl, bint server_side) noexcept:
        """OpenSSL: SSL_set_cert_cb(3)"""
        if not server_side:
            SSL_set_cert_cb(ssl, on_request, NULL)
        return True


cdef CredentialHook CREDENTIAL = CredentialHook()


cdef int on_request(SSL *ssl, void *_) noexcept nogil:
    """Called once a server has asked for a certificate, and again after a suspension.

    OpenSSL: SSL_set_cert_cb(3)
    """
    cdef void *connection = SSL_get_app_data(ssl)
    cdef int result
    if not (<Connection>connection).settings.values.has_credential_callback:
        return GOES_ON
    result = call_python(connection, "client_credential_callback", consult, ssl, FAILS_VERB)
    if result == SUSPENDED:
        return IS_SUSPENDED
    return GOES_ON if result == GOES_ON else FAILED_CALLBACK


cdef int consult(Connection connection, object callback, void *ssl) except -1:
    request = CertificateRequest(tuple(ca_names_of(connection)), signature_algorithms(<SSL *>ssl))
    answer = decision(connection, "client_credential_callback", callback, request)
    if answer is PENDING:
        return SUSPENDED
    if isinstance(answer, Credential):
        choose_credential(connection, answer)
    elif answer is not None:
        raise TypeError(
            f"client_credential_callback must return a Credential, None or PENDING, not {type(answer).__name__}")
    connection.unbind_sessions()    # whoever resumed it would be taken for the same client, and would not be asked
    return GOES_ON


cdef tuple signature_algorithms(SSL *ssl):
    """OpenSSL: SSL_get_sigalgs(3)"""
    cdef list numbers = []
    cdef unsigned char signature, digest
    cdef int i
    for i in range(SSL_get_sigalgs(ssl, -1, NULL, NULL, NULL, NULL, NULL)):
        if SSL_get_sigalgs(ssl, i, NULL, NULL, NULL, &signature, &digest):
            numbers.append(digest << 8 | signature)
    return tuple(numbers)
