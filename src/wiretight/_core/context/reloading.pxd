"""Reloading: a context takes over what has been renewed: files of certificates, and a trust store that has grown."""

from wiretight._core.context.context cimport Context
from wiretight._core.context.settings cimport Settings


# The context's for a new connection, after a look at its files if one is due
cdef Settings fresh_settings(Context context)
cdef Settings present_settings(Context context)         # with what its trust store has got since
