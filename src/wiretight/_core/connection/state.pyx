"""State: what can still be read from and sent on a connection, and the table of transitions.

Only Stream.enter() changes the state of a connection. A build with -Dlock_checks=true aborts on a transition that is
not in the table. docs/states.md draws it.
"""

# In the order of the enum. For each state, the ones that may follow, and why they do.
TRANSITIONS = {
    "OPEN": {
        "GONE": "the kernel reports a reset, and the call has something else to report",
        "RESET": "a call reports a reset",
        "CUT": "the end without close_notify",
        "LOST": "no memory",
    },
    "GONE": {
        "RESET": "a call reports the reset",
        "CUT": "the end without close_notify",
        "LOST": "no memory",
    },
    "RESET": {
        "ENDED": "the end without close_notify",
        "LOST": "no memory",
    },
    "CUT": {
        "ENDED": "a call reports a reset",
        "LOST": "no memory",
    },
    "ENDED": {
        "LOST": "no memory",
    },
    "LOST": {},
}

cdef bint legal[STATES][STATES]


cdef bint follows(State before, State after) noexcept nogil:
    """Whether the table has this transition."""
    return legal[<int>before][<int>after]


cdef int read_table() except -1:
    cdef list names = list(TRANSITIONS)
    for before, following in TRANSITIONS.items():
        for after in following:
            legal[<int>names.index(before)][<int>names.index(after)] = True
    return 0


read_table()
