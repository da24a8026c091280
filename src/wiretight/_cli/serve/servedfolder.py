"""ServedFolder: the files of a folder that anyone may read."""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO


class ServedFolder:
    """A folder whose files and folders are served; those with a name that begins with a dot only if `hidden`.

    Links are followed inside the folder, and lead nowhere outside it. An entry that is not served raises
    FileNotFoundError like a missing one, so that nobody can tell the two apart. Names come from a client; a list of
    them is a path relative to the folder.
    """

    def __init__(self, path: str, hidden: bool = False) -> None:
        self._root = os.path.realpath(path)
        self._hidden = hidden

    def is_folder(self, names: Sequence[str]) -> bool:
        """Whether it is a folder and not a file. Raises OSError."""
        with self._place(names) as (parent, name):
            return _is_folder(os.stat(name, dir_fd=parent, follow_symlinks=False))

    def open(self, names: Sequence[str]) -> BinaryIO:
        """A file, open for reading. Raises OSError, for a folder too."""
        with self._place(names) as (parent, name):
            _is_folder(os.stat(name, dir_fd=parent, follow_symlinks=False))  # opening a FIFO would have side effects
            # O_NONBLOCK, in case it has just become one.
            number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
        try:
            if _is_folder(os.fstat(number)):
                raise IsADirectoryError
            return os.fdopen(number, "rb")
        except BaseException:
            os.close(number)
            raise

    def listing(self, names: Sequence[str]) -> list[tuple[str, bool]]:
        """The entries of a folder, sorted: names, and whether each is a folder. Raises OSError."""
        with self._place(names) as (parent, name):
            number = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
        try:
            inside = sorted(os.listdir(number), key=str.lower)  # noqa: PTH208  # by its descriptor
        finally:
            os.close(number)
        found = []
        for name in inside:
            with contextlib.suppress(OSError):
                found.append((name, self.is_folder([*names, name])))
        return found

    @contextlib.contextmanager
    def _place(self, names: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Its real location: its folder as a descriptor, and its name in it."""
        *above, last = self._resolved(names) or (".",)
        parent = os.open(self._root, os.O_PATH | os.O_DIRECTORY)
        try:
            # Folder by folder and through no link: one may have been created since the names were resolved.
            for name in above:
                inner = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
                os.close(parent)
                parent = inner
            yield parent, last
        finally:
            os.close(parent)

    def _resolved(self, names: Sequence[str]) -> tuple[str, ...]:
        try:
            real = Path(os.path.realpath(Path(self._root, *names))).relative_to(self._root).parts
        except ValueError:  # outside the folder, or not a path
            raise FileNotFoundError from None
        if not self._hidden and any(name.startswith(".") for name in (*names, *real)):
            raise FileNotFoundError
        return real


def _is_folder(status: os.stat_result) -> bool:
    if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError  # a device, a socket, a FIFO
    return stat.S_ISDIR(status.st_mode)
