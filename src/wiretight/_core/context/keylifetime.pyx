"""Key lifetime: for how many records the connections of a context use one key."""

from wiretight._core.context.context cimport Context, settings_of, update_settings
from wiretight._core.context.settings cimport Settings

from operator import index


def key_update_after(Context context not None, /):
    """The number of records, or None. Since 0.1."""
    return settings_of(context).values.key_update_after or None


def set_key_update_after(Context context not None, records, /):
    """Sets the number of records, or None. Raises ValueError for less than 1 or more than 2**63 - 1. Since 0.1."""
    number = 0 if records is None else index(records)
    if records is not None and number < 1:
        raise ValueError(f"key_update_after must be at least 1 record, or None for no update, not {number}")
    if number >> 63:
        raise ValueError(f"key_update_after must be at least 1 record, and at most 2**63 - 1, not {number}")
    update_settings(context, put_key_update_after, number)


cdef int put_key_update_after(Context _, Settings settings, object value) except -1:
    settings.values.key_update_after = value
    return 0
