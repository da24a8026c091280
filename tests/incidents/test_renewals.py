"""Renewed certificates: every handshake meets one pair, whole, however often the pair is replaced meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.incidents.references import reference
from tests.kit.authority import issue
from tests.kit.certificates import HOST
from tests.kit.keys import GENERATORS, Material
from tests.kit.pair import Pair
from tests.kit.subject import tls
from tests.kit.threads import Task
from wiretight._core.base import files

pytestmark = [
    reference("aio-libs/aiohttp#10626", "pgjones/hypercorn#233", "python/cpython#129216"),
    pytest.mark.timeout(7200),
]

THREADS = 8


def whole_pair(root: Any) -> Material:
    """With an intermediate certificate of its own, so that a part of another chain would show."""
    intermediate = root.issue("intermediate", ca=True)
    key = GENERATORS["EC"]()
    return Material((intermediate.issue(HOST, names=[HOST], key=key), intermediate), root, key)


class Shop:
    """A server's context with one of several pairs, and a client's."""

    def __init__(self, folder: Path, version: Any) -> None:
        self.root = issue("root", ca=True)
        self.pairs = [whole_pair(self.root) for _ in range(4)]
        self.credentials = [tls.Credential.from_der(each.ders, each.key_der()) for each in self.pairs]
        self.whole = {tuple(each.ders): at for at, each in enumerate(self.pairs)}
        self.chain, self.key = folder / "chain.pem", folder / "key.pem"
        self.write(0)
        self.server = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(self.chain, self.key)
        self.client = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        self.client.load_verify_locations(cadata=self.root.pem)
        for context in (self.server, self.client):
            context.minimum_version = context.maximum_version = version

    def write(self, at: int) -> None:
        """One file after the other, each in one step."""
        pair = self.pairs[at % len(self.pairs)]
        for path, text in ((self.chain, pair.pem), (self.key, pair.key_pem())):
            new = path.with_suffix(".new")
            new.write_text(text)
            new.replace(path)

    def handshake(self) -> int:
        """Which pair the client got, of which it has verified every part."""
        pair = Pair(self.client, self.server)
        pair.handshake()
        return self.whole[tuple(map(bytes, pair.client.get_unverified_chain()))]


def by_assignment(shop: Shop, at: int) -> None:
    shop.server.credentials = [shop.credentials[at % len(shop.credentials)]]


def by_adding(shop: Shop, at: int) -> None:
    shop.server.add_credential(shop.credentials[at % len(shop.credentials)])


def by_loading(shop: Shop, at: int) -> None:
    shop.write(at)
    shop.server.load_cert_chain(shop.chain, shop.key)


def by_reloading(shop: Shop, at: int) -> None:
    shop.write(at)
    shop.server.reload_cert_chain()


def by_itself(shop: Shop, at: int) -> None:
    shop.write(at)


@pytest.mark.parametrize("replace", [by_assignment, by_adding, by_loading, by_reloading, by_itself])
def test_every_peer_sees_one_whole_pair_while_it_is_replaced(
    tmp_path: Path, version: Any, rounds: Any, replace: Callable[[Shop, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SETTLED_AFTER", -(10**9))
    shop = Shop(tmp_path, version)
    shop.server.reload_interval = 0 if replace is by_itself else None
    # Between the two files, a look finds a pair that does not fit.
    shop.server.reload_error_callback = lambda context, error: None
    handshakes, replacements = rounds(320, 10_000), rounds(32, 1_000)
    shaken, made = threading.Semaphore(0), threading.Event()

    def shake() -> set[int]:
        seen = set()
        for _ in range(handshakes // THREADS):
            seen.add(shop.handshake())
            shaken.release()
        while not made.is_set():  # until the last of the replacements
            seen.add(shop.handshake())
            shaken.release()
        return seen

    tasks = [Task(shake) for _ in range(THREADS)]
    try:
        for at in range(replacements):
            shaken.acquire(timeout=60)  # so that they are spread over the handshakes
            replace(shop, at)
    finally:
        made.set()
    seen = set().union(*(task.result(3600) for task in tasks))
    assert len(seen) > 1
    assert shop.handshake() == (replacements - 1) % len(shop.pairs)
