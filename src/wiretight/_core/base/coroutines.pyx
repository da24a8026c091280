"""Coroutines: what a callback that nobody awaits must not be, and not return.

A coroutine that is dropped has done nothing of what its function says, and nobody hears more of it than a warning. So
it is an error, at the latest when the callback returns it.
"""

cdef enum:
    CO_COROUTINE = 0x80     # the flags of a function's code: Python's documentation, inspect


cpdef object no_coroutine_function(object callback, str name):
    """`callback`, which is called `name`. Raises TypeError for a coroutine function. Since 0.1."""
    code = getattr(getattr(callback, "__func__", callback), "__code__", None)
    if getattr(code, "co_flags", 0) & CO_COROUTINE:
        raise refusal(name)
    return callback


cpdef object no_coroutine(object answer, str name, bint decides=True):
    """What the callback `name` has returned. Raises TypeError for a coroutine, which a functools.partial may make, too.

    If the answer `decides` something, nothing else may have to be awaited for it. Otherwise it may be a task, which the
    callback has started, and which runs by itself. Since 0.1.
    """
    if answer is not None and hasattr(type(answer), "__await__") and (decides or hasattr(answer, "close")):
        close_coroutine(answer)
        raise refusal(name)
    return answer


cdef int close_coroutine(object answer) except -1:
    """Or it would warn that it was never awaited."""
    if hasattr(answer, "close"):
        answer.close()
    return 0


cdef object refusal(str name):
    return TypeError(f"{name} cannot be a coroutine function: nobody awaits it")
