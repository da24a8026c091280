CONSTANTS: dict[str, int]  # as OpenSSL spells them: "SSL_OP_ALL", "X509_V_FLAG_CRL_CHECK", "TLS1_3_VERSION"
FEATURES: dict[str, bool]  # as `ssl` spells them: "HAS_SNI", "HAS_TLSv1_3"
OPENSSL_VERSION: str
OPENSSL_VERSION_NUMBER: int
OPENSSL_VERSION_INFO: tuple[int, int, int, int, int]
OPENSSL_STATIC: bool

def library_of(lib: int) -> str | None: ...
def reason_of(lib: int, reason: int) -> str | None: ...
