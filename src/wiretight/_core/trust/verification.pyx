"""Verification: how a peer's chain is verified, and what is found wrong with it.

OpenSSL stops at the first error, or asks at each whether to go on. A program that is asked such a question tends to
answer yes. So here it goes on by itself, only to find more, and the chain stays refused; a program sees all findings at
once, and names those that it tolerates. Then the chain is verified from the beginning, as OpenSSL does it, stopping at
whatever was not named.

Whoever connects can send any chain. So a chain with an error is not examined further than it would have been, except
for what costs nothing: its signatures, name constraints and policies have to wait until the errors so far have been
tolerated. OpenSSL itself never looks at them before it has found a trusted root (CVE-2022-3602 was in that code).
"""

cimport cython
from libc.stdint cimport uint64_t
from libc.string cimport memset

from wiretight._core.base.errors cimport raise_queue, verify_message
from wiretight._core.base.text cimport exact_text
from wiretight._core.openssl.x509 cimport (
    X509_NAME_cmp, X509_STORE_CTX_free, X509_STORE_CTX_get0_cert, X509_STORE_CTX_get0_chain, X509_STORE_CTX_get0_param,
    X509_STORE_CTX_get0_store, X509_STORE_CTX_get0_untrusted, X509_STORE_CTX_get1_chain,
    X509_STORE_CTX_get_current_cert, X509_STORE_CTX_get_error, X509_STORE_CTX_get_error_depth,
    X509_STORE_CTX_get_ex_data, X509_STORE_CTX_get_ex_new_index, X509_STORE_CTX_get_verify, X509_STORE_CTX_init,
    X509_STORE_CTX_new, X509_STORE_CTX_set0_verified_chain, X509_STORE_CTX_set_current_cert, X509_STORE_CTX_set_error,
    X509_STORE_CTX_set_error_depth, X509_STORE_CTX_set_ex_data, X509_STORE_CTX_set_verify,
    X509_STORE_CTX_set_verify_cb, X509_VERIFY_PARAM, X509_VERIFY_PARAM_get_flags, X509_VERIFY_PARAM_set1,
    X509_V_ERR_APPLICATION_VERIFICATION, X509_V_ERR_CERT_REJECTED, X509_V_ERR_INVALID_CALL, X509_V_ERR_OUT_OF_MEM,
    X509_V_ERR_STORE_LOOKUP, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_UNSPECIFIED,
    X509_V_FLAG_PARTIAL_CHAIN, X509_V_OK, X509_free, X509_get_issuer_name, X509_get_subject_name, X509_verify_cert,
    sk_X509_num, sk_X509_value, stack_st_X509,
)
from wiretight._core.trust.verifiedchains cimport VerifiedChain, identify, recall, remember
from wiretight._core.x509.certificate cimport Chain, chain_of, owned, share_certificate
from wiretight._core.x509.distrusted cimport is_distrusted

from collections import namedtuple
from operator import index

from wiretight._core.base import tables
from wiretight._standard.errors import SSLCertVerificationError

cdef extern from "compat.h" nogil:
    int wt_date_error(const X509_VERIFY_PARAM *param, const X509 *x509)

# The way from OpenSSL's verification to the findings about it.
cdef int slot = X509_STORE_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL)
if slot < 0:
    raise_queue()


# --- Verifying -------------------------------------------------------------------------------------------------------
cdef bint verify(X509_STORE_CTX *check, const Values *values, Findings *findings) noexcept nogil:
    """Whether the chain is valid, exactly as OpenSSL has it, and without a key that is known to be compromised.

    If it is not, the first finding is the error of `check`, as it would be OpenSSL's; the others come on top.

    OpenSSL: X509_verify_cert(3)
    """
    cdef int valid
    memset(findings, 0, sizeof(Findings))
    if not X509_STORE_CTX_set_ex_data(check, slot, findings):
        X509_STORE_CTX_set_error(check, X509_V_ERR_OUT_OF_MEM)
        findings.is_fault = True
        add_error(findings, check)
        return False
    findings.usual = X509_STORE_CTX_get_verify(check)
    findings.values = values
    X509_STORE_CTX_set_verify(check, verify_signatures)
    X509_STORE_CTX_set_verify_cb(check, on_result)
    valid = X509_verify_cert(check)
    findings.is_fault = valid < 0
    if valid <= 0 and findings.count == 0:
        add_error(findings, check)
    look_for_distrusted(check, findings)
    X509_STORE_CTX_set_ex_data(check, slot, NULL)
    if findings.count:
        put_error(check, &findings.found[0])
    return findings.count == 0


cdef bint verify_tolerantly(X509_STORE_CTX *check, const Tolerance *tolerance, Findings *findings) noexcept nogil:
    """Verifies once more what `check` has verified, past the errors that are tolerated, to the first one that is not.

    OpenSSL: X509_verify_cert(3), X509_VERIFY_PARAM_set1(3)
    """
    cdef X509_STORE_CTX *again = X509_STORE_CTX_new()
    cdef stack_st_X509 *chain
    memset(findings, 0, sizeof(Findings))
    findings.tolerance = tolerance
    if again == NULL or not begin_again(again, check, findings):
        X509_STORE_CTX_set_error(check, X509_V_ERR_OUT_OF_MEM)
        add_error(findings, check)
    elif X509_verify_cert(again) <= 0:
        if findings.count == 0:
            add_error(findings, again)
    else:
        # OpenSSL does not look at the dates of the last certificate of a chain that has no end.
        look_at_dates(again, findings)
        look_for_distrusted(again, findings)
        chain = X509_STORE_CTX_get1_chain(again)
        X509_STORE_CTX_set0_verified_chain(check, chain)
        X509_STORE_CTX_set_error(check, X509_V_OK if chain != NULL else X509_V_ERR_OUT_OF_MEM)
        if chain == NULL:
            add_error(findings, check)
    if findings.count:
        put_error(check, &findings.found[0])
    X509_STORE_CTX_free(again)
    return findings.count == 0


cdef bint begin_again(X509_STORE_CTX *again, X509_STORE_CTX *check, Findings *findings) noexcept nogil:
    """OpenSSL: X509_STORE_CTX_init(3), X509_VERIFY_PARAM_set1(3)"""
    if not X509_STORE_CTX_init(
        again, X509_STORE_CTX_get0_store(check), X509_STORE_CTX_get0_cert(check), X509_STORE_CTX_get0_untrusted(check)
    ):
        return False
    X509_STORE_CTX_set_verify_cb(again, on_result)
    if not X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(again), X509_STORE_CTX_get0_param(check)):
        return False
    return X509_STORE_CTX_set_ex_data(again, slot, findings)


cdef int on_result(int is_good, X509_STORE_CTX *check) noexcept nogil:
    """Called for each certificate that is found good, and for each error; whether to go on.

    OpenSSL: X509_STORE_CTX_set_verify_cb(3)
    """
    cdef Findings *findings = <Findings *>X509_STORE_CTX_get_ex_data(check, slot)
    # Without findings: the chain of a CRL, whose errors are one of the certificate's chain.
    if is_good or findings == NULL:
        return is_good
    if findings.tolerance == NULL or not tolerates(findings.tolerance, X509_STORE_CTX_get_error(check)):
        add_error(findings, check)
        if findings.tolerance != NULL:
            return 0
    # Of a chain that leads to nobody trusted, OpenSSL would tell this error once more, and not that one: build_chain().
    X509_STORE_CTX_set_error(check, X509_V_OK)
    return 1


cdef int verify_signatures(X509_STORE_CTX *check) noexcept nogil:
    """In place of OpenSSL's check of signatures and dates, after which come the name constraints and policies.

    OpenSSL: X509_STORE_CTX_set_verify(3)
    """
    cdef Findings *findings = <Findings *>X509_STORE_CTX_get_ex_data(check, slot)
    cdef int valid = 0
    if findings.count == 0:
        valid = verify_once(check, findings)
    else:
        look_for_issuer(check, findings)
        look_at_dates(check, findings)
    return valid if findings.count == 0 else 0


cdef X509_STORE_CTX_verify_fn openssls_own_check() except NULL:
    """OpenSSL: X509_STORE_CTX_get_verify(3)"""
    cdef X509_STORE_CTX *fresh = X509_STORE_CTX_new()
    cdef X509_STORE_CTX_verify_fn found = NULL
    if fresh != NULL and X509_STORE_CTX_init(fresh, NULL, NULL, NULL):
        found = X509_STORE_CTX_get_verify(fresh)
    X509_STORE_CTX_free(fresh)
    if found == NULL:
        raise_queue()
    return found


# The check of signatures and dates; a store may have another one.
cdef X509_STORE_CTX_verify_fn own_check = openssls_own_check()


cdef int verify_once(X509_STORE_CTX *check, Findings *findings) noexcept nogil:
    """OpenSSL's check of signatures and dates; of a chain that has passed it before, only the dates again.

    What is wrong with a chain is never remembered, nor anything where somebody has replaced OpenSSL's check.

    OpenSSL: X509_STORE_CTX_set_error_depth(3), X509_STORE_CTX_set_current_cert(3)
    """
    cdef VerifiedChain chain
    cdef int valid
    cdef bint may_remember = (
        findings.values.remembers_chains
        and findings.usual == own_check
        and are_dates_good(check)
        and identify(check, findings.values.properties, &chain)
    )
    if may_remember and recall(&chain):
        # As OpenSSL's leaves it. That calls on_result() for each certificate, too, which ignores what is good.
        X509_STORE_CTX_set_error_depth(check, 0)
        X509_STORE_CTX_set_current_cert(check, sk_X509_value(X509_STORE_CTX_get0_chain(check), 0))
        return 1
    valid = findings.usual(check)
    if may_remember and valid == 1 and findings.count == 0 and X509_STORE_CTX_get_error(check) == X509_V_OK:
        remember(&chain)
    return valid


cdef bint are_dates_good(X509_STORE_CTX *check) noexcept nogil:
    """Of all certificates, also the last one of a chain that has no end, at which OpenSSL does not look."""
    cdef stack_st_X509 *chain = X509_STORE_CTX_get0_chain(check)
    cdef int depth
    for depth in range(sk_X509_num(chain)):
        if wt_date_error(X509_STORE_CTX_get0_param(check), sk_X509_value(chain, depth)) != X509_V_OK:
            return False
    return True


cdef void look_for_issuer(X509_STORE_CTX *check, Findings *findings) noexcept nogil:
    """Of a chain of one certificate that is not its own issuer's, no signature can be verified.

    OpenSSL: X509_NAME_cmp(3), X509_VERIFY_PARAM_get_flags(3)
    """
    cdef stack_st_X509 *chain = X509_STORE_CTX_get0_chain(check)
    cdef X509 *leaf = sk_X509_value(chain, 0)
    cdef bint may_be_partial = X509_VERIFY_PARAM_get_flags(X509_STORE_CTX_get0_param(check)) & X509_V_FLAG_PARTIAL_CHAIN
    if sk_X509_num(chain) == 1 and not may_be_partial:
        if X509_NAME_cmp(X509_get_subject_name(leaf), X509_get_issuer_name(leaf)):
            add(findings, X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, 0, leaf)


cdef void look_at_dates(X509_STORE_CTX *check, Findings *findings) noexcept nogil:
    """The issuers' first, as OpenSSL looks at them."""
    cdef stack_st_X509 *chain = X509_STORE_CTX_get0_chain(check)
    cdef int depth = sk_X509_num(chain)
    cdef int code
    while depth > 0:
        depth -= 1
        code = wt_date_error(X509_STORE_CTX_get0_param(check), sk_X509_value(chain, depth))
        if code != X509_V_OK and (findings.tolerance == NULL or not tolerates(findings.tolerance, code)):
            add(findings, code, depth, sk_X509_value(chain, depth))


cdef void look_for_distrusted(X509_STORE_CTX *check, Findings *findings) noexcept nogil:
    """OpenSSL: X509_STORE_CTX_get0_chain(3)"""
    cdef stack_st_X509 *chain = X509_STORE_CTX_get0_chain(check)
    cdef int depth
    for depth in range(sk_X509_num(chain)):
        if is_distrusted(sk_X509_value(chain, depth)):
            add(findings, X509_V_ERR_CERT_REJECTED, depth, sk_X509_value(chain, depth))


# --- Findings --------------------------------------------------------------------------------------------------------
cdef void add_error(Findings *findings, X509_STORE_CTX *check) noexcept nogil:
    """OpenSSL: X509_STORE_CTX_get_error(3), X509_STORE_CTX_get_error_depth(3), X509_STORE_CTX_get_current_cert(3)"""
    cdef int code = X509_STORE_CTX_get_error(check)
    add(
        findings, X509_V_ERR_UNSPECIFIED if code == X509_V_OK else code, X509_STORE_CTX_get_error_depth(check),
        X509_STORE_CTX_get_current_cert(check),
    )


cdef void add(Findings *findings, int code, int depth, X509 *certificate) noexcept nogil:
    """Each error once for each certificate: OpenSSL tells of some twice."""
    cdef Finding *finding
    cdef int i
    for i in range(findings.count):
        if findings.found[i].code == code and findings.found[i].depth == depth:
            return
    if findings.count < MOST_FINDINGS:
        finding = &findings.found[findings.count]
        finding.code = code
        finding.depth = depth
        finding.certificate = owned(certificate)
        findings.count += 1


cdef void forget_findings(Findings *findings) noexcept nogil:
    cdef int i
    for i in range(findings.count):
        X509_free(findings.found[i].certificate)
    findings.count = 0


cdef void put_error(X509_STORE_CTX *check, const Finding *finding) noexcept nogil:
    """OpenSSL: X509_STORE_CTX_set_error(3)"""
    X509_STORE_CTX_set_error_depth(check, finding.depth)
    X509_STORE_CTX_set_current_cert(check, finding.certificate)
    X509_STORE_CTX_set_error(check, finding.code)


cdef bint tolerates(const Tolerance *tolerance, int code) noexcept nogil:
    return 0 <= code < CODES and tolerance.bits[code // 64] >> <unsigned int>(code % 64) & 1


# --- What a program sees ---------------------------------------------------------------------------------------------
VerifyError = namedtuple("VerifyError", ("code", "depth", "message", "certificate"))
VerifyError.__module__ = __name__
VerifyError.__doc__ = """One thing that is wrong with a chain of certificates. Since 0.1.

OpenSSL: X509_STORE_CTX_get_error(3)
"""
VerifyError.code.__doc__ = "OpenSSL's number, X509_V_ERR_*, as verify_code has it; VerifyCode has the names. Since 0.1."
VerifyError.depth.__doc__ = "Where in the chain: 0 is the peer's own certificate, the last one the root. Since 0.1."
VerifyError.message.__doc__ = "What the code means, as verify_message has it. Since 0.1."
VerifyError.certificate.__doc__ = "The Certificate at that depth, or None if the error concerns none. Since 0.1."


# Of these the peer's certificate says nothing: a key is known to be compromised, or the verification itself failed.
cdef tuple INTOLERABLE = (
    X509_V_ERR_CERT_REJECTED, X509_V_ERR_UNSPECIFIED, X509_V_ERR_OUT_OF_MEM, X509_V_ERR_INVALID_CALL,
    X509_V_ERR_STORE_LOOKUP,
)


cdef bint is_tolerable(object number):
    for name, code in tables.CONSTANTS.items():
        if code == number and name.startswith("X509_V_ERR_"):
            return number not in INTOLERABLE
    return False


@cython.final
cdef class Verification:
    """What a `verify_callback` is asked about: a chain of certificates, and what OpenSSL found wrong with it.

    Without errors the chain is accepted when the callback returns; otherwise only if it has tolerated all of them, and
    nothing else turns up: whether a chain with errors is signed by whom it says, and what its issuers allow, is looked
    at only then. Since 0.1.

    OpenSSL: X509_STORE_CTX_set_verify_cb(3)
    """

    def __init__(self):
        raise TypeError("cannot create 'Verification' instances: a verify_callback is called with one")

    @property
    def errors(self):
        """What is wrong: a tuple of VerifyError, in the order in which OpenSSL finds them. Empty if the chain is valid.

        Since 0.1. OpenSSL: X509_STORE_CTX_get_error(3)
        """
        return self.found

    @property
    def chain(self):
        """The Certificates from the peer's to a root, as far as OpenSSL could build it of what was sent and is trusted.

        Since 0.1. OpenSSL: X509_STORE_CTX_get0_chain(3)
        """
        return list(self.built)

    @property
    def presented(self):
        """The Certificates that the peer sent, its own first. Since 0.1.

        OpenSSL: X509_STORE_CTX_get0_untrusted(3)
        """
        return list(self.sent)

    @property
    def server_hostname(self):
        """The name or address that the server's certificate has to be for; None on a server. Since 0.1."""
        return self.hostname

    def tolerate(self, code):
        """Accepts the chain in spite of the error with this number, wherever in the chain it is; but no other error.

        An error that the chain does not have may be tolerated, too. Raises ValueError for a number that is none of
        OpenSSL's X509_V_ERR_*, and for what cannot be tolerated: a certificate that is rejected (28), because its key
        is known to be compromised, and a failure of the verification itself. RuntimeError after the callback has
        returned. Since 0.1.

        OpenSSL: X509_STORE_CTX_get_error(3)
        """
        number = index(code)
        self.check_open()
        if not is_tolerable(number):
            what = "cannot be tolerated" if number in INTOLERABLE else "is no X509_V_ERR_* number of this OpenSSL"
            raise ValueError(f"{number} {what}")
        cdef unsigned int bit = number
        self.tolerance.bits[bit // 64] |= <uint64_t>1 << bit % 64

    def refuse(self, message, code=X509_V_ERR_APPLICATION_VERIFICATION):
        """Refuses the chain: raises the SSLCertVerificationError that the handshake ends with. It cannot be taken back.

        `message` becomes its verify_message and `code` its verify_code, from which the alert to the peer follows:
        handshake_failure for 50, certificate_revoked for 23 (X509_V_ERR_CERT_REVOKED). Raises ValueError for a number
        that is none of OpenSSL's X509_V_ERR_*, RuntimeError after the callback has returned. Since 0.1.

        OpenSSL: X509_STORE_CTX_set_error(3)
        """
        number = index(code)
        message = exact_text(message, "message")
        self.check_open()
        if not is_tolerable(number) and number not in INTOLERABLE:
            raise ValueError(f"{number} is no X509_V_ERR_* number of this OpenSSL")
        leaf = self.sent[0] if self.sent else None
        self.refusal = (VerifyError(number, 0, message, leaf), *self.refusal)
        self.raised = SSLCertVerificationError(tables.CONSTANTS["SSL_ERROR_SSL"], message)
        self.raised.verify_code = number
        self.raised.verify_message = message
        raise self.raised

    cdef int check_open(self) except -1:
        if self.is_over:
            raise RuntimeError("the verification is over: call this while verify_callback runs")
        return 0

    cdef int conclude(self, bint has_failed) except -1:
        """Ends it, once verify_callback has returned, or `has_failed` to. There is a refusal if it was not accepted."""
        self.is_over = True
        for error in self.found:
            if not tolerates(&self.tolerance, error.code):
                self.refusal += (error,)
        if has_failed and not self.refusal:
            code = X509_V_ERR_APPLICATION_VERIFICATION
            self.refusal = (VerifyError(code, 0, verify_message(code, None), None),)
        return 0


cdef Verification verification_of(X509_STORE_CTX *check, const Findings *findings, object hostname):
    """OpenSSL: X509_STORE_CTX_get0_chain(3), X509_STORE_CTX_get0_untrusted(3)"""
    cdef Verification verification = Verification.__new__(Verification)
    verification.built = certificates_in(X509_STORE_CTX_get0_chain(check))
    verification.sent = certificates_in(X509_STORE_CTX_get0_untrusted(check))
    verification.hostname = hostname
    verification.found = errors_of(findings, hostname)
    verification.refusal = ()
    return verification


cdef list certificates_in(stack_st_X509 *certificates):
    cdef Chain chain
    chain.certificates = certificates
    chain.is_starved = False
    return chain_of(&chain)


cdef tuple errors_of(const Findings *findings, object hostname):
    cdef const Finding *finding
    cdef list errors = []
    cdef int i
    for i in range(findings.count):
        finding = &findings.found[i]
        certificate = None if finding.certificate == NULL else share_certificate(finding.certificate)
        errors.append(VerifyError(finding.code, finding.depth, verify_message(finding.code, hostname), certificate))
    return tuple(errors)
