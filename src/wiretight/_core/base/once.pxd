"""What threads share without a lock; once.h describes it."""

cdef extern from "once.h" nogil:
    ctypedef struct wt_once:
        pass
    ctypedef struct wt_owners:
        pass
    void wt_once_init(wt_once *once)
    void *wt_once_get(wt_once *once)
    bint wt_once_set(wt_once *once, void *value)
    void wt_owners_init(wt_owners *owners)
    void wt_owners_join(wt_owners *owners)
    bint wt_owners_leave(wt_owners *owners)
