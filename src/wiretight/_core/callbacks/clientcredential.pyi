from collections.abc import Callable
from typing import Any, NamedTuple, final

from wiretight._core.context.context import Context

class CertificateRequest(NamedTuple):
    ca_names: tuple[bytes, ...]
    signature_algorithms: tuple[int, ...]

@final
class CredentialHook: ...

def set_client_credential_callback(context: Context, callback: Callable[..., Any] | None, /) -> None: ...
def client_credential_callback(context: Context, /) -> Callable[..., Any] | None: ...
