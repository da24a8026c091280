"""The locks of this package, and the gate of fork(); mutex.h has their rule."""

from libc.stdint cimport int64_t

cdef extern from "mutex.h" nogil:
    ctypedef struct wt_mutex:
        pass
    ctypedef unsigned long atomic_ulong
    ctypedef unsigned int atomic_uint
    enum:
        WT_LEVEL_CONNECTION
        WT_LEVEL_CHAINS
        WT_LEVEL_BIO
    atomic_uint wt_process
    atomic_ulong wt_forker
    void wt_mutex_init(wt_mutex *mutex, int level)
    bint wt_mutex_is_orphaned(wt_mutex *mutex)
    bint wt_mutex_try(wt_mutex *mutex)
    void wt_mutex_lock(wt_mutex *mutex)
    void wt_mutex_unlock(wt_mutex *mutex)
    bint wt_mutex_is_contended(wt_mutex *mutex)
    void wt_mutex_await(wt_mutex *mutex)
    int wt_mutex_await_caller(wt_mutex *mutex, atomic_ulong *caller, int64_t deadline)
    void wt_announce()
    bint wt_adoption_begins(atomic_uint *process)
    void wt_adoption_ends(atomic_uint *process)
    void wt_check_holds_none()
    void wt_gate_enter(const void *key)
    void wt_gate_leave(const void *key)
    void wt_gate_at_thread_end()

cdef extern from "mutex.h":
    void wt_mutex_lock_with_gil(wt_mutex *mutex)
