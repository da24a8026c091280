"""Telling: what a program's handshake_callback is told, once a verb is over."""

from wiretight._core.connection.connection cimport Connection
from wiretight._core.context.tally cimport wt_has_news

cdef int tell_of_handshake(Connection connection) except -1     # if there is news


cdef inline bint has_news(Connection connection) noexcept nogil:
    """Whether its handshake is over, and nobody was told. Every call asks, and for nearly all there is none."""
    return wt_has_news(&connection.account.news)
