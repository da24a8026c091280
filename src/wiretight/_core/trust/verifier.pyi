from wiretight._core.context.context import Context
from wiretight._core.trust.verification import VerifyError
from wiretight._core.x509.certificate import Certificate

def verify_chain(
    context: Context, chain: list[Certificate], name: str | None, of_client: bool = False
) -> tuple[tuple[VerifyError, ...], list[Certificate]]: ...
