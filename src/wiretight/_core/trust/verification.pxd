"""Verification: how a peer's chain is verified, and what is found wrong with it."""

from libc.stdint cimport uint64_t

from wiretight._core.context.settings cimport Values
from wiretight._core.openssl.x509 cimport X509, X509_STORE_CTX, X509_STORE_CTX_verify_fn

cdef enum:
    MOST_FINDINGS = 32      # more are not told of, and not forgotten: see verify_tolerantly()
    CODES = 128             # X509_V_ERR_* are below it
    WORDS = 2               # of 64 bits for them


cdef struct Finding:
    int code                # X509_V_ERR_*
    int depth               # 0 is the peer's own certificate
    X509 *certificate       # owned; NULL: of none


# What is tolerated: one bit for each code.
cdef struct Tolerance:
    uint64_t bits[WORDS]


cdef struct Findings:
    Finding found[MOST_FINDINGS]
    int count
    bint is_fault                           # not of the peer: the verification itself failed
    const Tolerance *tolerance              # NULL while findings are collected
    X509_STORE_CTX_verify_fn usual          # OpenSSL's check of signatures and dates
    const Values *values                    # of the connection's settings


# The caller forgets the findings
cdef bint verify(X509_STORE_CTX *check, const Values *values, Findings *findings) noexcept nogil
cdef bint verify_tolerantly(X509_STORE_CTX *check, const Tolerance *tolerance, Findings *findings) noexcept nogil
cdef void forget_findings(Findings *findings) noexcept nogil


cdef class Verification:
    cdef tuple found            # of VerifyError
    cdef list built             # of Certificate; so is the next one
    cdef list sent
    cdef object hostname
    cdef Tolerance tolerance
    cdef tuple refusal          # the errors that the chain is refused for; empty: it is not
    cdef object raised          # by refuse()
    cdef bint is_over

    cdef int check_open(self) except -1
    cdef int conclude(self, bint has_failed) except -1


cdef tuple errors_of(const Findings *findings, object hostname)
cdef Verification verification_of(X509_STORE_CTX *check, const Findings *findings, object hostname)
