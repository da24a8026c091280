"""Ticket keys: those with which a server encrypts the tickets of its sessions, and opens what comes back."""

from wiretight._core.context.reloading cimport Looks
from wiretight._core.context.settings cimport Settings
from wiretight._core.openssl.evp cimport EVP_CIPHER_CTX, EVP_MAC_CTX

cdef enum:
    NAME_SIZE = 16
    MOST_KEYS = 1000

ctypedef struct Key:
    unsigned char name[NAME_SIZE]
    unsigned char cipher_key[32]
    unsigned char mac_key[32]
    size_t key_size                 # of each of the two: 16 (AES-128) or 32 (AES-256)
    double not_before               # in seconds since 1970, as are the next two
    double encrypt_until
    double expires


# Never changes, and overwrites its keys when it is freed. Whoever has a reference may read it without the GIL.
cdef class KeySet:
    cdef Key *keys
    cdef int count


cdef class KeyRing:
    cdef KeySet current             # replaced as a whole
    cdef double refresh             # seconds between two looks at a store; 0: there is none
    cdef bint rotates               # makes a key as soon as none may encrypt
    cdef Looks looks

    cdef KeySet present(self)       # for a new connection


cdef KeySet ticket_keys_of(Settings settings)       # those of its ring for a new connection; None: there is no ring
cdef KeySet new_key_set(int count)
cdef bint can_encrypt(KeySet keys) noexcept nogil
# What the callback of OpenSSL is to return
cdef int encrypt_ticket(
    KeySet keys, const char *properties, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac) noexcept nogil
cdef int decrypt_ticket(
    KeySet keys, const char *properties, const unsigned char *name, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, bint always_renews) noexcept nogil
