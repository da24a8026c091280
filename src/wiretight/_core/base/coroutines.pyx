"""Coroutines: what a callback that nobody awaits must not be, and not return.

A coroutine that is dropped has done nothing of what its function says, and nobody hears more of it than a warning. So
it is an error, at the latest when the callback returns it.
"""

from cpython.exc cimport PyErr_SetObject, PyErr_WriteUnraisable

from collections.abc import AsyncGenerator, Coroutine
from types import GeneratorType

# The flags of a function's code: Python's documentation, inspect.
cdef enum:
    CO_COROUTINE = 0x80
    CO_ITERABLE_COROUTINE = 0x100       # of a generator that types.coroutine() has made one
    CO_ASYNC_GENERATOR = 0x200
    NEVER_RUN = CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR


cpdef object no_coroutine_function(object callback, str name):
    """`callback`, which is called `name`. Raises TypeError for a coroutine function. Since 0.1."""
    try:
        flags = getattr(getattr(getattr(callback, "__func__", callback), "__code__", None), "co_flags", 0)
    except Exception:       # of its own __getattr__(): it is no function
        flags = 0
    if isinstance(flags, int) and flags & NEVER_RUN:
        raise refusal(name)
    return callback


cpdef object no_coroutine(object answer, str name, bint decides=True):
    """What the callback `name` has returned. Raises TypeError for a coroutine, which a functools.partial may make, too.

    If the answer `decides` something, nothing else may have to be awaited for it. Otherwise it may be a task, which the
    callback has started, and which runs by itself. Since 0.1.
    """
    if answer is not None and (is_coroutine(answer) or decides and hasattr(type(answer), "__await__")):
        close_coroutine(answer)
        raise refusal(name)
    return answer


cdef int close_coroutine(object answer) except -1:
    """Or it would warn that it was never awaited. Anything else that can be awaited is the program's, and stays open.
    """
    if not issubclass(type(answer), Coroutine):
        return 0
    try:
        answer.close()
    except Exception as error:      # which must not hide what was wrong
        PyErr_SetObject(type(error), error)
        PyErr_WriteUnraisable(answer)
    return 0


cdef bint is_coroutine(object answer) except -1:
    """Whether what its function says has not begun, and does not unless somebody asks for it."""
    if type(answer) is GeneratorType:
        return answer.gi_code.co_flags & CO_ITERABLE_COROUTINE != 0
    return issubclass(type(answer), (Coroutine, AsyncGenerator))


cdef object refusal(str name):
    return TypeError(f"{name} cannot be a coroutine function: nobody awaits it")
