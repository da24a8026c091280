"""Sealing: ticket keys as bytes that may be stored anywhere, encrypted and authenticated under a wrapping key.

The format is a header (four letters, which are others for the keys of a store, and a version), a nonce of 12 bytes, the
ciphertext and a tag of 16 bytes, all of AES-256-GCM, which authenticates the header, too. The plaintext has two times,
then 105 bytes for each key, in the order of the functions below; numbers are big-endian. A nonce is random: a wrapping
key is good for some 2**32 sealings (NIST SP 800-38D, section 8.3), which a ring with a key every second would need a
century for.
"""

cimport cython
from libc.stdint cimport uint64_t
from libc.string cimport memcmp, memcpy

from wiretight._core.base.errors cimport check, forget_errors, raise_queue
from wiretight._core.openssl.crypto cimport OPENSSL_cleanse, OPENSSL_clear_free, OPENSSL_zalloc, RAND_bytes
from wiretight._core.openssl.evp cimport (
    EVP_CIPHER, EVP_CIPHER_CTX, EVP_CIPHER_CTX_ctrl, EVP_CIPHER_CTX_free, EVP_CIPHER_CTX_new, EVP_CIPHER_fetch,
    EVP_CIPHER_free, EVP_CTRL_AEAD_GET_TAG, EVP_CTRL_AEAD_SET_TAG, EVP_DecryptFinal_ex, EVP_DecryptInit_ex,
    EVP_DecryptUpdate, EVP_EncryptFinal_ex, EVP_EncryptInit_ex, EVP_EncryptUpdate,
)
from wiretight._core.session.ticketkeys cimport MOST_KEYS, NAME_SIZE, Key, KeySet, new_key_set
from wiretight._core.x509.octets cimport octets_of

cdef enum:
    VERSION = 1
    HEADER_SIZE = 5
    NONCE_SIZE = 12
    TAG_SIZE = 16
    TIMES_SIZE = 16
    KEY_SIZE = 105

cdef const char *MAGIC = "WTTK"
cdef const char *SHARED_MAGIC = "WTTS"      # or who writes to a store could put any other ring there


@cython.final
cdef class WrappingKey:
    """The key of AES-256-GCM under which rings are sealed, overwritten when it is freed."""
    cdef unsigned char key[32]

    def __cinit__(self, key, /):
        """Raises TypeError for what is not bytes-like, ValueError if it is not 32 bytes long."""
        octets = octets_of(key, "wrapping_key", "32 bytes")
        if octets.length != sizeof(self.key):
            raise ValueError(f"wrapping_key must be 32 bytes, such as of secrets.token_bytes(32), not {octets.length}")
        memcpy(self.key, octets.data, sizeof(self.key))

    def __dealloc__(self):
        OPENSSL_cleanse(self.key, sizeof(self.key))

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object: it is a secret")


@cython.final
cdef class Plaintext:
    """Memory that is overwritten when it is freed, and a place in it."""
    cdef unsigned char *data
    cdef size_t size
    cdef size_t at

    def __dealloc__(self):
        OPENSSL_clear_free(self.data, self.size)

    cdef void write(self, const void *octets, size_t size) noexcept:
        memcpy(self.data + self.at, octets, size)
        self.at += size

    cdef void read(self, void *octets, size_t size) noexcept:
        memcpy(octets, self.data + self.at, size)
        self.at += size

    cdef void write_number(self, double number) noexcept:
        cdef uint64_t bits
        cdef int i
        memcpy(&bits, &number, sizeof(bits))
        for i in range(8):
            self.data[self.at + i] = (bits >> (56 - 8 * i)) & 0xFF
        self.at += 8

    cdef double read_number(self) noexcept:
        cdef uint64_t bits = 0
        cdef double number
        cdef int i
        for i in range(8):
            bits = bits << 8 | self.data[self.at + i]
        self.at += 8
        memcpy(&number, &bits, sizeof(number))
        return number

    cdef void write_key(self, const Key *key) noexcept:
        cdef unsigned char size = key.key_size
        self.write(key.name, NAME_SIZE)
        self.write(&size, 1)
        self.write(key.cipher_key, sizeof(key.cipher_key))
        self.write(key.mac_key, sizeof(key.mac_key))
        self.write_number(key.not_before)
        self.write_number(key.encrypt_until)
        self.write_number(key.expires)

    cdef void read_key(self, Key *key) noexcept:
        cdef unsigned char size
        self.read(key.name, NAME_SIZE)
        self.read(&size, 1)
        self.read(key.cipher_key, sizeof(key.cipher_key))
        self.read(key.mac_key, sizeof(key.mac_key))
        key.key_size = size
        key.not_before = self.read_number()
        key.encrypt_until = self.read_number()
        key.expires = self.read_number()


cdef Plaintext plaintext_of(size_t size):
    """OpenSSL: OPENSSL_zalloc(3)"""
    cdef Plaintext made = Plaintext.__new__(Plaintext)
    made.data = <unsigned char *>OPENSSL_zalloc(size)
    if made.data == NULL:
        raise MemoryError
    made.size = size
    return made


def sealed(
    KeySet keys not None, WrappingKey wrapping_key not None, double rotate_every, double accept_for, bint shared=False,
    /
):
    """The keys and the two times as bytes, for a store if they are `shared`. Since 0.1.

    OpenSSL: EVP_EncryptUpdate(3)
    """
    cdef Plaintext plaintext = plaintext_of(TIMES_SIZE + keys.count * KEY_SIZE)
    cdef bytearray result = bytearray(HEADER_SIZE + NONCE_SIZE + plaintext.size + TAG_SIZE)
    cdef unsigned char *header = <unsigned char *><char *>result
    cdef unsigned char *nonce = header + HEADER_SIZE
    cdef int i
    plaintext.write_number(rotate_every)
    plaintext.write_number(accept_for)
    for i in range(keys.count):
        plaintext.write_key(&keys.keys[i])
    memcpy(header, SHARED_MAGIC if shared else MAGIC, HEADER_SIZE - 1)
    header[HEADER_SIZE - 1] = VERSION
    forget_errors()
    check(RAND_bytes(nonce, NONCE_SIZE))
    if not crypt(wrapping_key, header, plaintext, nonce + NONCE_SIZE, True):
        raise_queue()
    return bytes(result)


def opened(data, WrappingKey wrapping_key not None, bint shared=False, /):
    """(the keys, and the two times) of sealed(). Since 0.1.

    Raises ValueError for anything else, under another wrapping key, and for what is not, but has to be, `shared`.

    OpenSSL: EVP_DecryptUpdate(3)
    """
    octets = octets_of(data, "data", "bytes-like")
    cdef Py_ssize_t size = octets.length - HEADER_SIZE - NONCE_SIZE - TAG_SIZE
    cdef Plaintext plaintext
    cdef KeySet keys
    cdef double rotate_every, accept_for
    cdef int i
    cdef bint of_store = octets.length >= HEADER_SIZE and memcmp(octets.data, SHARED_MAGIC, HEADER_SIZE - 1) == 0
    if octets.length < HEADER_SIZE or not (of_store or memcmp(octets.data, MAGIC, HEADER_SIZE - 1) == 0):
        raise ValueError("these are no ticket keys: pass what TicketKeys.to_bytes() returned")
    if octets.data[HEADER_SIZE - 1] != VERSION:
        raise ValueError(
            f"these ticket keys are in version {octets.data[HEADER_SIZE - 1]} of the format, and this wiretight knows "
            f"version {VERSION}: use the same wiretight everywhere"
        )
    if shared and not of_store:
        raise ValueError("this is a ring of to_bytes(), not the keys of a fleet: choose another place in the store")
    if size < TIMES_SIZE or (size - TIMES_SIZE) % KEY_SIZE or size > TIMES_SIZE + MOST_KEYS * KEY_SIZE:
        raise ValueError("these ticket keys are damaged: a part is missing, or there is one too many")
    plaintext = plaintext_of(size)
    forget_errors()
    if not crypt(wrapping_key, octets.data, plaintext, <unsigned char *>octets.data + HEADER_SIZE + NONCE_SIZE, False):
        forget_errors()
        raise ValueError("these ticket keys were sealed under another wrapping key, or are damaged")
    rotate_every = plaintext.read_number()
    accept_for = plaintext.read_number()
    keys = new_key_set(<int>((size - TIMES_SIZE) // KEY_SIZE))
    for i in range(keys.count):
        plaintext.read_key(&keys.keys[i])
        if keys.keys[i].key_size not in (16, 32):
            raise ValueError("these ticket keys are of a kind that this wiretight does not know")
    return keys, rotate_every, accept_for


cdef bint crypt(
    WrappingKey key, const unsigned char *header, Plaintext plaintext, unsigned char *ciphertext, bint encrypts
) except -1:
    """The nonce is behind the header, the tag behind the ciphertext. False, with the reason on OpenSSL's queue.

    OpenSSL: EVP_EncryptInit_ex(3)
    """
    cdef EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL)
    cdef EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new()
    cdef const unsigned char *nonce = header + HEADER_SIZE
    cdef unsigned char *tag = ciphertext + plaintext.size
    cdef int size = <int>plaintext.size
    cdef int length = 0
    cdef bint done
    if cipher == NULL or context == NULL:
        done = False
    elif encrypts:
        done = (
            EVP_EncryptInit_ex(context, cipher, NULL, key.key, nonce)
            and EVP_EncryptUpdate(context, NULL, &length, header, HEADER_SIZE)
            and EVP_EncryptUpdate(context, ciphertext, &length, plaintext.data, size)
            and EVP_EncryptFinal_ex(context, ciphertext + length, &length)
            and EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag)
        )
    else:
        done = (
            EVP_DecryptInit_ex(context, cipher, NULL, key.key, nonce)
            and EVP_DecryptUpdate(context, NULL, &length, header, HEADER_SIZE)
            and EVP_DecryptUpdate(context, plaintext.data, &length, ciphertext, size)
            and EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, tag)
            and EVP_DecryptFinal_ex(context, plaintext.data + length, &length) > 0
        )
    EVP_CIPHER_CTX_free(context)
    EVP_CIPHER_free(cipher)
    return done
