"""The table of a connection's states: it agrees with the enum that the core obeys, and with the picture in docs."""

from __future__ import annotations

import re
from pathlib import Path

from wiretight._core.connection.state import TRANSITIONS

ROOT = Path(__file__).parents[2]
CONNECTION = ROOT / "src" / "wiretight" / "_core" / "connection"


def test_the_table_has_the_states_of_the_enum_in_their_order():
    enum = (CONNECTION / "state.pxd").read_text().partition("cdef enum State:\n")[2].partition("\n\n")[0]
    assert list(TRANSITIONS) == re.findall(r"^    (\w+)", enum, re.MULTILINE)


def test_every_state_but_the_first_is_led_to_and_only_the_last_is_final():
    first, *others = TRANSITIONS
    assert {after for following in TRANSITIONS.values() for after in following} == set(others)
    assert [state for state, following in TRANSITIONS.items() if not following] == ["LOST"]
    assert first == "OPEN"


def test_no_state_leads_back():
    order = list(TRANSITIONS)
    for before, following in TRANSITIONS.items():
        assert all(order.index(after) > order.index(before) for after in following)


def test_a_state_is_changed_in_one_place():
    lines = [
        line.strip() for path in sorted(CONNECTION.parent.rglob("*.pyx")) for line in path.read_text().splitlines()
    ]
    assert [line for line in lines if re.match(r"self\.state = ", line)] == ["self.state = state"]


def test_the_documentation_shows_the_table():
    picture = ["stateDiagram-v2", "    [*] --> OPEN"]
    picture += [
        f"    {before} --> {after}: {why}"
        for before, following in TRANSITIONS.items()
        for after, why in following.items()
    ]
    picture += ["    LOST --> [*]"]
    drawn = re.search(r"^```mermaid\n(.*?)\n```$", (ROOT / "docs" / "states.md").read_text(), re.MULTILINE | re.DOTALL)
    assert drawn
    assert drawn[1] == "\n".join(picture), "docs/states.md: the table has changed; draw this instead"
