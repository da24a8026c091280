"""Host name: how the name of a server goes over the wire."""

cdef str a_label(object hostname)       # None for None
