"""Ranking: which of the exceptions that come up in one call it raises. The others are behind that one."""

cdef object CONTEXT = BaseException.__context__     # past a property of this name in a program's class


cdef object foremost_of(object earlier, object later):
    """Which of two exceptions a call raises: the last one, as in `ssl`, unless the earlier one ends more. The other is
    its context.
    """
    if severity(earlier) > severity(later):
        put_behind(earlier, later)
        return earlier
    put_behind(later, earlier)
    return later


cdef int severity(object error) noexcept:
    """How much it ends: the program, a task of some kind, or nothing but a call."""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        return 2
    return 0 if isinstance(error, Exception) else 1


cdef void put_behind(object error, object other) noexcept:
    """Makes `other` the context of the last error behind `error`, unless that would close a circle."""
    cdef set seen = set()
    each = other
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        each = CONTEXT.__get__(each)
    while id(error) not in seen:
        seen.add(id(error))
        behind = CONTEXT.__get__(error)
        if behind is None:
            CONTEXT.__set__(error, other)
            return
        error = behind
