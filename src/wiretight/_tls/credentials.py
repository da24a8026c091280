"""The credentials of an SSLContext."""

from __future__ import annotations

from wiretight._core.context import credentials as native
from wiretight._standard.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wiretight._core.context.context import Context as _Context
    from wiretight._core.context.material import Credential
else:
    _Context = object


class HoldsCredentials(_Context):
    """The part of SSLContext that holds certificates and keys that come from memory."""

    __slots__ = ()

    def add_credential(self, credential: Credential) -> None:
        """Presents this credential on later connections, in place of the one with the same `key_type`, if there is one.

        Several kinds of keys serve the clients of each: OpenSSL chooses by their signature algorithms. Raises SSLError
        if a certificate is too weak for the security level of the context, or its key is of no use in TLS, and
        TypeError for another object; then nothing changes. Since 0.1. Source: an addition to `ssl`.

        OpenSSL: SSL_use_cert_and_key(3)
        """
        native.add_credential(self, credential)

    @property
    def credentials(self) -> tuple[Credential, ...]:
        """The credentials of later connections, at most one of each `key_type`; those of load_cert_chain() too.

        Setting it replaces all of them at once: no connection has a part of them, and those that exist keep theirs.
        Raises ValueError for two of one `key_type`, SSLError and TypeError as add_credential(); then nothing changes.
        Since 0.1. Source: an addition to `ssl`.

        OpenSSL: SSL_use_cert_and_key(3)
        """
        return native.credentials_of(self)

    @credentials.setter
    def credentials(self, credentials: Iterable[Credential]) -> None:
        native.set_credentials(self, tuple(credentials))
