"""State: what can still be read from and sent on a connection, and the table of transitions."""

cdef enum State:
    OPEN        # as far as any call knows
    GONE        # nothing can be sent any more, which no call has reported yet
    RESET       # nothing can be sent any more; what the peer sent before can be read
    CUT         # the peer's stream ended without close_notify
    ENDED       # both: nothing can be read, and nothing sent
    LOST        # there was no memory for bytes of the stream: it cannot go on

cdef enum:
    STATES = 6

cdef bint follows(State before, State after) noexcept nogil
