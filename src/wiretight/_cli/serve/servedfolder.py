"""ServedFolder: which files of a folder anyone may have."""

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO


class ServedFolder:
    """A folder whose files and folders are served; those with a name that begins with a dot only where `hidden`.

    A link is what it leads to: inside the folder it is followed, and out of the folder it leads to nothing. What is not
    served raises FileNotFoundError, as what is not there: nobody can find out which of the two it is. Names come from a
    client, a list of them is a path from the folder down.
    """

    def __init__(self, path: str, hidden: bool = False) -> None:
        self._root = os.path.realpath(path)
        self._hidden = hidden

    def is_folder(self, names: Sequence[str]) -> bool:
        """Whether it is a folder and no file. Raises OSError."""
        with self._place(names) as (parent, name):
            return _is_folder(os.stat(name, dir_fd=parent, follow_symlinks=False))

    def open(self, names: Sequence[str]) -> BinaryIO:
        """A file, open for reading. Raises OSError, for a folder too."""
        with self._place(names) as (parent, name):
            _is_folder(os.stat(name, dir_fd=parent, follow_symlinks=False))  # opening a FIFO would be noticed
            # O_NONBLOCK, should it have become one just now.
            number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=parent)
        try:
            if _is_folder(os.fstat(number)):
                raise IsADirectoryError
            return os.fdopen(number, "rb")
        except BaseException:
            os.close(number)
            raise

    def listing(self, names: Sequence[str]) -> list[tuple[str, bool]]:
        """What a folder holds, sorted: names, and whether each is a folder. Raises OSError."""
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
        """Where it really is: its folder as a descriptor, and its name in there."""
        *above, last = self._resolved(names) or (".",)
        parent = os.open(self._root, os.O_PATH | os.O_DIRECTORY)
        try:
            # Folder by folder and through no link: somebody may have put one there since the names were resolved.
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
        except ValueError:  # out of the folder, or no path at all
            raise FileNotFoundError from None
        if not self._hidden and any(name.startswith(".") for name in (*names, *real)):
            raise FileNotFoundError
        return real


def _is_folder(status: os.stat_result) -> bool:
    if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError  # a device, a socket, a FIFO
    return stat.S_ISDIR(status.st_mode)
