"""Verification: the one callback that OpenSSL has for a peer's certificates, and the program's behind it.

It is part of every context, because no chain is accepted without it (see trust/verification.pyx). Python runs only for
a `verify_callback`, and once for a chain that is refused, to keep what the exception will tell of it.
"""

from libc.string cimport memset

from wiretight._core.base.coroutines cimport no_coroutine, no_coroutine_function
from wiretight._core.base.errors cimport forget_errors
from wiretight._core.callbacks.failures cimport FAILS_VERB, call_python, callable_or_none, subject_of
from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.context cimport settings_of, update_settings
from wiretight._core.context.settings cimport Settings, policy_of
from wiretight._core.openssl.ssl cimport (
    SSL, SSL_CTX_set_cert_verify_callback, SSL_VERIFY_PEER, SSL_get0_session, SSL_get_app_data,
    SSL_get_ex_data_X509_STORE_CTX_idx, SSL_get_verify_mode, SSL_is_server, SSL_version, TLS1_3_VERSION,
)
from wiretight._core.openssl.x509 cimport (
    X509_STORE_CTX, X509_STORE_CTX_get0_chain, X509_STORE_CTX_get_ex_data, X509_STORE_CTX_set_error,
    X509_V_ERR_APPLICATION_VERIFICATION, X509_V_ERR_OUT_OF_MEM,
)
from wiretight._core.session.expiry cimport keep_end
from wiretight._core.trust.verification cimport (
    Findings, Tolerance, Verification, forget_findings, verification_of, verify, verify_tolerantly,
)


# --- Settings --------------------------------------------------------------------------------------------------------
cdef int install(Context context) noexcept:
    """OpenSSL: SSL_CTX_set_cert_verify_callback(3)"""
    SSL_CTX_set_cert_verify_callback(context.ctx, on_certificates, NULL)
    return 0


cdef int set_verify_callback(Context context, object callback) except -1:
    callable_or_none(callback, f"verify_callback must be callable or None, not {type(callback).__name__}")
    return update_settings(context, put_verify_callback, no_coroutine_function(callback, "verify_callback"))


cdef int put_verify_callback(Context _, Settings settings, object callback) except -1:
    if callback is not None and not settings.values.verify_mode & SSL_VERIFY_PEER:
        raise ValueError(
            "verify_callback needs a verification: set verify_mode to CERT_REQUIRED or CERT_OPTIONAL before it"
        )
    settings.values.has_verify_callback = callback is not None
    settings.keep("verify_callback", callback)
    settings.policy = policy_of(settings)
    return 0


cdef int set_policy_id(Context context, object policy_id) except -1:
    if policy_id is not None and not isinstance(policy_id, bytes):
        raise TypeError(f"policy_id must be bytes or None, not {type(policy_id).__name__}")
    if policy_id == b"":
        raise ValueError("policy_id must not be empty: use None for no policy_id")
    return update_settings(context, put_policy_id, policy_id)


cdef int put_policy_id(Context _, Settings settings, object policy_id) except -1:
    settings.policy_id = policy_id
    settings.policy = policy_of(settings)
    return 0


cdef object verify_callback(Context context):
    return settings_of(context).kept.get("verify_callback")


cdef object policy_id(Context context):
    return settings_of(context).policy_id


# --- A handshake -----------------------------------------------------------------------------------------------------
cdef struct Case:
    X509_STORE_CTX *check
    Findings findings
    bint is_over                # it is refused, and the callback is not asked
    Tolerance tolerance         # the callback's answer
    int code                    # X509_V_ERR_* if it is refused


cdef int on_certificates(X509_STORE_CTX *check, void *_) noexcept nogil:
    """1 accepts the certificates of the peer, 0 ends the handshake, unless it verifies nobody (CERT_NONE).

    OpenSSL: SSL_CTX_set_cert_verify_callback(3)
    """
    cdef SSL *ssl = <SSL *>X509_STORE_CTX_get_ex_data(check, SSL_get_ex_data_X509_STORE_CTX_idx())
    cdef void *connection = SSL_get_app_data(ssl)
    cdef Case case
    cdef bint is_valid = verify(check, &(<Connection>connection).settings.values, &case.findings)
    if SSL_get_verify_mode(ssl) & SSL_VERIFY_PEER:
        if not is_valid or (<Connection>connection).settings.values.has_verify_callback:
            is_valid = consider(check, connection, &case)
        is_valid = is_valid and keep_end_of_peer(check, ssl)
    forget_findings(&case.findings)
    return is_valid


cdef bint keep_end_of_peer(X509_STORE_CTX *check, SSL *ssl) noexcept nogil:
    """For the session of this handshake, which nobody else has yet; on a server of TLS 1.3, that is no matter before
    its tickets: see callbacks/serversessions.pyx.

    OpenSSL: SSL_get_session(3), X509_STORE_CTX_get0_chain(3)
    """
    if SSL_is_server(ssl) and SSL_version(ssl) >= TLS1_3_VERSION:
        return True
    if keep_end(SSL_get0_session(ssl), X509_STORE_CTX_get0_chain(check)):
        return True
    X509_STORE_CTX_set_error(check, X509_V_ERR_OUT_OF_MEM)
    return False


cdef bint consider(X509_STORE_CTX *check, void *connection, Case *case) noexcept nogil:
    """What the callback makes of it; without one, or for a verification that failed by itself, it stays refused."""
    case.check = check
    case.is_over = not (<Connection>connection).settings.values.has_verify_callback or case.findings.is_fault
    if not judged(connection, case):
        return False
    if case.findings.count:
        forget_findings(&case.findings)
        if not verify_tolerantly(check, &case.tolerance, &case.findings):
            case.is_over = True
            return judged(connection, case)
    forget_errors()     # of what was tolerated, and of the callback: not this handshake's
    return True


cdef bint judged(void *connection, Case *case) noexcept nogil:
    """OpenSSL: X509_STORE_CTX_set_error(3)"""
    cdef int judgement
    memset(&case.tolerance, 0, sizeof(Tolerance))
    case.code = case.findings.found[0].code if case.findings.count else X509_V_ERR_APPLICATION_VERIFICATION
    judgement = call_python(connection, NULL, judge, case, FAILS_VERB)
    if judgement <= 0:
        X509_STORE_CTX_set_error(case.check, case.code)
    return judgement > 0


cdef int judge(Connection connection, object _, void *argument) except -1:
    """1 where the callback accepts the chain, tolerating all of its errors or having met none; 0 where it is refused.
    """
    cdef Case *case = <Case *>argument
    cdef Verification verification = verification_of(case.check, &case.findings, connection.server_hostname)
    cdef bint has_failed = True
    try:
        if not case.is_over:
            ask(connection, verification)
        has_failed = False
    except BaseException as error:
        if error is not verification.raised:
            raise
        has_failed = False
    finally:
        verification.conclude(has_failed)
        if verification.refusal:
            connection.refused = verification
            case.code = verification.refusal[0].code
    case.tolerance = verification.tolerance
    return 0 if verification.refusal else 1


cdef int ask(Connection connection, Verification verification) except -1:
    subject = subject_of(connection)
    if subject is None:
        raise ReferenceError("the connection is gone, and verify_callback cannot be asked about it")
    answer = no_coroutine(connection.settings.kept["verify_callback"](subject, verification), "verify_callback")
    if answer is None:
        return 0
    raise TypeError(
        f"verify_callback must return None, not {type(answer).__name__}: use refuse() and tolerate() of its argument"
    )
