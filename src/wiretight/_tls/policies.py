"""Policies: versions, ciphers and groups that belong together, under names that never change their meaning.

Each is a file in the folder `policies`, whose content is what Policy.describe() returns.
"""

from __future__ import annotations

from wiretight._core.context import policy as native
from wiretight._core.sslcontext import _SSLContext
from wiretight._standard.typing import TYPE_CHECKING, Any
from wiretight._tls.constants import TLSVersion

if TYPE_CHECKING:
    from pathlib import Path

    from typing_extensions import Self


class Policy:
    """A set of versions, ciphers and groups, to be applied to a context as a whole: see SSLContext.apply_policy().

    There are Mozilla's guidelines for servers, each version of them under its own name, "fips-140-3", and our own
    "fast-1". A newer guideline gets a new name: what a name stands for never changes. Policies are immutable, and equal
    if they have the same name.

    Since 0.1. Source: https://wiki.mozilla.org/Security/Server_Side_TLS; an addition to `ssl`.
    """

    __module__ = "wiretight"
    __slots__ = ("_content", "_name")

    _content: bytes  # of its file
    _name: str

    def __new__(cls) -> Self:
        """Raises TypeError: policies have names. Since 0.1."""
        raise TypeError(f"policies are made by their names: Policy.named({next(iter(cls.names()))!r})")

    @classmethod
    def named(cls, name: str) -> Self:
        """The policy of this name. Raises ValueError if there is none, TypeError for what is no string. Since 0.1."""
        if not isinstance(name, str):
            raise TypeError(f"a policy's name must be a string, not {type(name).__name__}")
        if name not in cls.names():
            raise ValueError(f"there is no policy {name!r}: names() lists them all")
        policy = object.__new__(cls)
        object.__setattr__(policy, "_name", name)
        object.__setattr__(policy, "_content", (_folder() / f"{name}.json").read_bytes())
        return policy

    @staticmethod
    def names() -> tuple[str, ...]:
        """The names of all policies, sorted. Since 0.1."""
        return tuple(sorted(path.stem for path in _folder().glob("*.json")))

    @property
    def name(self) -> str:
        """The name by which named() finds it. Since 0.1."""
        return self._name

    def describe(self) -> dict[str, Any]:
        """Everything that the policy sets, and where that comes from: a new dictionary.

        `name`, `about` (a sentence), `source`, `date` (of the source, ISO 8601), `openssl` (the first version that has
        all of it); `minimum_version` and `maximum_version`, names of TLSVersion; `server_preference`, whether a server
        chooses by its own order; `ciphersuites` (TLS 1.3), `ciphers` (TLS 1.2) and `groups`, lists of OpenSSL's names,
        the preferred first. Some have more: `signature_algorithms`, likewise; `dh_group`, for a server's
        Diffie-Hellman parameters; `properties`, of the implementations that OpenSSL fetches. What is not in the
        dictionary is left as it is. Since 0.1.
        """
        import json

        description: dict[str, Any] = json.loads(self._content)
        return description

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a policy is immutable: {name!r} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a policy is immutable: {name!r} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        return self.name == other.name if isinstance(other, Policy) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Policy.named({self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Policy.named, (self.name,)


def _folder() -> Path:
    from pathlib import Path

    return Path(__file__).with_suffix("")


class HasPolicy:
    """apply_policy() of SSLContext."""

    __slots__ = ()

    def apply_policy(self, policy: Policy) -> None:
        """Sets the versions, ciphers and groups of this context to those of `policy`, in one step.

        What was set of them before is replaced, and may be set differently afterwards. Certificates, trust and
        verification stay as they are. Connections that exist already keep what they have.

        Raises NotImplementedError if this OpenSSL lacks an algorithm of the policy, rather than leaving it out, or its
        FIPS provider is needed and not active; ValueError if the context's security level forbids an algorithm, or the
        context is for a single version; RuntimeError if a policy with `properties` is applied after the first
        connection; TypeError for what is no Policy. After an error nothing has changed. Since 0.1. Source: an addition
        to `ssl`.

        OpenSSL: SSL_CTX_set_cipher_list(3), SSL_CTX_set1_groups_list(3), SSL_CTX_new_ex(3)
        """
        if not isinstance(policy, Policy):
            raise TypeError(f"policy must be a Policy, such as Policy.named('fast-1'), not {type(policy).__name__}")
        values = policy.describe()
        for limit in ("minimum_version", "maximum_version"):
            values[limit] = int(getattr(TLSVersion, values[limit]))
        context: Any = self
        other: Any = None
        if native.needs_another(context, values):
            other = _SSLContext.__new__(_SSLContext, context.protocol, context, values["properties"].encode())
        native.apply_policy(context, values, other)
