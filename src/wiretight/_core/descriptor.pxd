"""Descriptor: a descriptor that is owned, and the lock of the connection that uses it."""

from cpython.pythread cimport PyThread_type_lock

cdef extern from "mutex.h" nogil:
    ctypedef struct wt_mutex:
        pass
    int wt_mutex_init(wt_mutex *mutex)
    void wt_mutex_destroy(wt_mutex *mutex)
    void wt_mutex_after_fork(wt_mutex *mutex, int count)
    bint wt_mutex_try(wt_mutex *mutex)
    void wt_mutex_lock(wt_mutex *mutex)
    void wt_mutex_unlock(wt_mutex *mutex)
    bint wt_mutex_contended(wt_mutex *mutex)

cdef extern from "pythread.h" nogil:
    unsigned long PyThread_get_thread_ident()


cdef class Descriptor:
    cdef int fd                     # -1 once it was given back, and over BIOs
    cdef wt_mutex lock
    cdef unsigned long owner        # the thread that holds the lock, 0 for none
    cdef int waiting                # threads that wait for the descriptor
    cdef PyThread_type_lock gone    # opened by the last of them for the release() that waits for it
    cdef unsigned long forks        # how many there had been when a thread of this process used it last
    cdef unsigned long forks_before     # how many there had been when it was made
    cdef bint torn

    # The lock
    cdef int enter(self) except -1
    cdef int enter_io(self) except -1
    cdef bint is_mine(self) noexcept
    cdef bint is_torn(self) noexcept
    cdef bint is_inherited(self) noexcept
    cdef void after_fork(self) noexcept
    cdef void leave(self) noexcept nogil
    cdef void let_others_in(self) noexcept nogil

    # Around a wait
    cdef void go_away(self) noexcept nogil
    cdef void come_back(self) noexcept nogil
    cdef int serve_signals(self) except -1

    # The end
    cdef int release(self, bint shut_down) except -1
