"""MemorySessionStore: the sessions that clients of this process have, to resume with."""

cimport cython
from libc.time cimport time

from wiretight._core.session.session cimport SSLSession, expires_at, is_another_process

cdef enum:
    MOST_PER_KEY = 16       # a server sends two tickets a connection, and a client may use none of them


@cython.final
cdef class MemorySessionStore:
    """A SessionStore in the memory of the process: at most `capacity` sessions, of the servers used last.

    Contexts may share it, also across threads: what is found for one of them was made on the same terms. Raises
    ValueError for a capacity below 1. Since 0.1. Source: RFC 8446, section 4.6.1 and appendix C.4.
    """
    # By key, the one used last at the end; of each, the newest session at the end. Nothing in a critical section runs
    # Python: what is dropped is kept until its end, because the last reference to a context may be among it.
    cdef dict sessions
    cdef Py_ssize_t count
    cdef Py_ssize_t most

    def __cinit__(self, Py_ssize_t capacity=1000):
        if capacity < 1:
            raise ValueError(f"capacity must be at least 1, not {capacity}")
        self.sessions = {}
        self.most = capacity

    def __reduce__(self):
        raise TypeError(f"cannot pickle {type(self).__name__!r} object: sessions are secrets")

    def __len__(self):
        """How many sessions there are, those that have expired included. Since 0.1."""
        return self.count

    @property
    def capacity(self):
        """The most sessions that it holds. Since 0.1."""
        return self.most

    def put(self, str key not None, SSLSession session not None):
        """Keeps `session` for `key`. Raises TypeError for anything else. Since 0.1."""
        cdef list first = []
        cdef list own
        cdef list dropped = []
        with cython.critical_section(self):
            own = self.sessions.get(key)
            if own is None:
                own = first
            own.append(session)
            self.count += 1
            self.sessions.pop(key, None)
            try:
                self.sessions[key] = own
            except MemoryError:
                self.count -= len(own)
                raise
            if len(own) > MOST_PER_KEY:
                self.drop(own, dropped)
            while self.count > self.most:
                self.drop_oldest(dropped)

    def take(self, str key not None):
        """The newest session of `key`, or None. One of TLS 1.3 is used once, so it is removed; one of TLS 1.2 as well,
        until the connection that resumes it puts it back. After a fork(), those of TLS 1.3 are the parent's alone.
        Since 0.1.
        """
        cdef list own
        cdef list dropped = []
        cdef SSLSession session = None
        cdef double now = time(NULL)
        with cython.critical_section(self):
            own = self.sessions.get(key)
            while own:
                session = own.pop()
                self.count -= 1
                if expires_at(session.session) > now and not is_another_process(session):
                    break
                dropped.append(session)
                session = None
            if own is not None and not own:
                del self.sessions[key]
        return session

    def clear(self):
        """Forgets all sessions, as after a change of user. Since 0.1."""
        cdef dict dropped = {}
        with cython.critical_section(self):
            dropped, self.sessions = self.sessions, dropped
            self.count = 0

    cdef int drop(self, list own, list dropped) except -1:
        dropped.append(own.pop(0))
        self.count -= 1
        return 0

    cdef int drop_oldest(self, list dropped) except -1:
        cdef str key = oldest(self.sessions)
        cdef list own = self.sessions[key]
        self.drop(own, dropped)
        if not own:
            del self.sessions[key]
        return 0


cdef str oldest(dict sessions):
    for key in sessions:
        return key
