"""Reasons: why a certificate was rejected, in sentences that say what to do."""

from collections.abc import Sequence

import wiretight as ssl
from wiretight import VerifyCode, VerifyError
from wiretight._cli.connect.chain import Certificate, decoded, in_days

_WRONG_NAME = (VerifyCode.HOSTNAME_MISMATCH, VerifyCode.IP_ADDRESS_MISMATCH)
UNKNOWN_ISSUER = (
    VerifyCode.UNABLE_TO_GET_ISSUER_CERT,
    VerifyCode.UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
    VerifyCode.UNABLE_TO_VERIFY_LEAF_SIGNATURE,
)

# {it} is "the certificate" or "the certificate '…' of the chain". What is missing here can only happen with flags or
# extensions that this command does not set, and has OpenSSL's own words.
_SENTENCES: dict[int, str] = {
    VerifyCode.CERT_SIGNATURE_FAILURE: "the signature of {it} is wrong: another CA has that name, or it was altered",
    VerifyCode.UNABLE_TO_DECRYPT_CERT_SIGNATURE: "the signature of {it} cannot be decoded",
    VerifyCode.UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: "the key of the issuer of {it} cannot be decoded by this OpenSSL",
    VerifyCode.NO_ISSUER_PUBLIC_KEY: "the issuer of {it} has no public key",
    VerifyCode.ERROR_IN_CERT_NOT_BEFORE_FIELD: "{it} has no valid date as the beginning of its validity",
    VerifyCode.ERROR_IN_CERT_NOT_AFTER_FIELD: "{it} has no valid date as the end of its validity",
    VerifyCode.CERT_CHAIN_TOO_LONG: "the chain has too many certificates",
    VerifyCode.CERT_REVOKED: "{it} was revoked by its issuer",
    VerifyCode.PATH_LENGTH_EXCEEDED: "{it} may not have so many CAs below it",
    VerifyCode.INVALID_PURPOSE: "{it} is not for this purpose: see its extended key usage",
    VerifyCode.CERT_UNTRUSTED: "{it} is in the trust store, but not for servers",
    VerifyCode.CERT_REJECTED: "{it} is in the trust store as one to be rejected",
    VerifyCode.KEYUSAGE_NO_CERTSIGN: "{it} is used as a CA, but may not sign certificates",
    VerifyCode.INVALID_CA: "{it} is used as a CA, but is none",
    VerifyCode.INVALID_NON_CA: "{it} is a CA where another certificate should be",
    VerifyCode.UNHANDLED_CRITICAL_EXTENSION: "{it} has a critical extension that OpenSSL does not know",
    VerifyCode.INVALID_EXTENSION: "{it} has an extension that cannot be decoded, or contradicts another",
    VerifyCode.PERMITTED_VIOLATION: "{it} has a name that a CA above it may not certify",
    VerifyCode.EXCLUDED_VIOLATION: "{it} has a name that a CA above it must not certify",
    VerifyCode.SUBTREE_MINMAX: "a CA above {it} limits names in a way that OpenSSL does not support",
    VerifyCode.UNSUPPORTED_CONSTRAINT_TYPE: "a CA above {it} limits names in a way that OpenSSL does not support",
    VerifyCode.UNSUPPORTED_CONSTRAINT_SYNTAX: "a CA above {it} limits names in a way that cannot be decoded",
    VerifyCode.UNSUPPORTED_NAME_SYNTAX: "{it} has a name that cannot be compared with what a CA above it may certify",
    VerifyCode.EE_KEY_TOO_SMALL: "the key of {it} is too short for the security level",
    VerifyCode.CA_KEY_TOO_SMALL: "the key of {it} is too short for the security level",
    VerifyCode.CA_MD_TOO_WEAK: "{it} is signed with a hash function that is too weak, such as SHA-1",
    VerifyCode.EC_KEY_EXPLICIT_PARAMS: "the key of {it} is on a curve without a name",
    VerifyCode.UNSUPPORTED_SIGNATURE_ALGORITHM: "{it} is signed in a way that this OpenSSL does not support",
    VerifyCode.SIGNATURE_ALGORITHM_MISMATCH: "{it} is signed in a way that does not go with the key of its issuer",
    VerifyCode.SIGNATURE_ALGORITHM_INCONSISTENCY: "{it} names two different signature algorithms",
    VerifyCode.STORE_LOOKUP: "the trust store could not be searched: see SSL_CERT_FILE and SSL_CERT_DIR",
    VerifyCode.OUT_OF_MEM: "there was no memory left to verify {it}",
    # What VERIFY_X509_STRICT demands, which create_default_context() sets on Python 3.13 and newer.
    VerifyCode.PATHLEN_INVALID_FOR_NON_CA: "{it} limits the CAs below it, but is no CA (RFC 5280, 4.2.1.9)",
    VerifyCode.PATHLEN_WITHOUT_KU_KEY_CERT_SIGN: "{it} limits the CAs below it, but may sign none (RFC 5280, 4.2.1.9)",
    VerifyCode.KU_KEY_CERT_SIGN_INVALID_FOR_NON_CA: "{it} may sign certificates, but is no CA (RFC 5280, 4.2.1.3)",
    VerifyCode.ISSUER_NAME_EMPTY: "{it} does not say who its issuer is (RFC 5280, 4.1.2.4)",
    VerifyCode.SUBJECT_NAME_EMPTY: "{it} is a CA without a name (RFC 5280, 4.1.2.6)",
    VerifyCode.MISSING_AUTHORITY_KEY_IDENTIFIER: "{it} has no authority key identifier (RFC 5280, 4.2.1.1)",
    VerifyCode.MISSING_SUBJECT_KEY_IDENTIFIER: "{it} is a CA without a subject key identifier (RFC 5280, 4.2.1.2)",
    VerifyCode.EMPTY_SUBJECT_ALT_NAME: "{it} has an empty list of names (RFC 5280, 4.2.1.6)",
    VerifyCode.EMPTY_SUBJECT_SAN_NOT_CRITICAL: "{it} has no subject, and uncritical names (RFC 5280, 4.2.1.6)",
    VerifyCode.CA_BCONS_NOT_CRITICAL: "{it} is a CA whose basic constraints are not critical (RFC 5280, 4.2.1.9)",
    VerifyCode.AUTHORITY_KEY_IDENTIFIER_CRITICAL: "{it} has a critical authority key identifier (RFC 5280, 4.2.1.1)",
    VerifyCode.SUBJECT_KEY_IDENTIFIER_CRITICAL: "{it} has a critical subject key identifier (RFC 5280, 4.2.1.2)",
    VerifyCode.CA_CERT_MISSING_KEY_USAGE: "{it} is a CA without a key usage (RFC 5280, 4.2.1.3)",
    VerifyCode.EXTENSIONS_REQUIRE_VERSION_3: "{it} has extensions, which only version 3 has (RFC 5280, 4.1.2.1)",
}


def reasons(error: ssl.SSLCertVerificationError, name: str) -> list[str]:
    """Why the certificates were rejected for the server `name`: each reason once."""
    return reasons_of(error.verify_errors, error.peer_chain, name) or [error.verify_message]


def reasons_of(errors: Sequence[VerifyError], chain: Sequence[ssl.Certificate], name: str) -> list[str]:
    """The same, of a verification that has found these errors."""
    decoded_chain = [decoded(certificate) for certificate in chain]
    return list(dict.fromkeys(_reason(each, name, decoded_chain) for each in errors))


def _reason(error: VerifyError, name: str, chain: Sequence[Certificate]) -> str:
    found = None if error.certificate is None else decoded(error.certificate)
    it = "the certificate" if error.depth == 0 or found is None else f"the certificate {found.subject!r} of the chain"
    if error.code == VerifyCode.CERT_HAS_EXPIRED and found and found.days_left is not None:
        return f"{it} expired {in_days(abs(found.days_left))} ago ({found.not_after})"
    if error.code == VerifyCode.CERT_NOT_YET_VALID and found:
        return f"{it} is not valid before {found.not_before}: is this machine's clock right?"
    if error.code in _WRONG_NAME and chain:
        return f"the name {name} is not among those of the certificate: {', '.join(chain[0].names) or 'it has none'}"
    if error.code == VerifyCode.DEPTH_ZERO_SELF_SIGNED_CERT:
        return "the certificate is self-signed and not trusted (see --cafile)"
    if error.code == VerifyCode.SELF_SIGNED_CERT_IN_CHAIN and found:
        return f"unknown issuer: the chain ends at {found.subject!r}, which is not trusted (see --cafile)"
    if error.code in UNKNOWN_ISSUER and found:
        return f"unknown issuer: {found.issuer!r} is neither trusted nor sent by the server (see --cafile)"
    sentence = _SENTENCES.get(error.code)
    return sentence.format(it=it) if sentence else f"{error.message} (X509_V_ERR {error.code})"
