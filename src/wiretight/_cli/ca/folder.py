"""Folder: the files of a CA for tests, each of them replaced as a whole."""

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path

from wiretight._cli.errors import CommandError
from wiretight._core.base.files import read_file

CA, CA_KEY, SERVER, CLIENT = "ca.pem", "ca.key", "server.pem", "client.pem"
FILES = (CA, CA_KEY, SERVER, CLIENT)
_PUBLIC = {CA: 0o644}
_SECRET = 0o600


class Folder:
    """A folder, and what is in it of `FILES`."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def file(self, name: str) -> str:
        """The path of one of the files."""
        return str(self.path / name)

    def read(self, name: str) -> "bytes | None":
        """The content of one of them, None if it is not there. Raises `CommandError` if it cannot be read."""
        try:
            # A FIFO of that name would have us wait, and a device has no end.
            if not (self.path / name).is_file():
                if os.path.lexists(self.path / name):
                    raise CommandError(f"{self.file(name)} is in the way: it is not a file")
                return None
            return read_file(self.path / name)
        except (OSError, ValueError) as error:
            raise CommandError(f"{self.file(name)} cannot be read: {_why(error)}") from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder, if it is not there, and keeps other runs of this command out. Raises `CommandError`."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            raise CommandError(f"{self.path} cannot be used as a folder: {_why(error)}") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise CommandError(f"another `wiretight ca` is at work in {self.path}") from error
            yield
        finally:
            os.close(descriptor)

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Replaces these files, none of them before all are written. Raises `CommandError`, if they cannot be.

        Whoever reads one of them meanwhile gets the old one or the new one: they are renamed into place.
        """
        for name in contents:
            if (self.path / name).is_dir() and not (self.path / name).is_symlink():
                raise CommandError(f"{self.file(name)} is in the way: it is a folder")
        written: list[tuple[Path, Path]] = []
        try:
            for name, content in contents.items():
                temporary = self.path / f".{name}.{secrets.token_hex(8)}"
                written.append((temporary, self.path / name))
                _write_new(temporary, content, _PUBLIC.get(name, _SECRET))
            for temporary, final in written:
                temporary.replace(final)
        except OSError as error:
            raise CommandError(f"{self.path} cannot be written to: {_why(error)}") from error
        finally:
            for temporary, _ in written:
                temporary.unlink(missing_ok=True)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # whatever the umask
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
