"""Authority: a temporary certificate authority, for a demonstration or a folder served at home."""

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from wiretight._cli.errors import CommandError

if TYPE_CHECKING:
    import trustme


class Authority:
    """A fresh CA. Its own private key never leaves memory, so nothing can be signed with it later."""

    def __init__(self) -> None:
        self._ca: trustme.CA = _trustme().CA(organization_name="wiretight, made on the spot")

    def write_certificate(self, path: Path) -> Path:
        """The CA certificate as PEM in `path`, for clients to trust."""
        self._ca.cert_pem.write_to_path(path)
        return path

    def write_server(self, path: Path, *names: str) -> Path:
        """The private key and chain of a server with these names (or addresses), as PEM in `path`."""
        path.touch(mode=0o600)
        self._ca.issue_cert(*names).private_key_and_cert_chain_pem.write_to_path(path)
        return path


def _trustme() -> ModuleType:
    try:
        import trustme
    except ImportError:
        raise CommandError(
            "certificates are made with trustme, which is missing: pip install 'wiretight[demo]'"
        ) from None
    return trustme
