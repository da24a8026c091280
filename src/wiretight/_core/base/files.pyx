"""Files that a program names, read with system calls."""

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from libc.errno cimport EFBIG, EINTR, errno
from libc.string cimport memcpy
from posix.fcntl cimport O_RDONLY, open
from posix.unistd cimport close, read

from wiretight._core.openssl.crypto cimport OPENSSL_cleanse

from wiretight._standard.system import os, stat, time

# A file that has changed within the last seconds can change again without a change of its times, which are that coarse
# on some file systems (FAT: two seconds). The clock of a file server may be a little ahead of ours.
SETTLED_AFTER = 3

cdef extern from "Python.h":
    bytes PyUnicode_EncodeFSDefault(object text)
    int PySys_Audit(const char *event, const char *format, ...) except -1

cdef extern from "<fcntl.h>":
    int O_CLOEXEC

cdef enum:
    CHUNK_SIZE = 64 * 1024
    SIZE_LIMIT = 64 * 1024 * 1024       # a device or a pipe may have no end


cdef bytes path_of(object path, str argument):
    cdef object given = path
    # Not os.fspath(), which reports a lack of memory as a wrong type.
    if not isinstance(path, (str, bytes)):
        method = getattr(type(path), "__fspath__", None)
        given = None if method is None else method(path)
    if isinstance(given, str):
        given = PyUnicode_EncodeFSDefault(given)
    elif not isinstance(given, bytes):
        if argument is None:
            raise TypeError(f"expected str, bytes or os.PathLike object, not {type(path).__name__}")
        raise TypeError(f"{argument} should be a valid filesystem path")
    elif type(given) is not bytes:
        given = bytes(memoryview(given))
    if b"\0" in <bytes>given:
        raise ValueError("embedded null byte")
    return given


cdef str working_directory():
    try:
        return os.getcwd()
    except OSError:
        return ""           # it has been removed, and nothing in it will be read again


cdef str absolute(object path, str folder):
    """The path from the root, for a program that goes to another directory before the file is read again."""
    return os.path.join(folder, os.fsdecode(path_of(path, None)))


cdef bytes file_content(object path, str argument):
    return file_content_and_status(path, argument)[0]


cdef tuple file_content_and_status(object path, str argument):
    cdef bytes name = path_of(path, argument)
    cdef object shown = path if isinstance(path, (str, bytes)) else os.fsdecode(name)   # what an OSError tells
    cdef int fd = open_file(name, shown)
    try:
        status = os.fstat(fd)
        return content_of(fd), status
    except OSError as error:
        error.filename = shown
        raise
    finally:
        close(fd)


cdef tuple identity_of(object status):
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


cdef bint is_settled(object status):
    return (
        stat.S_ISREG(status.st_mode)
        and abs(time.time() - max(status.st_mtime, status.st_ctime)) > SETTLED_AFTER
    )


cdef int open_file(bytes name, object shown) except -1:
    """With system calls: Python's open() reports a lack of memory as a RuntimeError, accepts a descriptor's number as a
    path, and may have been replaced by the program.
    """
    cdef const char *octets = name
    cdef int fd, error
    PySys_Audit("open", "OOi", <PyObject *>shown, <PyObject *>None, O_RDONLY | O_CLOEXEC)
    while True:
        with nogil:
            fd = open(octets, O_RDONLY | O_CLOEXEC)
            error = errno
        if fd >= 0:
            return fd
        if error != EINTR and b"-----BEGIN" in name:     # maybe a key, which no error message may tell
            raise OSError(error, f"{os.strerror(error)}: the path of a file was expected, and not its content")
        if error != EINTR:
            raise OSError(error, os.strerror(error), shown)
        PyErr_CheckSignals()


cdef bytes content_of(int fd):
    """What was read on the way is overwritten: it may be a key."""
    cdef bytearray buffer = bytearray(CHUNK_SIZE)
    cdef Py_ssize_t length = 0
    cdef Py_ssize_t space
    cdef char *at
    cdef ssize_t got
    cdef int error
    try:
        while length <= SIZE_LIMIT:
            if length == len(buffer):
                buffer = enlarged(buffer)
            at = PyByteArray_AS_STRING(buffer) + length
            space = len(buffer) - length
            with nogil:
                got = read(fd, at, space)
                error = errno
            if got > 0:
                length += got
            elif got == 0:
                return PyBytes_FromStringAndSize(PyByteArray_AS_STRING(buffer), length)
            elif error == EINTR:
                PyErr_CheckSignals()
            else:
                raise OSError(error, os.strerror(error))
        raise OSError(EFBIG, f"{os.strerror(EFBIG)}: certificates, keys and CRLs are read up to {SIZE_LIMIT >> 20} MiB")
    finally:
        OPENSSL_cleanse(PyByteArray_AS_STRING(buffer), length)


cdef bytearray enlarged(bytearray buffer):
    """A bytearray that grows by itself leaves a copy of its content behind."""
    cdef bytearray larger = bytearray(2 * len(buffer))
    memcpy(PyByteArray_AS_STRING(larger), PyByteArray_AS_STRING(buffer), len(buffer))
    OPENSSL_cleanse(PyByteArray_AS_STRING(buffer), len(buffer))
    return larger


def read_file(path, /):
    """The content of a file of certificates or keys, as contexts read theirs.

    Raises OSError if it cannot be read, or is longer than 64 MiB. Since 0.1.
    """
    return file_content(path, None)
