"""Channel: a connection as the transport of an event loop drives it. It never waits, and seldom raises.

It moves the bytes between protocol and kernel. Everything that happens seldom it leaves to the transport, a subclass in
Python, by calling its methods: `_progress` (the descriptor is ready, but the connection is not open), `_read_ended`,
`_write_blocked`, `_drained`, `_write_failed`, `_write_refused`, `_protocol_failed`, `_watch_again` (the loop may have
stopped watching), and `_broke` if one of them fails.

What the protocol writes is encrypted and sent at once. If the kernel is full, the wire owns the encrypted records, and
the rest waits here as it was written.

A callback of OpenSSL (a message, a server name, a key log) may use the transport in the middle of any step. After a
step, `discards` (after close()) and `ended` (after abort()) are therefore checked again.
"""

from collections import deque

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from libc.stdint cimport uint64_t

from wiretight._core.base.errors cimport AGAIN, CLOSED, DONE, FAILED, WANT_CALLBACK, WANT_READ, WANT_WRITE
from wiretight._core.connection.connection cimport Connection
from wiretight._core.connection.stream cimport READ, WRITE, Operation, Stream, operation
from wiretight._core.drivers.buffers cimport Buffers

cdef extern from "Python.h":
    PyObject *new_bytes "PyBytes_FromStringAndSize"(const char *data, Py_ssize_t size) except NULL
    int resize_bytes "_PyBytes_Resize"(PyObject **data, Py_ssize_t size) except -1
    void Py_DECREF(PyObject *data)
    char *bytes_data "PyBytes_AS_STRING"(PyObject *data)

cdef extern from "lend.h" nogil:
    enum:
        WT_LENT_SIZE
    unsigned char *wt_lend()
    void wt_give_back(unsigned char *buffer)

cdef enum:
    HANDS_OVER_GIL = 4096   # as in driver: with fewer bytes, a step ends before another thread could take the GIL
    IN_PLACE = 16384        # more is decrypted into the bytes object that the protocol gets; less is copied once
    ROOM = 65536            # the most that one step can read, and no more than a lent buffer has
    MOST_STEPS = 16         # for one readiness of the descriptor: the loop has other connections
    MOST_OVERHEAD = 65536   # bytes that are not data, likewise: a peer may send nothing else, and they cost far more

# The outcomes of a step, for the transport.
STATUS_DONE = <int>DONE
STATUS_WANT_READ = <int>WANT_READ
STATUS_WANT_WRITE = <int>WANT_WRITE
STATUS_WANT_CALLBACK = <int>WANT_CALLBACK
STATUS_CLOSED = <int>CLOSED
STATUS_FAILED = <int>FAILED


cdef class Channel(Steps):
    """The native half of a transport. Since 0.1."""

    # --- Set up -------------------------------------------------------------------------------------------------------

    def _bind(self, Stream connection not None, bint edge_triggered, bint stops_in_error):
        """Takes `connection` over: nobody else reads from its descriptor.

        With `edge_triggered`, what is left unread is not reported again, so that reading goes on until there is
        nothing. With `stops_in_error`, the loop reports a descriptor in error, and then no longer watches it.
        Since 0.1.
        """
        self.connection = connection
        self.edge_triggered = edge_triggered
        self.stops_in_error = stops_in_error
        connection.is_awaited = True
        connection.wire.reads_ahead = True  # nobody else knows the connection yet

    def _set_flow(self, bint delivers, bint accepts, bint discards):
        """Whether incoming data goes to the protocol, what is written is sent, and incoming data is discarded.

        Since 0.1.
        """
        self.delivers = delivers
        self.accepts = accepts
        self.discards = discards

    def _set_protocol(self, protocol, bint is_buffered):
        """Sets the protocol to deliver to, and whether it provides the buffers. Since 0.1."""
        self.protocol = protocol
        self.is_buffered = is_buffered

    def get_protocol(self):
        """The protocol. Since 0.1."""
        return self.protocol

    # --- Incoming -----------------------------------------------------------------------------------------------------

    def _read_ready(self):
        """Called if the descriptor is readable. Since 0.1.

        OpenSSL: SSL_read_ex(3)
        """
        try:
            self.read_ready()
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._broke(error)

    cdef int read_ready(self) except -1:
        cdef int status = DONE
        cdef int steps = 0
        cdef uint64_t most
        self.bound()
        if self.is_in_error():
            self._watch_again()
        if not self.delivers:       # a thread of the executor may be at it
            self._progress()
            return 0
        most = self.bytes_in + MOST_OVERHEAD
        while status == DONE and self.delivers and steps < MOST_STEPS and self.bytes_in < most:
            try:
                status = self.receive_in_place() if self.is_buffered else self.receive()
            except MemoryError:
                status = self.ran_out()
            steps += 1
            most += self.last_read
            # A full step has not emptied the kernel: another look is cheaper than another call by the loop.
            if status == DONE and self.last_read < ROOM and not self.has_more():
                break
        if status == CLOSED or status == FAILED or status == WANT_WRITE:
            if self.delivers or status == FAILED:       # a failure is reported once, even to a protocol that has paused
                self._read_ended(status)
        elif status == DONE and self.delivers and self.has_more():
            self._read_later()
        elif status == WANT_CALLBACK:
            self._suspended()
        # An answer to the peer (KeyUpdate, renegotiation), or a write that had to wait for what was read.
        if self.queued or self.unsent():
            self._write_blocked()
        return 0

    def _discard(self):
        """Reads and discards as much as one turn of the loop allows, and returns the status. Since 0.1.

        OpenSSL: SSL_read_ex(3)
        """
        cdef int status = DONE
        cdef size_t got = 0
        cdef int steps = 0
        cdef uint64_t most = self.bytes_in + MOST_OVERHEAD
        cdef unsigned char *scratch = wt_lend()
        if scratch == NULL:
            raise MemoryError
        try:
            while status == DONE and not self.ended and steps < MOST_STEPS and self.bytes_in < most:
                status = self.read_step(<char *>scratch, ROOM, &got)
                steps += 1
                most += got
        finally:
            wt_give_back(scratch)
        return status

    cdef int receive(self) except -1:
        cdef unsigned char *lent
        cdef PyObject *data
        cdef size_t got = 0
        cdef int status
        cdef object received = None
        if self.last_read < IN_PLACE:
            lent = wt_lend()
            if lent == NULL:
                raise MemoryError
            try:
                status = self.read_step(<char *>lent, ROOM, &got)
                if got:
                    received = PyBytes_FromStringAndSize(<char *>lent, got)
            finally:
                wt_give_back(lent)
        else:
            data = new_bytes(NULL, ROOM)
            try:
                status = self.read_step(bytes_data(data), ROOM, &got)
            except BaseException:
                Py_DECREF(data)
                raise
            if got:
                if got != ROOM:
                    resize_bytes(&data, got)
                received = <object>data
            Py_DECREF(data)
        if got and not self.discards:
            try:
                self.protocol.data_received(received)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._protocol_failed(error, "data_received")
        return status

    cdef int receive_in_place(self) except -1:
        cdef Py_buffer view
        cdef size_t got = 0
        cdef int status = WANT_READ
        protocol = self.protocol        # the buffer's owner, even if the call replaces it
        try:
            buffer = protocol.get_buffer(-1)
            PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            self._protocol_failed(error, "get_buffer")
            return WANT_READ
        try:
            if view.len and self.delivers:
                status = self.read_step(<char *>view.buf, view.len, &got)
        finally:
            PyBuffer_Release(&view)
        if view.len == 0 and self.delivers:
            self._protocol_failed(RuntimeError("get_buffer() returned an empty buffer"), "get_buffer")
            return WANT_READ
        if got and not self.discards:
            try:
                protocol.buffer_updated(got)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self._protocol_failed(error, "buffer_updated")
        return status

    cdef int read_step(self, char *into, size_t size, size_t *got) except -1:
        cdef Operation op = operation(READ, into, size)
        cdef int status = self.attempt(&op, self.last_read < HANDS_OVER_GIL)
        self.last_read = got[0] = op.got
        return DONE if status == AGAIN else status      # and there is more

    # --- Outgoing -----------------------------------------------------------------------------------------------------

    def write(self, data):
        """Sends the bytes-like `data`; what the kernel does not accept now is sent later.

        Raises TypeError for anything else, RuntimeError after write_eof(). After close() it does nothing. Since 0.1.
        OpenSSL: SSL_write_ex(3)
        """
        cdef Py_buffer view
        cdef size_t taken = 0
        cdef int status = WANT_WRITE
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            if view.len == 0:
                return
            if not self.accepts:
                self._write_refused(data)
                return
            if self.queued or self.unsent() or self.connection.wire.is_callback():
                self.enqueue(data, 0, False)
            else:
                status = self.send_step(<char *>view.buf, view.len, &taken)
                if status == DONE:
                    return
                if status != FAILED and taken < <size_t>view.len and not self.ended:
                    try:
                        self.enqueue(data, taken, True)     # before what a callback wrote meanwhile
                    except MemoryError:
                        if taken == 0:
                            raise
                        status = self.ran_out()
        finally:
            PyBuffer_Release(&view)
        self.tell_of_write(status)

    def writelines(self, list_of_data):
        """Sends several bytes-like objects as if they were one, without a copy of those that are large.

        Raises TypeError, and sends nothing, if one of them is not bytes-like; and what write() does. Since 0.1.
        OpenSSL: SSL_write_ex(3)
        """
        cdef Buffers buffers = Buffers(list_of_data)
        cdef Operation op = operation(WRITE, NULL, buffers.size)
        cdef size_t taken = 0
        cdef int status
        self.bound()
        if not self.accepts or self.queued or self.unsent() or self.connection.wire.is_callback():
            self.write(b"".join(buffers.objects))       # is kept, or refused
            return
        if buffers.size == 0:
            return
        op.pieces = &buffers.pieces
        status = self.send_op(&op, &taken)
        if status == DONE:
            return
        if status != FAILED and taken < buffers.size and not self.ended:
            try:
                self.enqueue(b"".join(buffers.objects), taken, True)
            except MemoryError:
                if taken == 0:
                    raise
                status = self.ran_out()
        self.tell_of_write(status)

    cdef int tell_of_write(self, int status) except -1:
        try:
            if status == FAILED:
                self._write_failed()
            else:
                self._write_blocked()
        except Exception as error:      # the data is kept, but nobody would send it
            self._broke(error)
        return 0

    def _enqueue(self, data):
        """Keeps `data` to be sent later. Since 0.1."""
        self.enqueue(data, 0, False)

    def _write_ready(self):
        """Called if the descriptor is writable. Since 0.1.

        OpenSSL: SSL_write_ex(3)
        """
        cdef Py_buffer view
        cdef size_t taken = 0
        cdef int status = DONE
        while status == DONE and self.queued:
            data = self.queue[0]
            PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
            try:
                status = self.send_step(<char *>view.buf, view.len, &taken)
            finally:
                PyBuffer_Release(&view)
            if self.ended:
                break
            self.queued -= taken
            if taken == <size_t>view.len:
                self.queue.popleft()
            elif taken:
                try:
                    self.queue[0] = memoryview(data)[taken:]
                except MemoryError:
                    status = self.ran_out()
        if status == DONE and not self.ended:
            status = self.send_step(NULL, 0, &taken)
        if status == FAILED:
            self._write_failed()
        elif self.ended:
            return
        elif status == DONE:
            self.queue = None
            self._drained()
        else:
            self._write_went_on(status == WANT_WRITE)

    def get_write_buffer_size(self):
        """How many bytes wait for the kernel, as plaintext and as encrypted records. Since 0.1."""
        if self.ended:
            return 0
        return self.queued + self.unsent()

    def _has_output(self):
        """Whether anything waits for the kernel. Since 0.1."""
        return bool(self.queued or self.unsent())

    def _drop_output(self):
        """Drops what has not been sent, for good. While it is lent, only what has not been encrypted. Since 0.1."""
        cdef Stream connection = self.bound()
        self.ended = True
        self.queue = None
        self.queued = 0
        # In a callback, the step will go on with what it has, and no record must be cut. In a child whose parent was in
        # one, nothing is sent anyway.
        if not (self.is_lent() or connection.wire.is_callback() or connection.wire.orphaned_by_fork()):
            connection.ask(forget_unsent, NULL)

    cdef int send_step(self, char *data, size_t size, size_t *taken) except -1:
        cdef Operation op = operation(WRITE, data, size)
        return self.send_op(&op, taken)

    cdef int send_op(self, Operation *op, size_t *taken) except -1:
        cdef int status = self.attempt(op, op.size < HANDS_OVER_GIL)
        taken[0] = op.writing.committed
        if status == WANT_CALLBACK:
            return WANT_READ    # the transport awaits the decision (_write_went_on), and writing goes on after it
        # It read a renegotiation that has not ended: the loop calls again, because the descriptor is writable.
        return WANT_WRITE if status == AGAIN else status

    cdef int enqueue(self, object data, size_t taken, bint first) except -1:
        """Queues what follows the first `taken` bytes: as it is if it is immutable, otherwise as a copy."""
        if type(data) is not bytes:
            data = bytes(memoryview(data).cast("B")[taken:])
        elif taken:
            data = memoryview(data)[taken:]
        if self.queue is None:
            self.queue = deque()
        if first:
            self.queue.appendleft(data)
        else:
            self.queue.append(data)
        self.queued += len(data)
        return 0

    cdef size_t unsent(self) except? 0xFFFFFFFF:
        """How many bytes of records wait for the kernel; 0 while the connection is lent."""
        cdef size_t size = 0
        if not self.is_lent():
            self.bound().ask(ask_unsent, &size)
        return size


cdef void ask_unsent(Connection connection, void *answer) noexcept nogil:
    cdef void *stream = <void *>connection
    (<size_t *>answer)[0] = (<Stream>stream).wire.unsent_end - (<Stream>stream).wire.unsent_start


cdef void forget_unsent(Connection connection, void *_) noexcept nogil:
    (<Stream><void *>connection).wire.forget()
