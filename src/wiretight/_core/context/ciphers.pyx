"""The dictionaries that get_ciphers() returns."""

from wiretight._core.openssl.asn1 cimport NID_undef, OBJ_nid2ln
from wiretight._core.openssl.ssl cimport (
    SSL_CIPHER, SSL_CIPHER_description, SSL_CIPHER_get_auth_nid, SSL_CIPHER_get_bits, SSL_CIPHER_get_cipher_nid,
    SSL_CIPHER_get_digest_nid, SSL_CIPHER_get_id, SSL_CIPHER_get_kx_nid, SSL_CIPHER_get_name,
    SSL_CIPHER_get_version, SSL_CIPHER_is_aead, sk_SSL_CIPHER_num, sk_SSL_CIPHER_value, stack_st_SSL_CIPHER,
)


cdef list described(const stack_st_SSL_CIPHER *ciphers):
    cdef list infos = []
    cdef int i
    for i in range(sk_SSL_CIPHER_num(ciphers)):
        infos.append(cipher_info(sk_SSL_CIPHER_value(ciphers, i)))
    return infos


cdef dict cipher_info(const SSL_CIPHER *cipher):
    """OpenSSL: SSL_CIPHER_get_name(3)"""
    cdef char description[256]
    cdef int algorithm_bits = 0
    cdef int strength_bits = SSL_CIPHER_get_bits(cipher, &algorithm_bits)
    SSL_CIPHER_description(cipher, description, sizeof(description))
    return {
        "id": SSL_CIPHER_get_id(cipher),
        "name": SSL_CIPHER_get_name(cipher).decode("ascii"),
        "protocol": SSL_CIPHER_get_version(cipher).decode("ascii"),
        "description": description.decode("ascii").rstrip("\n"),
        "strength_bits": strength_bits,
        "alg_bits": algorithm_bits,
        "aead": SSL_CIPHER_is_aead(cipher),
        "symmetric": long_name(SSL_CIPHER_get_cipher_nid(cipher)),
        "digest": long_name(SSL_CIPHER_get_digest_nid(cipher)),
        "kea": long_name(SSL_CIPHER_get_kx_nid(cipher)),
        "auth": long_name(SSL_CIPHER_get_auth_nid(cipher)),
    }


cdef str long_name(int nid):
    return None if nid == NID_undef else OBJ_nid2ln(nid).decode("ascii")
