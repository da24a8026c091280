"""Descriptor: an owned file descriptor, what the kernel reports about it, and the lock of the connection that uses it.
"""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint64_t

from wiretight._core.base.mutex cimport atomic_uint, atomic_ulong, wt_mutex


cdef class Descriptor:
    cdef int fd                     # -1 after release(), and over BIOs
    cdef bint on_socket             # over the descriptor, not over BIOs
    cdef wt_mutex lock
    cdef atomic_ulong caller        # the thread whose verb runs Python, 0 for none: no other verb begins meanwhile
    cdef atomic_ulong watcher       # the thread that waits for the kernel, and may take what comes; 0 for none
    cdef int others                 # threads whose verbs wait for one of these two
    cdef bint keeps_gil             # the current verb keeps the GIL
    cdef PyObject *raised           # what a callback or a BIO raised, owned: for the verb that ran it
    cdef int waiting                # threads that wait for the descriptor
    cdef bint woken                 # by release()
    cdef atomic_uint process        # wt_process when it was last used
    cdef unsigned int first_process     # and when it was created
    cdef bint orphaned

    # What the kernel reports
    cdef int error                  # the first errno of a step; 0: none
    cdef int ending                 # errno with which the connection ended, for every later read; 0: none
    cdef bint is_gone               # the peer is gone: nothing can be sent any more
    cdef uint64_t syscalls

    # The lock: for questions, changes, and steps of verbs
    cdef int refuse_orphan(self) except -1
    cdef bint orphaned_by_fork(self) noexcept nogil
    cdef bint is_inherited(self) noexcept nogil
    cdef bint is_callback(self) noexcept nogil

    # Turns: one verb after the other
    cdef void lock_with_gil(self) noexcept
    cdef bint try_turn(self) noexcept nogil
    cdef int take_turn(self, int64_t deadline=*) noexcept nogil
    cdef int take_turn_with_gil(self) except -1
    cdef int await_turn(self, int64_t deadline=*) noexcept nogil
    cdef int yield_lock(self) noexcept nogil

    # Around Python, and around a wait
    cdef void leave_to_python(self) noexcept nogil
    cdef void back_from_python(self) noexcept nogil
    cdef void keep_raised(self, object error) noexcept
    cdef PyObject *take_raised(self) noexcept nogil
    cdef int await_watcher(self, int64_t deadline) noexcept nogil
    cdef void unlock_to_wait(self) noexcept nogil
    cdef void relock(self) noexcept nogil

    # What the kernel reports
    cdef void fail(self, int error) noexcept nogil
    cdef void look_for_refusal(self) noexcept nogil

    # The end
    cdef int release(self, bint shut_down) except -1
