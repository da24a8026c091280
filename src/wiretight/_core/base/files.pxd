"""Files: what a program names, read by system calls."""

cdef bytes path_of(object path, str argument)               # raises TypeError with `argument`
cdef bytes file_content(object path, str argument)          # and OSError with the file's name
cdef int opened(object path, str argument) except -1        # as file_content(); for close()
cdef bytes content_of(int fd)
