"""Files that a program names, read with system calls."""

cdef bytes path_of(object path, str argument)               # raises TypeError with `argument`
cdef bytes file_content(object path, str argument)          # and OSError with the file's name
cdef int open_file(object path, str argument) except -1     # as file_content(); for close()
cdef bytes content_of(int fd)
