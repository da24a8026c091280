"""Executor: where the transports of an event loop compute the handshakes of a context, instead of on the loop."""

from wiretight._core.context.context cimport Context, settings_of, update_settings
from wiretight._core.context.settings cimport Settings

# Their workers have memory of their own, and no connection can be sent there.
cdef tuple ELSEWHERE = ("concurrent.futures.process", "concurrent.futures.interpreter")


def handshake_executor(Context context not None, /):
    """The executor, or None. Since 0.1."""
    return settings_of(context).kept.get("handshake_executor")


def set_handshake_executor(Context context not None, executor, /):
    """Sets an object with a method submit(), or None.

    Raises TypeError for anything else, and for an executor of processes or interpreters. Since 0.1.
    """
    if executor is not None:
        check_executor(executor)
    update_settings(context, put_executor, executor)


cdef int check_executor(object executor) except -1:
    if isinstance(executor, type) or not callable(getattr(executor, "submit", None)):
        name = executor.__name__ if isinstance(executor, type) else type(executor).__name__
        what = f"the class {name}" if isinstance(executor, type) else name
        raise TypeError(f"handshake_executor must be an object with submit(), such as a ThreadPoolExecutor, not {what}")
    for kind in type(executor).__mro__:
        if kind.__module__ in ELSEWHERE:    # without an import of those, which takes 20 ms
            raise TypeError(
                "handshake_executor must run threads of this interpreter: "
                f"a {kind.__name__} cannot be given a connection"
            )
    return 0


cdef int put_executor(Context _, Settings settings, object executor) except -1:
    return settings.keep("handshake_executor", executor)
