"""Reloading: a context takes over what has been renewed: files of certificates, and a trust store that has grown.

There is no thread: whoever makes a connection looks, if the last look was long enough ago. An error is not that
connection's: it gets the old pair.
"""

cimport cython
from cpython.exc cimport PyErr_SetObject, PyErr_WriteUnraisable
from libc.stdint cimport int64_t

from wiretight._core.base.mutex cimport wt_process
from wiretight._core.context.certfiles cimport renew_credentials
from wiretight._core.context.context cimport renew_settings, settings_of, update_settings
from wiretight._core.context.settings cimport trust_of

cdef extern from "clock.h" nogil:
    int64_t wt_now()

cdef enum:
    NANOSECONDS = 1000000000


@cython.final
cdef class Looks:
    """When something is to be looked at next, and what was reported since the last success."""

    def __cinit__(self):
        self.looking = -1

    cdef bint begins(self, int64_t now, object interval):
        with cython.critical_section(self):
            if now < self.next or self.looking == <int64_t>wt_process:
                return False
            self.next = now + <int64_t>(<double>interval * NANOSECONDS)
            self.looking = wt_process
            return True

    cdef int at_once(self) except -1:
        with cython.critical_section(self):
            self.next = 0
        return 0

    cdef int ends(self) except -1:
        with cython.critical_section(self):
            self.looking = -1
        return 0

    cdef bint is_news(self, object error):
        cdef tuple news = (type(error), text_of(error))
        return self.report(news) != news

    cdef tuple report(self, tuple news):
        cdef tuple former
        with cython.critical_section(self):
            former, self.reported = self.reported, news
        return former


cdef str text_of(object error):
    try:
        return str(error)
    except Exception:       # of a class of the program, as its `password` callable may raise
        return ""


cdef Settings fresh_settings(Context context):
    cdef Settings settings = settings_of(context)
    if settings.values.reloads:
        look(context, looks_of(context), settings.kept["reload_interval"])
    return present_settings(context)


cdef Settings present_settings(Context context):
    """A store that other contexts share may have more in it by now. A frozen context trusts that, too: it is what the
    program has set.
    """
    cdef Settings settings = settings_of(context)
    while settings.trust_store is not None and settings.trust is not trust_of(settings.trust_store):
        renew_settings(context, put_present_trust, None)
        settings = settings_of(context)
    return settings


cdef int put_present_trust(Context _, Settings settings, object unused) except -1:
    if settings.trust_store is not None:
        settings.trust = trust_of(settings.trust_store)
    return 0


cdef Looks looks_of(Context context):
    with cython.critical_section(context):
        if context.looks is None:
            context.looks = Looks()
        return context.looks


cdef int look(Context context, Looks looks, object interval) except -1:
    if not looks.begins(wt_now(), interval):
        return 0
    try:
        renew_credentials(context, False, False)
        looks.report(None)
    except Exception as error:
        if looks.is_news(error):
            report(context, error)
    finally:
        looks.ends()
    return 0


cdef int report(Context context, object error) except -1:
    callback = settings_of(context).kept.get("reload_error_callback")
    if callback is None:
        return report_unraisable(error, context)
    try:
        callback(context, error)
    except Exception as problem:
        report_unraisable(problem, callback)
    return 0


cdef int report_unraisable(object error, object subject) except -1:
    PyErr_SetObject(type(error), error)
    PyErr_WriteUnraisable(subject)
    return 0


# --- what a program calls --------------------------------------------------------------------------------------------
def reload_cert_chain(Context context not None, bint force):
    """Reads the files of load_cert_chain() again if they have changed; with `force` in any case.

    Raises ValueError if there are none, OSError and SSLError as load_cert_chain(). Since 0.1.
    """
    if "cert_files" not in settings_of(context).kept:
        raise ValueError("this context has no certificate from a file: call load_cert_chain() first")
    changed = renew_credentials(context, force, True)
    looks_of(context).report(None)
    return changed


def reload_interval(Context context not None):
    """The seconds between two looks at the files, or None. Since 0.1."""
    return settings_of(context).kept.get("reload_interval")


def set_reload_interval(Context context not None, seconds):
    """A number that is not negative, or None. Since 0.1."""
    update_settings(context, put_interval, seconds)
    looks_of(context).at_once()


cdef int put_interval(Context _, Settings settings, object seconds) except -1:
    settings.values.reloads = seconds is not None
    return settings.keep("reload_interval", seconds)


def reload_error_callback(Context context not None):
    """What is called with an error of a look at the files, or None. Since 0.1."""
    return settings_of(context).kept.get("reload_error_callback")


def set_reload_error_callback(Context context not None, callback):
    """A callable, or None. Since 0.1."""
    update_settings(context, put_error_callback, callback)


cdef int put_error_callback(Context _, Settings settings, object callback) except -1:
    return settings.keep("reload_error_callback", callback)
