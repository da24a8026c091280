"""Reloading: a context looks for renewed files of certificates now and then."""

from wiretight._core.context.context cimport Context
from wiretight._core.context.settings cimport Settings


# The context's, after a look at its files if one is due
cdef Settings fresh_settings(Context context)
