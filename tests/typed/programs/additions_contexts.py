"""A context by the name of a policy, frozen, and copies of it for those who need something else."""

import copy
import ssl

from typing_extensions import assert_type


class Pinned(ssl.SSLContext):
    """A subclass, whose copies are of its class."""

    pins: frozenset[bytes] = frozenset()


def frozen(name: str) -> ssl.SSLContext:
    policy = ssl.Policy.named(name)
    assert_type(policy, ssl.Policy)
    assert_type(policy.name, str)
    assert_type(ssl.Policy.names(), tuple[str, ...])
    context = ssl.create_default_context()
    context.apply_policy(policy)
    return context.freeze()


def groups(policy: ssl.Policy) -> list[str]:
    return [str(group) for group in policy.describe()["groups"]]


def copies(pinned: Pinned) -> list[Pinned]:
    assert_type(pinned.copy(), Pinned)
    assert_type(pinned.freeze(), Pinned)
    assert_type(copy.copy(pinned), Pinned)
    return [pinned.copy() if pinned.frozen else copy.deepcopy(pinned)]
