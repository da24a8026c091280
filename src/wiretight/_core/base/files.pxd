"""Files that a program names, read with system calls."""

cdef bytes path_of(object path, str argument)               # raises TypeError with `argument`
cdef str working_directory()                # "" if there is none any more
cdef str absolute(object path, str folder)
cdef bytes file_content(object path, str argument)          # and OSError with the file's name

# (content, os.stat_result): the latter is older, so that whatever is written meanwhile is noticed as a change
cdef tuple file_content_and_status(object path, str argument)
cdef tuple identity_of(object status)       # that of a file that is written or replaced is another one
cdef bint is_settled(object status)         # whether its identity can be relied on
