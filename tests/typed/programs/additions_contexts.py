"""A frozen context, and copies of it for those who need something else."""

import copy
import ssl

from typing_extensions import assert_type


class Pinned(ssl.SSLContext):
    """A subclass, whose copies are of its class."""

    pins: frozenset[bytes] = frozenset()


def copies(pinned: Pinned) -> list[Pinned]:
    assert_type(pinned.copy(), Pinned)
    assert_type(pinned.freeze(), Pinned)
    assert_type(copy.copy(pinned), Pinned)
    return [pinned.copy() if pinned.frozen else copy.deepcopy(pinned)]
