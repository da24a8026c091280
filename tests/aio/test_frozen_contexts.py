"""A frozen context under a transport, also a copied or pickled one: it serves as before, and nothing changes it."""

from __future__ import annotations

import copy
import pickle

import pytest

import wiretight
from tests.aio.protocols import Echo, Recorder
from tests.kit.certificates import HOST
from tests.kit.changes import try_every_change
from wiretight._core.context.lifecycle import settings_by_name


def with_policy(context):
    copied = context.copy()
    copied.apply_policy(wiretight.Policy.named("fast-1"))
    return copied.freeze()


MADE = {
    "frozen": lambda context: context,
    "copied": lambda context: copy.copy(context).freeze(),
    "pickled": lambda context: pickle.loads(pickle.dumps(context)),
    "with a policy": with_policy,
}


@pytest.mark.parametrize("made", MADE)
def test_transports_are_made_with_frozen_contexts(loops, ends, certificates, made):
    contexts = [MADE[made](context.freeze()) for context in (ends.client_context(), ends.server_context())]
    before = [settings_by_name(context) for context in contexts]

    async def main():
        async with ends.serving(Echo, ssl=contexts[1]) as address:
            for _ in range(2):
                client = await ends.connect(Recorder, address, ssl=contexts[0], server_hostname=HOST)
                for context in contexts:
                    try_every_change(context, certificates)
                client.transport.write(b"data")
                assert await client.receive(4) == b"data"
                client.transport.abort()

    loops.run(main)
    assert [settings_by_name(context) for context in contexts] == before
