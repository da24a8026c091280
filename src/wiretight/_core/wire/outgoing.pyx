"""Outgoing: the bytes that OpenSSL writes, gathered, and sent as far as the kernel accepts them.

OpenSSL's records are gathered in a lent buffer and leave in one send(). What the kernel does not accept, the wire owns,
in order, until it does. So OpenSSL never sees a full socket, and never has a write to retry.
"""

from cython cimport no_gc_clear
from libc.errno cimport EBADF, EINTR, ENOMEM, errno
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from wiretight._core.wire.biopair cimport BioPair
from wiretight._core.wire.descriptor cimport Descriptor
from wiretight._core.wire.records cimport count_records

cdef extern from "lend.h" nogil:
    enum:
        WT_LENT_SIZE
    unsigned char *wt_lend()
    void wt_give_back(unsigned char *buffer)

cdef extern from "sockets.h" nogil:
    ssize_t wt_send(int fd, const void *buffer, size_t size)
    void wt_no_sigpipe(int fd)
    bint would_block "wt_would_block"(int error)


@no_gc_clear
cdef class Outgoing(Descriptor):
    """A wire that can be written: the descriptor `fd`, or an `incoming` and an `outgoing` BIO."""

    def __cinit__(self, int fd=-1, incoming=None, outgoing=None):
        if self.on_socket:
            wt_no_sigpipe(fd)
        else:
            self.bios = BioPair(incoming, outgoing)

    def __dealloc__(self):
        free(self.unsent)

    # --- What OpenSSL calls -------------------------------------------------------------------------------------------

    cdef int put(self, const char *data, int size) noexcept nogil:
        """The BIO's write: accepts all of it, or returns -1 if there is no memory."""
        if self.out_of_memory:
            self.error = ENOMEM
            return -1
        if self.on_socket and self.gathered == NULL and not self.has_unsent():
            self.gathered = wt_lend()
        if not self.on_socket and not self.has_unsent() and self.put_into_bio(data, size) == 0:
            self.flushed += size
            self.bytes_out += size
        elif self.gathered == NULL or <size_t>size > WT_LENT_SIZE - self.gathered_size:
            if self.own(<const unsigned char *>data, size) < 0:
                self.lose()
                return -1
        else:
            memcpy(self.gathered + self.gathered_size, data, size)
            self.gathered_size += size
        self.enqueued += size
        count_records(&self.records_out, <const unsigned char *>data, size)
        return size

    cdef int put_into_bio(self, const char *data, size_t size) noexcept nogil:
        """Writes all of it to the outgoing BIO and returns 0, or nothing and returns -1."""
        cdef int kept = self.bios.put(self, data, size)
        self.bio_refused = kept < 0
        return kept

    cdef int own(self, const unsigned char *data, size_t size) noexcept nogil:
        """Appends what was gathered, and then `data`, to what the wire owns."""
        cdef size_t held = self.unsent_end - self.unsent_start
        cdef size_t capacity = held + self.gathered_size + size
        cdef unsigned char *larger
        if capacity > self.unsent_capacity - self.unsent_start:
            larger = <unsigned char *>malloc(capacity)
            if larger == NULL:
                return -1
            if held:
                memcpy(larger, self.unsent + self.unsent_start, held)
            free(self.unsent)
            self.unsent = larger
            self.unsent_capacity = capacity
            self.unsent_start = 0
            self.unsent_end = held
        if self.gathered_size:
            memcpy(self.unsent + self.unsent_end, self.gathered, self.gathered_size)
            self.unsent_end += self.gathered_size
            self.gathered_size = 0
        if size:
            memcpy(self.unsent + self.unsent_end, data, size)
            self.unsent_end += size
        return 0

    cdef void lose(self) noexcept nogil:
        """Ends the stream here, because there is no memory for the bytes that come next in it."""
        self.out_of_memory = True
        self.error = ENOMEM
        self.gathered_size = 0

    # --- To the kernel ------------------------------------------------------------------------------------------------

    cdef bint flush(self) noexcept nogil:
        """Ends a step's output: sends what the kernel accepts. True if nothing is left. A failure is in `error`."""
        cdef size_t sent
        if self.has_unsent():
            self.unsent_start += self.send_some(self.unsent + self.unsent_start, self.unsent_end - self.unsent_start)
            if not self.has_unsent():
                self.forget()
        if self.gathered != NULL:
            if self.gathered_size:
                sent = 0 if self.has_unsent() else self.send_some(self.gathered, self.gathered_size)
                self.gathered_size -= sent
                if self.gathered_size:
                    memmove(self.gathered, self.gathered + sent, self.gathered_size)
                    if self.own(NULL, 0) < 0:
                        self.lose()
            wt_give_back(self.gathered)
            self.gathered = NULL
        return not self.has_unsent()

    cdef size_t send_some(self, const unsigned char *data, size_t size) noexcept nogil:
        cdef size_t sent = 0
        cdef ssize_t took
        if not self.on_socket:
            if not self.bio_refused and self.put_into_bio(<const char *>data, size) == 0:
                sent = size
        elif self.fd < 0:
            self.error = EBADF
            return 0
        elif self.out_of_memory:
            self.error = ENOMEM
            return 0
        while self.on_socket and sent < size:
            took = wt_send(self.fd, data + sent, size - sent)
            self.syscalls += 1
            if took < 0:
                if errno == EINTR:
                    continue
                if not would_block(errno):
                    self.fail(errno)
                break
            sent += took
        self.flushed += sent
        self.bytes_out += sent
        return sent

    cdef bint has_unsent(self) noexcept nogil:
        return self.unsent_start < self.unsent_end

    cdef bint is_overfull(self) noexcept nogil:
        """Whether more is unsent than one call can leave: the peer makes us answer, and does not read."""
        return self.unsent_end - self.unsent_start > 2 * <size_t>WT_LENT_SIZE

    cdef void forget(self) noexcept nogil:
        """Frees what the wire owns."""
        free(self.unsent)
        self.unsent = NULL
        self.unsent_start = self.unsent_end = self.unsent_capacity = 0
