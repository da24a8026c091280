"""The credentials of an SSLContext, and their renewal."""

from __future__ import annotations

from wiretight._core.context import credentials, reloading
from wiretight._standard.typing import TYPE_CHECKING, Any
from wiretight._tls.seconds import seconds_or_none

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from wiretight._core.context.material import Credential

_credentials: Any = credentials  # their functions take a context, which a mixin is not
_reloading: Any = reloading


class HoldsCredentials:
    """The part of SSLContext that holds certificates and keys from memory, and reads those from files again."""

    __slots__ = ()

    def add_credential(self, credential: Credential) -> None:
        """Presents this credential on later connections, in place of the one with the same `key_type`, if there is one.

        Several kinds of keys serve the clients of each: OpenSSL chooses by their signature algorithms. A client that
        has several shows the last one in TLS 1.2. Raises SSLError if a certificate is too weak for the security level
        of the context, or its key is of no use in TLS, and TypeError for another object; then nothing changes.
        Since 0.1. Source: an addition to `ssl`.

        OpenSSL: SSL_use_cert_and_key(3)
        """
        _credentials.add_credential(self, credential)

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """The credentials of later connections, at most one of each `key_type`; those of load_cert_chain() too.

        Setting it replaces all of them at once: no connection has a part of them, and those that exist keep theirs.
        Raises ValueError for two of one `key_type`, SSLError and TypeError as add_credential(); then nothing changes.
        Since 0.1. Source: an addition to `ssl`.

        OpenSSL: SSL_use_cert_and_key(3)
        """
        held: tuple[Credential, ...] = _credentials.credentials_of(self)
        return held

    @credentials.setter
    def credentials(self, credentials: Iterable[Credential]) -> None:
        _credentials.set_credentials(self, tuple(credentials))

    # --- Renewal ------------------------------------------------------------------------------------------------------

    def reload_cert_chain(self, *, force: bool = False) -> bool:
        """Reads the files of load_cert_chain() again if they have changed, for later connections; those that exist keep
        their certificate, and sessions of a server go on. Returns whether the certificates are others now.

        With `force` it reads them even if they look unchanged. An encrypted key needs its password again: a callable is
        called again. Both files must look the same before and after, and fit: links that are exchanged one after the
        other, and half-written files, leave the old pair in use.

        Raises ValueError if nothing was loaded from files, OSError if one cannot be read, SSLError if they do not fit,
        have changed meanwhile, or as load_cert_chain(); then nothing changes. Since 0.1. Source: an addition to `ssl`.
        """
        return bool(_reloading.reload_cert_chain(self, force))

    @property
    def reload_interval(self) -> float | None:
        """How many seconds apart the context looks whether the files of load_cert_chain() have changed; None: never.

        There is no thread: whoever makes a connection looks, if the last look is that long ago, and then reads what has
        changed, unless it changed within the last 3 seconds, when somebody may be writing still. What goes wrong leaves
        the old pair in use and is reported once, to `reload_error_callback`. 0 looks for every connection. A virtual
        host looks when it is chosen. Raises ValueError for a negative or infinite number, TypeError for what is none.
        Since 0.1. Source: an addition to `ssl`.
        """
        interval: float | None = _reloading.reload_interval(self)
        return interval

    @reload_interval.setter
    def reload_interval(self, seconds: float | None) -> None:
        _reloading.set_reload_interval(self, seconds_or_none("reload_interval", seconds, zero=True))

    @property
    def reload_error_callback(self) -> Callable[[Any, Exception], object] | None:
        """Called with (context, error) when a look at the files has failed, once until one succeeds or fails otherwise.

        None, the default, leaves the error to sys.unraisablehook, which also gets what the callback raises. Raises
        TypeError if it is not callable. Since 0.1. Source: an addition to `ssl`.
        """
        callback: Callable[[Any, Exception], object] | None = _reloading.reload_error_callback(self)
        return callback

    @reload_error_callback.setter
    def reload_error_callback(self, callback: Callable[[Any, Exception], object] | None) -> None:
        if callback is not None and not callable(callback):
            raise TypeError(f"reload_error_callback must be callable or None, not {type(callback).__name__}")
        _reloading.set_reload_error_callback(self, callback)
