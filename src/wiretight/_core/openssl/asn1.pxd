"""openssl/asn1.h, objects.h: declarations only, in the order of the manual pages."""

from libc.time cimport tm

from wiretight._core.openssl.bio cimport BIO

cdef extern from "openssl/asn1.h" nogil:
    ctypedef struct ASN1_OBJECT:
        pass
    ctypedef struct ASN1_STRING:
        pass
    ctypedef struct ASN1_INTEGER:
        pass
    ctypedef struct ASN1_TIME:
        pass
    int V_ASN1_BIT_STRING, V_ASN1_IA5STRING, V_ASN1_NEG_INTEGER
    void ASN1_STRING_free(ASN1_STRING *a)
    int ASN1_STRING_type(const ASN1_STRING *x)
    int ASN1_STRING_length(const ASN1_STRING *x)
    const unsigned char *ASN1_STRING_get0_data(const ASN1_STRING *x)
    int ASN1_STRING_to_UTF8(unsigned char **out, const ASN1_STRING *in_)
    int ASN1_TIME_print(BIO *b, const ASN1_TIME *s)
    int ASN1_TIME_to_tm(const ASN1_TIME *s, tm *parts)
    int i2a_ASN1_INTEGER(BIO *bp, const ASN1_INTEGER *a)
    void ASN1_OBJECT_free(ASN1_OBJECT *a)

cdef extern from "openssl/objects.h" nogil:
    int NID_md5, NID_sha1, NID_sha256, NID_auth_null, NID_auth_psk, NID_auth_srp
    int NID_undef, NID_subject_alt_name, NID_info_access, NID_crl_distribution_points, NID_ad_OCSP, NID_ad_ca_issuers
    ASN1_OBJECT *OBJ_nid2obj(int n)
    const char *OBJ_nid2ln(int n)
    const char *OBJ_nid2sn(int n)
    int OBJ_obj2nid(const ASN1_OBJECT *o)
    int OBJ_sn2nid(const char *sn)
    ASN1_OBJECT *OBJ_txt2obj(const char *s, int no_name)
    int OBJ_obj2txt(char *buf, int buf_len, const ASN1_OBJECT *a, int no_name)
