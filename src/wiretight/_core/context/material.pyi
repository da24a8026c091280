from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeAlias, final

from typing_extensions import Buffer, Self

from wiretight._core.base.tables import FEATURES as FEATURES
from wiretight._core.base.tables import OPENSSL_VERSION as OPENSSL_VERSION
from wiretight._core.x509.certificate import Certificate

_Password: TypeAlias = str | Buffer | Callable[[], str | Buffer] | None

@final
class Credential:
    def __new__(cls, origin: object = None) -> Self: ...  # raises; NoReturn would hide the class methods from mypy
    def __reduce__(self) -> NoReturn: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: Any, /) -> Self: ...
    @classmethod
    def from_pem(
        cls, certificates: str | Buffer, key: str | Buffer | None = None, *, password: _Password = None
    ) -> Credential: ...
    @classmethod
    def from_der(cls, certificates: Iterable[Buffer], key: Buffer, *, password: _Password = None) -> Credential: ...
    @classmethod
    def from_pkcs12(cls, data: Buffer, *, password: _Password = None) -> Credential: ...
    @classmethod
    def from_objects(cls, certificates: object, key: object) -> Credential: ...
    @property
    def certificates(self) -> tuple[Certificate, ...]: ...
    @property
    def key_type(self) -> str: ...
