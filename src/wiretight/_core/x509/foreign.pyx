"""Foreign objects: the encodings of other packages' certificates and private keys.

None of these packages is imported: who has an object of one has imported it.
"""

from wiretight._core.x509.certificate cimport Certificate, der

import sys


cdef bytes certificate_der(object certificate, str argument):
    """Of a Certificate, of one of `cryptography`, or of an X509 of pyOpenSSL."""
    if isinstance(certificate, Certificate):
        return der((<Certificate>certificate).x509)
    serialization = serialization_of_cryptography()
    certificate = converted(certificate, "to_cryptography")
    if serialization is None or not hasattr(certificate, "public_bytes") or not hasattr(certificate, "issuer"):
        raise TypeError(
            f"{argument} must be certificates of wiretight, cryptography or pyOpenSSL, not {type(certificate).__name__}"
        )
    return octets(certificate.public_bytes(serialization.Encoding.DER), argument)


cdef bytes crl_der(object crl, str argument):
    """Of a list of `cryptography`."""
    serialization = serialization_of_cryptography()
    if serialization is None or not hasattr(crl, "public_bytes") or not hasattr(crl, "last_update_utc"):
        raise TypeError(f"{argument} must be CRLs of cryptography, not {type(crl).__name__}")
    return octets(crl.public_bytes(serialization.Encoding.DER), argument)


cdef bint is_foreign(object value):
    return hasattr(value, "public_bytes") or hasattr(value, "to_cryptography")


cdef bytes key_der(object key, str argument):
    """Of a private key of `cryptography`, or of a PKey of pyOpenSSL."""
    serialization = serialization_of_cryptography()
    key = converted(key, "to_cryptography_key")
    if serialization is None or not hasattr(key, "private_bytes"):
        raise TypeError(f"{argument} must be a private key of cryptography or pyOpenSSL, not {type(key).__name__}")
    return octets(
        key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
        argument,
    )


cdef object converted(object foreign, str method):
    """What it is in `cryptography`, if it is pyOpenSSL's."""
    if type(foreign).__module__.partition(".")[0] == "OpenSSL" and hasattr(foreign, method):
        return getattr(foreign, method)()
    return foreign


cdef bytes octets(object encoding, str argument):
    if not isinstance(encoding, bytes):
        raise TypeError(f"{argument} encodes itself as {type(encoding).__name__} instead of bytes")
    return encoding


cdef object serialization_of_cryptography():
    """The module with the names of the encodings, or None."""
    return sys.modules.get("cryptography.hazmat.primitives.serialization")
