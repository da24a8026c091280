"""Handshakes: the callback of a Context that is told of each handshake when it is over: see connection/telling.pyx."""

from wiretight._core.base.coroutines cimport no_coroutine_function
from wiretight._core.callbacks.failures cimport callable_or_none
from wiretight._core.context.context cimport Context, settings_of, update_settings
from wiretight._core.context.settings cimport Settings


def handshake_callback(Context context not None, /):
    """The callback, or None. Since 0.1."""
    return settings_of(context).kept.get("handshake_callback")


def set_handshake_callback(Context context not None, callback, /):
    """Sets the callback. Raises TypeError if it is neither callable nor None, or a coroutine function. Since 0.1."""
    callable_or_none(callback, f"handshake_callback must be callable or None, not {type(callback).__name__}")
    update_settings(context, put_handshake_callback, no_coroutine_function(callback, "handshake_callback"))


cdef int put_handshake_callback(Context _, Settings settings, object callback) except -1:
    return settings.keep("handshake_callback", callback)
