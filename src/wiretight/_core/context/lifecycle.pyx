"""Lifecycle: what is done with a whole Context: to freeze it, to list what it is made of, and to make it again."""

from wiretight._core.context.context cimport Context, settings_of, trial, update_settings
from wiretight._core.context.reloading cimport present_settings
from wiretight._core.context.settings cimport Settings, Values, put_alpn
from wiretight._core.openssl.ssl cimport SSL_free


def freeze(Context context not None, /):
    """Makes every later change of `context` a RuntimeError. Since 0.1."""
    update_settings(context, put_frozen, None)


cdef int put_frozen(Context _, Settings settings, object value) except -1:
    if not settings.frozen:
        settings.leave_own_store()      # whoever has that may go on adding to it
        settings.frozen = True
    return 0


def is_frozen(Context context not None, /):
    """Whether freeze() was called. Since 0.1."""
    return settings_of(context).frozen


def settings_by_name(Context context not None, /):
    """All that the connections of `context` get from it: numbers, lists in OpenSSL's formats, and what was loaded.

    Since 0.1.
    """
    return all_settings(present_settings(context))


cdef dict all_settings(Settings settings):
    return {
        **plain_settings(settings),
        "psk_hint": settings.psk_hint,
        "credentials": settings.credentials,
        "dh_params": settings.dh_params,
        "trust": settings.trust,
        "properties": settings.properties,
        "policy_id": settings.policy_id,
        **settings.kept,
    }


# --- a context that is made again ------------------------------------------------------------------------------------
def parts(Context context not None, /):
    """What the context is made of, at one moment: (the settings that put_plain_settings() takes, all of
    settings_by_name(), whether it is frozen). Since 0.1.
    """
    cdef Settings settings = present_settings(context)
    return plain_settings(settings), all_settings(settings), settings.frozen


cdef dict plain_settings(Settings settings):
    """The numbers, and the lists in OpenSSL's formats."""
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
        "session_timeout": values.session_timeout,
        "security_level": values.security_level,
        "remember_verified_chains": bool(values.remembers_chains),
        "read_ahead": bool(values.reads_ahead),
        "alpn_required": bool(values.alpn_required),
        "key_update_after": values.key_update_after,
        "ciphers": settings.ciphers,
        "ciphersuites": settings.ciphersuites,
        "groups": settings.groups,
        "client_sigalgs": settings.client_sigalgs,
        "server_sigalgs": settings.server_sigalgs,
        "alpn": settings.alpn,
    }


def put_plain_settings(Context context not None, dict plain not None, /):
    """Sets what another context had. Raises SSLError if this OpenSSL does not have an algorithm. Since 0.1."""
    update_settings(context, put_plain, plain)
    SSL_free(trial(context, settings_of(context)))


cdef int put_plain(Context _, Settings settings, object plain) except -1:
    cdef Values *values = &settings.values
    values.options = plain["options"]
    values.minimum_version = plain["minimum_version"]
    values.maximum_version = plain["maximum_version"]
    values.verify_mode = plain["verify_mode"]
    values.verify_flags = plain["verify_flags"]
    values.host_flags = plain["host_flags"]
    values.check_hostname = plain["check_hostname"]
    values.post_handshake_auth = plain["post_handshake_auth"]
    values.num_tickets = plain["num_tickets"]
    values.session_timeout = plain["session_timeout"]
    values.security_level = plain["security_level"]
    values.remembers_chains = plain["remember_verified_chains"]
    values.reads_ahead = plain["read_ahead"]
    values.alpn_required = plain["alpn_required"]
    values.key_update_after = plain["key_update_after"]
    settings.ciphers = plain["ciphers"]
    settings.ciphersuites = plain["ciphersuites"]
    settings.groups = plain["groups"]
    settings.client_sigalgs = plain["client_sigalgs"]
    settings.server_sigalgs = plain["server_sigalgs"]
    return put_alpn(settings, plain["alpn"])
