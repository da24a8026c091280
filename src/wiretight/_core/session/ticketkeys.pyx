"""Ticket keys: those with which a server encrypts the tickets of its sessions, and opens what comes back.

A KeyRing has a KeySet, which never changes: a rotation puts another one in its place. A connection keeps the one that
was there when it was made, so that OpenSSL's callback reads it without the GIL and without a lock, in whichever thread.

The key material is here, in memory that is overwritten when it is freed; Python sees it only where a program asks for
`TicketKeys.keys`.

Tickets have the format of OpenSSL (RFC 5077, section 4): the key's name, an IV, AES-CBC, and HMAC-SHA-256 of all that.
nginx and HAProxy write the same.
"""

cimport cython
from libc.math cimport HUGE_VAL, isnan
from libc.stdint cimport int64_t
from libc.string cimport memcmp, memcpy
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from wiretight._core.base.errors cimport check, forget_errors
from wiretight._core.context.reloading cimport report_unraisable
from wiretight._core.openssl.crypto cimport OPENSSL_cleanse, OPENSSL_clear_free, OPENSSL_zalloc, RAND_bytes
from wiretight._core.openssl.evp cimport (
    EVP_CIPHER, EVP_CIPHER_fetch, EVP_CIPHER_free, EVP_DecryptInit_ex, EVP_EncryptInit_ex, EVP_MAC_init,
)
from wiretight._core.openssl.params cimport OSSL_PARAM, OSSL_PARAM_construct_end, OSSL_PARAM_construct_utf8_string
from wiretight._core.x509.octets cimport octets_of

cdef extern from "clock.h" nogil:
    int64_t wt_now()

cdef enum:
    IV_SIZE = 16            # of AES-CBC
    OLDER_FILE = 48         # nginx's: the name, and AES and HMAC keys of 128 bits
    NEWER_FILE = 80         # the name, and HMAC and AES keys of 256 bits

# What the callback returns.
cdef enum:
    FAILED = -1
    NO_KEY = 0
    OPENED = 1
    RENEW = 2

cdef double NEVER = 0       # the end of a key that only opens tickets: 1970, which no clock shows

cdef double offset = 0      # of the clocks here, for tests
cdef double fault = 0       # of the time of day alone


cdef double now() noexcept nogil:
    cdef timespec time
    clock_gettime(CLOCK_REALTIME, &time)
    return time.tv_sec + time.tv_nsec * 1e-9 + offset + fault


def clock():
    """The time by which keys begin and end, in seconds since 1970. Since 0.1."""
    return now()


def shift_clock(double seconds, double wrong=0, /):
    """As if so much time had passed, and clock() were `wrong` by that besides. For tests. Since 0.1."""
    global offset, fault
    offset, fault = seconds, wrong


# --- A set of keys ---------------------------------------------------------------------------------------------------
@cython.final
cdef class KeySet:
    """Keys, from the oldest to the newest. Immutable."""

    def __cinit__(self, keys=(), /):
        """From tuples (name, secret, not_before, encrypt_until, expires), as TicketKey is one.

        Raises TypeError and ValueError for what is none.
        """
        cdef tuple given = tuple(keys)
        check_count(len(given))
        allocate(self, len(given))
        for i in range(len(given)):
            read_key(&self.keys[i], given[i])
            if find(self, self.keys[i].name) < i:
                raise ValueError(f"two ticket keys have the name {given[i][0].hex()}: each needs one of its own")

    def __dealloc__(self):
        OPENSSL_clear_free(self.keys, self.count * sizeof(Key))

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object: its keys are secrets")

    def __len__(self):
        return self.count

    def tuples(self):
        """What __cinit__() takes. Since 0.1."""
        cdef list result = []
        for i in range(self.count):
            result.append(tuple_of(&self.keys[i]))
        return result

    def last(self):
        """The last of tuples(): no other secret is copied. Raises IndexError if there is none. Since 0.1."""
        if self.count == 0:
            raise IndexError("there are no ticket keys")
        return tuple_of(&self.keys[self.count - 1])

    def encrypts(self):
        """Whether one of the keys may encrypt now. Since 0.1."""
        return can_encrypt(self)

    def ends(self):
        """When no key may encrypt any more, in seconds since 1970, even if one begins after a pause; 0 without one that
        has begun. Since 0.1.
        """
        cdef double time = now()
        cdef double end = end_of(self, time)
        cdef double known = 0
        while end > known and end >= time:
            known, end = end, end_of(self, end)
        return end

    def ended(self, double time, /):
        """The same keys, of which none encrypts from that time on: they open tickets for as long as before. One that
        does not encrypt now, and not before that time either, never will, by any clock. Since 0.1.
        """
        cdef KeySet result = copy_of(self)
        cdef double present = now()
        cdef Key *key
        for i in range(result.count):
            key = &result.keys[i]
            if key.not_before >= time or key.encrypt_until <= present:
                end_key(key, NEVER, NEVER)
            else:
                end_key(key, key.not_before, time)
        return result

    def settled(self, double seconds, /):
        """The same keys: one that has ended so long ago, as another began, never encrypts again, even if the clock is
        set back. Only ended() makes times meet like that. Since 0.1.
        """
        cdef KeySet result = copy_of(self)
        cdef double present = now()
        for i in range(self.count):
            if self.keys[i].encrypt_until + seconds <= present and begins_one(self, self.keys[i].encrypt_until):
                end_key(&result.keys[i], NEVER, NEVER)
        return result

    def with_new_key(self, double not_before, double encrypt_until, double expires, double latest_begin, /):
        """A set without the expired keys, and with a new random one, for which merged() would make room. Since 0.1.

        OpenSSL: RAND_bytes(3)
        """
        cdef KeySet alive = merged(self, new_key_set(0), now(), latest_begin, MOST_KEYS - 1)
        cdef KeySet result
        cdef Key *key
        cdef int i
        result = new_key_set(alive.count + 1)
        key = &result.keys[alive.count]
        for i in range(alive.count):
            result.keys[i] = alive.keys[i]
        forget_errors()
        check(RAND_bytes(key.name, NAME_SIZE))
        check(RAND_bytes(key.cipher_key, sizeof(key.cipher_key)))
        check(RAND_bytes(key.mac_key, sizeof(key.mac_key)))
        key.key_size = sizeof(key.cipher_key)
        key.not_before, key.encrypt_until, key.expires = not_before, encrypt_until, expires
        return result

    def merged(self, KeySet other not None, double latest_begin, /):
        """The keys of both that have not expired, those of this set first. One that has ended in either has ended.

        Of too many those go first that begin after `latest_begin`, and then those that expire first. Since 0.1.
        """
        return merged(self, other, now(), latest_begin, MOST_KEYS)

    def names(self):
        """Those of all keys, a set of bytes. Since 0.1."""
        cdef set result = set()
        for i in range(self.count):
            result.add(<bytes>self.keys[i].name[:NAME_SIZE])
        return result

    def with_expired(self, KeySet other not None, names, double latest_begin, int most, /):
        """This set, and the keys of `other` that have expired and do not have one of these names: of too many, the last
        to do so. Since 0.1.
        """
        cdef KeySet expired = new_key_set(other.count)
        cdef double time = now()
        cdef int count = 0
        for i in range(other.count):
            if other.keys[i].expires <= time and <bytes>other.keys[i].name[:NAME_SIZE] not in names:
                expired.keys[count] = other.keys[i]
                count += 1
        while count > most:
            count = without_least(expired.keys, count, latest_begin)
        expired.count = count
        return merged(self, expired, -HUGE_VAL, latest_begin, MOST_KEYS)

    def lacks(self, KeySet other not None, double seconds, /):
        """Whether `other` has a key that is not in this set, or has ended earlier than here, and does not expire within
        that time. Since 0.1.
        """
        cdef double end = now() + seconds
        cdef int place
        for i in range(other.count):
            place = find(self, other.keys[i].name)
            if other.keys[i].expires > end and (
                place == self.count or other.keys[i].encrypt_until < self.keys[place].encrypt_until
            ):
                return True
        return False


cdef double end_of(KeySet keys, double time) noexcept:
    """The last end of those that have begun by then."""
    cdef double end = 0
    for i in range(keys.count):
        if keys.keys[i].not_before <= time:
            end = max(end, keys.keys[i].encrypt_until)
    return end


cdef bint begins_one(KeySet keys, double time) noexcept:
    for i in range(keys.count):
        if keys.keys[i].not_before == time:
            return True
    return False


cdef void end_key(Key *key, double not_before, double encrypt_until) noexcept nogil:
    """Neither time is later than that."""
    key.not_before = min(key.not_before, not_before)
    key.encrypt_until = min(key.encrypt_until, encrypt_until)


cdef int check_count(Py_ssize_t count) except -1:
    if count > MOST_KEYS:
        raise ValueError(f"a ring has at most {MOST_KEYS} ticket keys, not {count}")
    return 0


cdef int allocate(KeySet keys, Py_ssize_t count) except -1:
    if count > 0:
        keys.keys = <Key *>OPENSSL_zalloc(count * sizeof(Key))
        if keys.keys == NULL:
            raise MemoryError
    keys.count = <int>count
    return 0


cdef KeySet new_key_set(int count):
    cdef KeySet keys = KeySet.__new__(KeySet)
    allocate(keys, count)
    return keys


cdef KeySet copy_of(KeySet keys):
    cdef KeySet copy = new_key_set(keys.count)
    for i in range(keys.count):
        copy.keys[i] = keys.keys[i]
    return copy


cdef int find(KeySet keys, const unsigned char *name) noexcept nogil:
    """The place of the key of that name; keys.count without one."""
    cdef int i
    for i in range(keys.count):
        if memcmp(keys.keys[i].name, name, NAME_SIZE) == 0:
            return i
    return keys.count


cdef KeySet merged(KeySet ours, KeySet theirs, double time, double latest_begin, int most):
    cdef KeySet every = new_key_set(ours.count + theirs.count)
    cdef KeySet result
    cdef Key *key
    cdef int count = 0
    cdef int i, place
    for i in range(ours.count + theirs.count):
        key = &every.keys[count]
        key[0] = ours.keys[i] if i < ours.count else theirs.keys[i - ours.count]
        if time < key.expires:
            place = find(every, key.name)
            if place == count:
                count += 1
            else:
                end_key(&every.keys[place], key.not_before, key.encrypt_until)
    while count > most:
        count = without_least(every.keys, count, latest_begin)
    result = new_key_set(count)
    for i in range(count):
        result.keys[i] = every.keys[i]
    return result


cdef int without_least(Key *keys, int count, double latest_begin) noexcept nogil:
    """How many are left. All processes that share a store, and have the time, leave out the same."""
    cdef int i, least = 0
    for i in range(count):
        if is_worth_less(&keys[i], &keys[least], latest_begin):
            least = i
    for i in range(least, count - 1):
        keys[i] = keys[i + 1]
    return count - 1


cdef bint is_worth_less(const Key *key, const Key *other, double latest_begin) noexcept nogil:
    if (key.not_before > latest_begin) != (other.not_before > latest_begin):
        return key.not_before > latest_begin
    return key.expires < other.expires


cdef int read_key(Key *key, object given) except -1:
    name, secret, not_before, encrypt_until, expires = given
    name_octets = octets_of(name, "the name of a ticket key", "16 bytes")
    octets = octets_of(secret, "the secret of a ticket key", "bytes-like")
    if name_octets.length != NAME_SIZE:
        raise ValueError(f"the name of a ticket key must be 16 bytes, not {name_octets.length}")
    if octets.length not in (OLDER_FILE - NAME_SIZE, NEWER_FILE - NAME_SIZE):
        raise ValueError(f"the secret of a ticket key must be 32 or 64 bytes, not {octets.length}")
    key.not_before, key.encrypt_until, key.expires = not_before, encrypt_until, expires
    if isnan(key.not_before + key.encrypt_until + key.expires) or not (
        key.not_before <= key.encrypt_until <= key.expires
    ):
        raise ValueError(
            "the times of a ticket key must be in this order: not_before, encrypt_until, expires; "
            f"not {not_before!r}, {encrypt_until!r}, {expires!r}"
        )
    memcpy(key.name, name_octets.data, NAME_SIZE)
    key.key_size = octets.length // 2
    # In the order of nginx's and HAProxy's files.
    if key.key_size == sizeof(key.cipher_key):
        memcpy(key.mac_key, octets.data, key.key_size)
        memcpy(key.cipher_key, octets.data + key.key_size, key.key_size)
    else:
        memcpy(key.cipher_key, octets.data, key.key_size)
        memcpy(key.mac_key, octets.data + key.key_size, key.key_size)
    return 0


cdef tuple tuple_of(const Key *key):
    cdef bytes cipher_key = key.cipher_key[:key.key_size]
    cdef bytes mac_key = key.mac_key[:key.key_size]
    secret = mac_key + cipher_key if key.key_size == sizeof(key.cipher_key) else cipher_key + mac_key
    OPENSSL_cleanse(<char *>cipher_key, key.key_size)
    OPENSSL_cleanse(<char *>mac_key, key.key_size)
    return <bytes>key.name[:NAME_SIZE], secret, key.not_before, key.encrypt_until, key.expires


# --- Tickets ---------------------------------------------------------------------------------------------------------
cdef const Key *encrypting_key(KeySet keys, double time) noexcept nogil:
    """The one that begins last of those that may encrypt; NULL if none may."""
    cdef const Key *chosen = NULL
    cdef int i
    for i in range(keys.count):
        if keys.keys[i].not_before <= time < keys.keys[i].encrypt_until:
            if chosen == NULL or keys.keys[i].not_before >= chosen.not_before:
                chosen = &keys.keys[i]
    return chosen


cdef bint can_encrypt(KeySet keys) noexcept nogil:
    return encrypting_key(keys, now()) != NULL


cdef int encrypt_ticket(
    KeySet keys, const char *properties, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac
) noexcept nogil:
    """OpenSSL: SSL_CTX_set_tlsext_ticket_key_evp_cb(3)"""
    cdef const Key *key = encrypting_key(keys, now())
    if key == NULL:
        return NO_KEY
    memcpy(name, key.name, NAME_SIZE)
    if RAND_bytes(iv, IV_SIZE) <= 0 or not begin(key, properties, iv, cipher, mac, True):
        return FAILED
    return OPENED


cdef int decrypt_ticket(
    KeySet keys, const char *properties, const unsigned char *name, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
    EVP_MAC_CTX *mac, bint always_renews
) noexcept nogil:
    """OpenSSL: SSL_CTX_set_tlsext_ticket_key_evp_cb(3)"""
    cdef double time = now()
    cdef const Key *encrypting = encrypting_key(keys, time)
    cdef int place = find(keys, name)
    cdef const Key *key
    if place == keys.count:
        return NO_KEY
    key = &keys.keys[place]
    if time >= key.expires:
        return NO_KEY
    if not begin(key, properties, iv, cipher, mac, False):
        return FAILED
    return RENEW if encrypting != NULL and (always_renews or key != encrypting) else OPENED


cdef bint begin(
    const Key *key, const char *properties, const unsigned char *iv, EVP_CIPHER_CTX *context, EVP_MAC_CTX *mac,
    bint encrypts
) noexcept nogil:
    """OpenSSL: EVP_CIPHER_fetch(3), EVP_EncryptInit_ex(3), EVP_MAC_init(3)"""
    cdef EVP_CIPHER *cipher = EVP_CIPHER_fetch(
        NULL, "AES-256-CBC" if key.key_size == sizeof(key.cipher_key) else "AES-128-CBC", properties)
    cdef OSSL_PARAM[2] parameters
    cdef bint done
    parameters[0] = OSSL_PARAM_construct_utf8_string("digest", <char *>"SHA256", 0)
    parameters[1] = OSSL_PARAM_construct_end()
    if cipher == NULL:
        return False
    if encrypts:
        done = EVP_EncryptInit_ex(context, cipher, NULL, key.cipher_key, iv)
    else:
        done = EVP_DecryptInit_ex(context, cipher, NULL, key.cipher_key, iv)
    EVP_CIPHER_free(cipher)
    return done and EVP_MAC_init(mac, key.mac_key, key.key_size, parameters)


# --- A ring ----------------------------------------------------------------------------------------------------------
cdef class KeyRing:
    """The keys that contexts share: the base of TicketKeys, whose methods decide when there is a new one."""

    def __cinit__(self, *_, **__):
        self.current = new_key_set(0)
        self.looks = Looks()

    def __reduce__(self):
        raise TypeError(
            f"cannot pickle {type(self).__name__!r} object: its keys are secrets; send to_bytes(wrapping_key), and "
            "make it again with from_bytes()"
        )

    cdef KeySet present(self):
        if self.refresh > 0:
            if self.looks.begins(wt_now() + <int64_t>(offset * 1e9), self.refresh):
                try:
                    self._look()
                except BaseException:       # a signal's: nobody would ever look again
                    self.looks.ends()
                    raise
        elif self.rotates and not can_encrypt(keys_of(self)):
            self._renew()
        return keys_of(self)

    def _look(self):
        """Called in a thread that makes a connection when a look at the store is due; _looked() is to follow."""

    def _renew(self):
        """Called in a thread that makes a connection when a key is due."""

    def _looked(self, error, /):
        """The look is over, with that error or None. The same error is not reported twice in a row."""
        if error is None:
            self.looks.report(None)
        elif self.looks.is_news(error):
            report_unraisable(error, self)
        self.looks.ends()

    def _set_times(self, double refresh, bint rotates, /):
        self.refresh, self.rotates = refresh, rotates

    def _keys(self):
        return keys_of(self)

    def _replace(self, KeySet before not None, KeySet after not None, /):
        """False if another thread has replaced `before` first."""
        with cython.critical_section(self):
            if self.current is not before:
                return False
            self.current = after        # frees nothing: the caller still owns `before`
            return True


cdef KeySet keys_of(KeyRing ring):
    with cython.critical_section(ring):
        return ring.current


cdef KeySet ticket_keys_of(Settings settings):
    cdef KeyRing ring = settings.kept.get("ticket_keys")
    return None if ring is None else ring.present()


def key_of_file(content, /):
    """(name, secret) of a key file of nginx. Raises ValueError for another length. Since 0.1."""
    octets = octets_of(content, "the content of a ticket key file", "bytes-like")
    if octets.length not in (OLDER_FILE, NEWER_FILE):
        raise ValueError(f"a ticket key file has 48 or 80 bytes, not {octets.length}")
    return <bytes>octets.data[:NAME_SIZE], <bytes>octets.data[NAME_SIZE:octets.length]
