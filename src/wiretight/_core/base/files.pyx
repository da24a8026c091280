"""Files that a program names, read with system calls."""

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from cpython.object cimport PyObject
from libc.errno cimport EFBIG, EINTR, errno
from posix.fcntl cimport O_RDONLY, open
from posix.unistd cimport close, read

from wiretight._core.openssl.crypto cimport OPENSSL_cleanse

from wiretight._standard.system import os, stat, time

# A file that has changed within the last seconds can change again without a change of its times, which are that coarse
# on some file systems (FAT: two seconds).
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
    if b"\0" in <bytes>given:
        raise ValueError("embedded null byte")
    return given


cdef str absolute(object path):
    """The path from the root, for a program that goes to another directory before the file is read again."""
    name = os.fsdecode(path_of(path, None))
    try:
        return os.path.join(os.getcwd(), name)
    except FileNotFoundError:
        return name         # the directory has been removed, and nothing in it will be read again


cdef bytes file_content(object path, str argument):
    return file_content_and_status(path, argument)[0]


cdef tuple file_content_and_status(object path, str argument):
    cdef int fd = open_file(path, argument)
    try:
        status = os.fstat(fd)
        return content_of(fd), status
    finally:
        close(fd)


cdef tuple identity_of(object status):
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


cdef bint is_settled(object status):
    return (
        stat.S_ISREG(status.st_mode)
        and not 0 <= time.time() - max(status.st_mtime, status.st_ctime) <= SETTLED_AFTER
    )


cdef int open_file(object path, str argument) except -1:
    """With system calls: Python's open() reports a lack of memory as a RuntimeError, accepts a descriptor's number as a
    path, and may have been replaced by the program.
    """
    cdef bytes name = path_of(path, argument)
    cdef const char *octets = name
    cdef object shown = path if isinstance(path, (str, bytes)) else os.fsdecode(name)
    cdef int fd, error
    PySys_Audit("open", "OOi", <PyObject *>shown, <PyObject *>None, O_RDONLY | O_CLOEXEC)
    while True:
        with nogil:
            fd = open(octets, O_RDONLY | O_CLOEXEC)
            error = errno
        if fd >= 0:
            return fd
        if error != EINTR:
            raise OSError(error, os.strerror(error), shown)
        PyErr_CheckSignals()


cdef bytes content_of(int fd):
    """What was read on the way is overwritten: it may be a key."""
    cdef bytearray content = bytearray()
    cdef bytes chunk = PyBytes_FromStringAndSize(NULL, CHUNK_SIZE)
    cdef char *buffer = PyBytes_AS_STRING(chunk)
    cdef ssize_t got
    cdef int error
    try:
        while len(content) <= SIZE_LIMIT:
            with nogil:
                got = read(fd, buffer, CHUNK_SIZE)
                error = errno
            if got > 0:
                content += memoryview(chunk)[:got]
            elif got == 0:
                return bytes(content)
            elif error == EINTR:
                PyErr_CheckSignals()
            else:
                raise OSError(error, os.strerror(error))
        raise OSError(EFBIG, f"{os.strerror(EFBIG)}: certificates, keys and CRLs are read up to {SIZE_LIMIT >> 20} MiB")
    finally:
        OPENSSL_cleanse(buffer, min(<Py_ssize_t>len(content), <Py_ssize_t>CHUNK_SIZE))
        OPENSSL_cleanse(PyByteArray_AS_STRING(content), len(content))


def read_file(path, /):
    """The content of a file of certificates or keys, as contexts read theirs.

    Raises OSError if it cannot be read, or is longer than 64 MiB. Since 0.1.
    """
    return file_content(path, None)
