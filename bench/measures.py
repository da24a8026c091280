"""What is measured: every line of the comparison, which rows take part, how much a sample does, and the goals.

The goals are those of the project's issues 4 and 15, on the same OpenSSL if they do not name another row.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from chains import CHAINS
from endpoints import GROUPS
from goals import Goal
from measure import (
    async_bulk,
    async_echo,
    async_idle,
    bulk,
    contexts,
    ends,
    growth,
    handshake,
    https,
    idle,
    imports,
    latency,
    pingpong,
    scale,
    start,
    storm,
    threads,
)
from rows import AHEAD, ON_UVLOOP, RING, SUBJECT, VERSIONS

LIMITS = ("C naive", "C")
OTHERS = ("pyOpenSSL", "rtls")
OWN = tuple(f"{SUBJECT}, OpenSSL {version}" for version in VERSIONS)
LOOPS = ("asyncio", "uvloop", "aiofastnet")
EVERY_LOOP = (SUBJECT, "asyncio with wiretight's wrap_bio", *LOOPS, ON_UVLOOP, "aiofastnet on uvloop")


@dataclass(frozen=True)
class Measure:
    """One line of the comparison."""

    name: str  # for --only
    title: str
    module: str  # in measure/, and in limit/ for the C rows
    unit: str
    rows: tuple[str, ...]
    options: dict[str, Any]
    quick: dict[str, Any] = field(default_factory=dict)  # what of it is different in a quick run
    goals: tuple[Goal, ...] = ()
    family: str = "blocking"
    programs: tuple[str, ...] = ()  # that must be installed
    rounds: int | None = None  # where another number than that of the run makes sense
    patience: int = 30  # seconds that a sample may take
    named: bool = False  # only taken where it is asked for by name
    part: str = ""  # which of the sample's parts is the number; measures that differ in nothing else share the samples

    @property
    def more_is_better(self) -> bool:
        return any(goal.at_least for goal in self.goals)


def _bulk(name: str, title: str, rows: tuple[str, ...], goals: tuple[Goal, ...] = (), **options: Any) -> Measure:
    return Measure(name, title, "bulk", bulk.UNIT, rows, {"mib": 192, **options}, {"mib": 32}, goals)


def _pingpong(name: str, title: str, rows: tuple[str, ...], goals: tuple[Goal, ...] = (), **options: Any) -> Measure:
    counts = {"round_trips": 15000, **options}
    return Measure(name, title, "pingpong", pingpong.UNIT, rows, counts, {"round_trips": 2000}, goals)


def _ends(chain: str, group: str) -> tuple[Measure, ...]:
    """Each end of a full handshake by itself, and both where a goal is about both."""
    every = (SUBJECT, *OWN, "ssl", "C", *(f"C, OpenSSL {version}" for version in VERSIONS), *OTHERS)
    options = {"chain": chain, "group": group, "handshakes": 60}
    return tuple(
        Measure(
            f"handshake-{chain}-{group}-{part or 'both'}".lower(),
            f"full handshake, {chain}, {group}, {part or 'both ends'}",
            "ends",
            ends.UNIT,
            every,
            options,
            {"handshakes": 10},
            _goals_of(chain, group, part),
            part=part,
        )
        for part in ("client", "server", "")
        if part or _goals_of(chain, group, part)
    )


def _goals_of(chain: str, group: str, part: str) -> tuple[Goal, ...]:
    """rtls takes X25519MLKEM768, and nothing else can be asked of it."""
    of_c = [Goal(1.1, (f"C, OpenSSL {version}",), row=row) for version, row in zip(VERSIONS, OWN, strict=True)]
    beside = {
        ("p256", "X25519", "client"): (("ssl", 0.55),),
        ("p384", "X25519", "client"): (("ssl", 0.2),),
        ("p256", "X25519MLKEM768", "client"): (("rtls", 1.15),),
        ("p384", "X25519MLKEM768", "client"): (("rtls", 0.6),),
        ("p256", "X25519MLKEM768", ""): (("rtls", 1.25),),
    }.get((chain, group, part), ())
    of_c = [Goal(1.1, ("C",)), *of_c] if part else []
    return (*of_c, *(Goal(limit, (row,), row=OWN[0]) for row, limit in beside))


def _handshake(name: str, resumed: bool, rows: tuple[str, ...]) -> Measure:
    counts = {"handshakes": 200, "resumed": resumed}
    title = f"{'resumed' if resumed else 'full'} handshake"
    return Measure(name, title, "handshake", handshake.UNIT, rows, counts, {"handshakes": 40}, (Goal(0.95, ("ssl",)),))


def _context(name: str, title: str, unit: str, goal: Goal, **options: Any) -> Measure:
    every = {"first": False, "memory": False, "count": 20, **options}
    rows = (SUBJECT, "ssl", "C naive", *OTHERS)
    return Measure(name, title, "contexts", unit, rows, every, {"count": 20}, (goal,))


def _async(name: str, title: str, module: Any, goal: Goal, options: dict[str, Any], quick: dict[str, Any]) -> Measure:
    kind = module.__name__.rpartition(".")[2]
    return Measure(name, title, kind, module.UNIT, EVERY_LOOP, options, quick, (goal,), "async")


def _storm(name: str, title: str, unit: str, goal: Goal, part: str = "") -> Measure:
    rows = (SUBJECT, "wiretight on the loop", "asyncio", "uvloop")
    every, quick = {"seconds": 3}, {"seconds": 2}
    return Measure(name, title, "storm", unit, rows, every, quick, (goal,), "storm", ("openssl",), rounds=2, part=part)


def _scale(name: str, title: str, chain: str, connections: int) -> Measure:
    rows = (SUBJECT, RING, ON_UVLOOP, "asyncio", "uvloop")
    options = {"chain": chain, "connections": connections, "seconds": 10}
    quick = {"connections": 100, "seconds": 0.3}
    return Measure(name, title, "scale", scale.UNIT, rows, options, quick, family="scale", patience=300, named=True)


MEASURES = (
    _bulk(
        "bulk",
        "bulk, recv_into 256 KiB",
        (SUBJECT, "ssl", *LIMITS, *OTHERS),
        (Goal(0.78, ("ssl",)), Goal(1.0, ("C naive",))),
        call="recv_into",
        recv_size=256 * 1024,
    ),
    _bulk("bulk-64k", "bulk, recv 64 KiB", (SUBJECT, "ssl", *LIMITS), call="recv", recv_size=64 * 1024),
    _bulk("bulk-16k", "bulk, recv 16 KiB", (SUBJECT, AHEAD, "ssl", *LIMITS), call="recv", recv_size=16 * 1024),
    _pingpong(
        "pingpong",
        "ping-pong 64 B, recv 64",
        (SUBJECT, AHEAD, "ssl", *LIMITS, *OTHERS, "tlslite-ng"),
        (Goal(0.78, ("ssl",)), Goal(1.2, ("C naive",)), Goal(0.85, ("ssl",), row=AHEAD)),
        call="send",
        recv_size=64,
    ),
    _pingpong(
        "pingpong-4k", "ping-pong 64 B, recv 4096", (SUBJECT, AHEAD, "ssl", *LIMITS), call="sendall", recv_size=4096
    ),
    *(measure for group in GROUPS for chain in CHAINS for measure in _ends(chain, group)),
    _handshake("handshake-tcp", False, (SUBJECT, "ssl", *LIMITS, *OTHERS, "tlslite-ng")),
    _handshake("resumed", True, (SUBJECT, "ssl", *LIMITS, *OTHERS)),
    _context("context-warm", "create_default_context(), warm", contexts.UNIT, Goal(0.3)),
    _context("context-cold", "create_default_context(), cold", contexts.UNIT, Goal(0.15, ("ssl",)), first=True),
    _context("context-memory", "1,000 default contexts", contexts.MEMORY_UNIT, Goal(30), memory=True, count=50),
    _async(
        "asyncio-echo", "asyncio echo 64 B", async_echo, Goal(0.9, LOOPS), {"round_trips": 8000}, {"round_trips": 1000}
    ),
    _async(
        "asyncio-bulk",
        "asyncio bulk, BufferedProtocol",
        async_bulk,
        Goal(0.8, LOOPS),
        {"mib": 128, "buffered": True},
        {"mib": 16},
    ),
    _async(
        "asyncio-bulk-data",
        "asyncio bulk, data_received",
        async_bulk,
        Goal(0.8, LOOPS),
        {"mib": 128, "buffered": False},
        {"mib": 16},
    ),
    Measure(
        "asyncio-idle",
        "idle asyncio endpoint",
        "async_idle",
        async_idle.UNIT,
        (*EVERY_LOOP, "C naive"),
        {"connections": 500},
        {"connections": 50},
        (Goal(6, ("C naive",), added=True),),
        "async",
        rounds=2,
    ),
    Measure(
        "idle",
        "idle blocking endpoint",
        "idle",
        idle.UNIT,
        (SUBJECT, "ssl", "C naive", *OTHERS),
        {"connections": 500},
        {"connections": 50},
        (Goal(3, ("C naive",), added=True),),
        rounds=2,
    ),
    Measure(
        "https",
        "HTTPS, uvicorn + h11",
        "https",
        https.UNIT,
        (SUBJECT, ON_UVLOOP, *LOOPS, "no TLS"),
        {"seconds": 3},
        {"seconds": 1},
        (
            Goal(1.4, ("asyncio",), at_least=True),
            Goal(0.97, ("no TLS",), at_least=True),
            Goal(1.15, ("uvloop",), at_least=True, row=ON_UVLOOP),
        ),
        "web",
        ("wrk",),
        rounds=3,
    ),
    Measure(
        "threads",
        "two threads, two connections, bulk",
        "threads",
        threads.UNIT,
        (SUBJECT, "ssl", *LIMITS, "pyOpenSSL"),
        {"mib": 64},
        {"mib": 8},
        (Goal(1.8, at_least=True),),
    ),
    Measure(
        "latency",
        "echo beside a CPU-bound thread",
        "latency",
        latency.UNIT,
        (SUBJECT, "asyncio with wiretight's wrap_bio", *LOOPS),
        {"echoes": 200},
        {"echoes": 30},
        (Goal(0.5, ("asyncio",)),),
        "async",
    ),
    _storm(
        "storm",
        "full handshakes, RSA 4096, 16 clients",
        storm.UNIT,
        Goal(1.7, ("wiretight on the loop",), at_least=True),
    ),
    _storm("storm-echo", "echo beside them", storm.ECHO_UNIT, Goal(0.3, ("wiretight on the loop",)), storm.ECHO),
    Measure(
        "import",
        "import",
        "imports",
        imports.UNIT,
        (SUBJECT, "ssl", *OTHERS, "tlslite-ng"),
        {"imports": 5},
        {"imports": 2},
        (Goal(1.3, ("ssl",)),),
    ),
    Measure(
        "start",
        "start, a default context, and one page",
        "start",
        start.UNIT,
        (SUBJECT, "ssl", *OTHERS),
        {"starts": 5},
        {"starts": 2},
        (Goal(0.85, ("ssl",)),),
    ),
    Measure(
        "growth",
        "growth to 20,000 connections",
        "growth",
        growth.UNIT,
        (SUBJECT, "asyncio", "uvloop", "aiofastnet"),
        {"connections": 20_000},
        {"connections": 50},
        family="async",
        rounds=1,
        patience=180,
    ),
    _scale("scale", "connections, P-256", "p256", 20_000),
    _scale("scale-rsa", "connections, RSA 2048", "rsa", 1000),
)
NAMES = tuple(measure.name for measure in MEASURES)


def chosen(names: list[str]) -> list[Measure]:
    """Those with one of the names; a name that none has stands for all that begin with it and a hyphen."""
    beginnings = tuple(f"{name}-" for name in names if name not in NAMES)
    return [each for each in MEASURES if each.name in names or each.name.startswith(beginnings)]
