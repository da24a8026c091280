"""State: what can still be read and sent on a connection, and the table of how one state leads to another.

Only Stream.enter() changes the state of a connection. A build with -Dlock_checks=true aborts where it would go a way
that is not in the table; docs/states.md has it as a picture.
"""

# In the order of the enum. From a state, to each that may be next: why.
TRANSITIONS = {
    "OPEN": {
        "GONE": "the kernel reports a reset, and the call has something else to tell",
        "RESET": "a call tells of a reset",
        "CUT": "the end without close_notify",
        "LOST": "no memory",
    },
    "GONE": {
        "RESET": "a call tells of the reset",
        "CUT": "the end without close_notify",
        "LOST": "no memory",
    },
    "RESET": {
        "ENDED": "the end without close_notify",
        "LOST": "no memory",
    },
    "CUT": {
        "ENDED": "a call tells of a reset",
        "LOST": "no memory",
    },
    "ENDED": {
        "LOST": "no memory",
    },
    "LOST": {},
}

cdef bint legal[STATES][STATES]


cdef bint follows(State before, State after) noexcept nogil:
    """Whether the table has it."""
    return legal[<int>before][<int>after]


cdef int read_table() except -1:
    cdef list names = list(TRANSITIONS)
    for before, following in TRANSITIONS.items():
        for after in following:
            legal[<int>names.index(before)][<int>names.index(after)] = True
    return 0


read_table()
