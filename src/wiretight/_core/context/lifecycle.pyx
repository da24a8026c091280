"""Lifecycle: what is done with a whole Context: to freeze it, and to list what it is made of."""

from wiretight._core.context.context cimport Context, settings_of, update_settings
from wiretight._core.context.settings cimport Settings, Values


def freeze(Context context not None, /):
    """Makes every later change of `context` a RuntimeError. Since 0.1."""
    update_settings(context, put_frozen, None)


cdef int put_frozen(Context _, Settings settings, object value) except -1:
    settings.frozen = True
    return 0


def is_frozen(Context context not None, /):
    """Whether freeze() was called. Since 0.1."""
    return settings_of(context).frozen


def settings_by_name(Context context not None, /):
    """All that the connections of `context` get from it: numbers, lists in OpenSSL's formats, and what was loaded.

    Since 0.1.
    """
    cdef Settings settings = settings_of(context)
    cdef Values values = settings.values
    return {
        "options": values.options,
        "minimum_version": values.minimum_version,
        "maximum_version": values.maximum_version,
        "verify_mode": values.verify_mode,
        "verify_flags": values.verify_flags,
        "host_flags": values.host_flags,
        "check_hostname": bool(values.check_hostname),
        "post_handshake_auth": bool(values.post_handshake_auth),
        "num_tickets": values.num_tickets,
        "security_level": values.security_level,
        "ciphers": settings.ciphers,
        "ciphersuites": settings.ciphersuites,
        "groups": settings.groups,
        "client_sigalgs": settings.client_sigalgs,
        "server_sigalgs": settings.server_sigalgs,
        "alpn": settings.alpn,
        "psk_hint": settings.psk_hint,
        "credentials": settings.credentials,
        "dh_params": settings.dh_params,
        "trust": settings.trust,
        "properties": settings.properties,
        "policy_id": settings.policy_id,
        **settings.kept,
    }
