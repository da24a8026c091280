"""The table of a transport's states: connections make its transitions and no others, and the picture shows it."""

from __future__ import annotations

import asyncio
import re

import pytest

from tests.aio.protocols import Recorder, fill
from tests.kit.certificates import HOST
from tests.kit.sockets import tcp_pair
from tests.repo.source import PACKAGE, ROOT
from wiretight import asyncio as native
from wiretight._asyncio.ending import Ending
from wiretight._asyncio.state import TRANSITIONS, State

LEGAL = [(before, after) for before, ways in TRANSITIONS.items() for after in ways]
ILLEGAL = [(before, after) for before in State for after in State if (before, after) not in LEGAL]


def name(state: State) -> str:
    return state.name


@pytest.fixture
def passed(monkeypatch):
    """The transitions that all transports have made so far."""
    seen = []
    enter = Ending._enter

    def watched(self, state):
        seen.append((self._state, state))
        enter(self, state)

    monkeypatch.setattr(Ending, "_enter", watched)
    return seen


# --- The transitions of connections -----------------------------------------------------------------------------------


async def lives(ends):
    async with ends.connected() as (client, server):
        client.transport.close()
        assert await client.lost() is None
        assert await server.lost() is None


async def cannot_begin(ends):
    near, far = tcp_pair()
    with far, pytest.warns(ResourceWarning, match="unclosed transport"):  # it has taken the socket over
        with pytest.raises(TypeError):
            native.Transport(
                asyncio.get_running_loop(), near, Recorder(), ends.client_context(), server_hostname=HOST, extra=5
            )


async def refuses_the_handshake(ends):
    async with ends.serving(Recorder) as address:
        with pytest.raises(ValueError, match="certificate"):
            await ends.connect(Recorder, address, server_hostname=f"not-{HOST}")


async def aborts(ends):
    async with ends.connected() as (client, _):
        client.transport.abort()
        await client.lost()


async def aborts_with_output_left(ends):
    async with ends.connected() as (client, server):
        server.transport.pause_reading()
        fill(client.transport)
        client.transport.close()
        client.transport.abort()
        await client.lost()


WAYS = {
    (State.NEW, State.HANDSHAKING): lives,
    (State.NEW, State.LOST): cannot_begin,
    (State.HANDSHAKING, State.OPEN): lives,
    (State.HANDSHAKING, State.LOST): refuses_the_handshake,
    (State.OPEN, State.FLUSHING): lives,
    (State.OPEN, State.LOST): aborts,
    (State.FLUSHING, State.CLOSING): lives,
    (State.FLUSHING, State.LOST): aborts_with_output_left,
    (State.CLOSING, State.LOST): lives,
}


@pytest.mark.parametrize(("before", "after"), LEGAL, ids=name)
def test_connections_make_every_transition_of_the_table(loops, ends, passed, before, after):
    loops.run_reporting(lambda: WAYS[before, after](ends))
    assert (before, after) in passed
    assert set(passed) <= set(LEGAL)


# --- No others --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("before", "after"), ILLEGAL, ids=name)
def test_no_transport_makes_another_transition(before, after):
    transport = native.Transport.__new__(native.Transport)
    transport._state = before
    with pytest.raises(AssertionError, match=f"{before} does not lead to {after}"):
        transport._enter(after)
    assert transport._state is before


def test_states_are_changed_in_one_place():
    assigned = [
        line.strip()
        for path in sorted((PACKAGE / "_asyncio").glob("*.py"))
        for line in path.read_text().splitlines()
        if re.search(r"\b_state\b.* = ", line.partition("#")[0])
    ]
    assert sorted(assigned) == ["self._state = State.NEW", "self._state = state"]


# --- The picture ------------------------------------------------------------------------------------------------------


def picture() -> str:
    lines = ["stateDiagram-v2"]
    lines += [f"    {state.name}: {state.value}" for state in State]
    lines += [f"    [*] --> {State.NEW.name}"]
    lines += [f"    {before.name} --> {after.name}: {TRANSITIONS[before][after]}" for before, after in LEGAL]
    lines += [f"    {State.LOST.name} --> [*]"]
    return "\n".join(lines)


def test_the_documentation_shows_the_table():
    drawn = re.search(r"^```mermaid\n(.*?)\n```$", (ROOT / "docs" / "asyncio.md").read_text(), re.MULTILINE | re.DOTALL)
    assert drawn
    assert drawn[1] == picture(), "docs/asyncio.md: the table has changed; draw this instead"
