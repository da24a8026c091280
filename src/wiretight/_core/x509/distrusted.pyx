"""The keys of certificate authorities that are known to be compromised.

A chain that contains one of them is rejected whatever CA certificates a program trusts (trust/verification.pyx): a
bundle older than the incident still contains their root. A key is identified by the SHA-256 digest of its
SubjectPublicKeyInfo (RFC 5280, 4.1), so that any other certificate for the same key is rejected too.
"""

from wiretight._core.openssl.evp cimport SHA256_DIGEST_LENGTH
from wiretight._core.x509.digests cimport digest_key

from libc.string cimport memcmp

# Intermediates of eMudhra (CVE-2026-115557; CPython issue 160040).
KEYS = (
    "43bffa19d6ef651451f6841e019931e96f6f2eaeff28ab4b6f1ce4576de2717b",
    "49dd353dc2b919a3770645117d0e60c16115e7d1bc259eefe734b00ea434fe5f",
    "5c0660a2b164910d8ff589c18e14552e9e0ec237dcefe2cb736d41a4811f81a0",
    "63ecefee431d49523bc1136c4e72d0206a477086caf606cd5cf025686c109cf8",
    "92c063d67e8f14db71d288e11266ffdaf69cbf115f7bab14f3bc2f68d25e0e30",
    "e0254c7fcdc265e2f0f8a428dabb75ab4ae039b4872d62f5ee57f0877d5a8a41",
    "ebed6475c2c2d80fcb199f3fe8dd6e6b3ce60b77eb15d4e42c3dec0c6f5b5105",
    "ec4ffa1ad0ac88081314b7aaffef6a91f97cd57291bb5ba686c5415f5eb4f6b6",
)

# Handshakes read the table without the GIL: it is replaced as a whole, and the old one stays alive.
cdef const unsigned char *table = NULL
cdef size_t table_size = 0
cdef list tables = []


def use(keys):
    """Rejects `keys`, digests in hexadecimal, instead of KEYS in every handshake from now on. For tests.

    Never call it during a handshake. Since 0.1.
    """
    global table, table_size
    cdef bytes digests = bytes.fromhex("".join(keys))
    tables.append(digests)
    table_size = 0
    table = digests
    table_size = len(digests)


use(KEYS)


cdef bytes distrusted_keys():
    return <bytes>table[:table_size]


cdef bint is_distrusted(X509 *certificate) noexcept nogil:
    """True, too, without the memory to find out."""
    cdef unsigned char digest[SHA256_DIGEST_LENGTH]
    cdef size_t at = 0
    if not digest_key(certificate, digest):
        return True
    while at < table_size:
        if memcmp(digest, table + at, SHA256_DIGEST_LENGTH) == 0:
            return True
        at += SHA256_DIGEST_LENGTH
    return False
