"""Handover: what ThreadSanitizer is told of objects that threads give each other by what is Python's."""

cdef extern from "handover.h" nogil:
    void wt_hand_over(void *object)     # by a thread that has written to it
    void wt_take_over(void *object)     # by the one that got it
