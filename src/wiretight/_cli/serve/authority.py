"""Authority: a temporary certificate authority, for a demonstration or a folder served at home."""

from pathlib import Path

from wiretight._cli.ca.issuer import Issuer

_DAYS = 365


class Authority:
    """A fresh CA. Its own private key never leaves memory, so nothing can be signed with it later."""

    def __init__(self) -> None:
        self._issuer = Issuer.new("ec")

    def write_certificate(self, path: Path) -> Path:
        """The CA certificate as PEM in `path`, for clients to trust."""
        path.write_bytes(self._issuer.made.pem)
        return path

    def write_server(self, path: Path, *names: str) -> Path:
        """The private key and certificate of a server with these names (or addresses), as PEM in `path`."""
        made = self._issuer.issue_server(names, "ec", _DAYS)
        path.touch(mode=0o600)
        path.write_bytes(made.key_pem + made.pem)
        return path
