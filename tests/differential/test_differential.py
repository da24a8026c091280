"""Every program of the table ends with wiretight as it ends with the standard `ssl`, but for the exceptions."""

from __future__ import annotations

import ssl as standard
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

import wiretight
from tests.differential.exceptions import EXCEPTIONS, TEXTS_NOT_COMPARED, Allowed
from tests.differential.objects import OBJECT_STATES, OBJECTS_BEFORE_OPEN, Objects
from tests.differential.outcomes import Outcome, outcome_in_context, outcome_of_connection
from tests.differential.place import Contexts, Place
from tests.differential.programs import (
    CONTEXT_PROGRAMS,
    LONG_STATES,
    OBJECT_LONG,
    OBJECT_SHORT,
    PROTOCOLS,
    SOCKET_LONG,
    SOCKET_SHORT,
)
from tests.differential.sockets import SOCKET_STATES, SOCKETS_BEFORE_OPEN, Sockets
from tests.kit.certificates import Certificates
from tests.kit.standard import compares_with_ssl

pytestmark = pytest.mark.skipif(
    standard.OPENSSL_VERSION_INFO[:2] != wiretight.OPENSSL_VERSION_INFO[:2],
    reason="`ssl` has another OpenSSL, with other records and reasons",
)

WITHOUT_LENGTHS = {*OBJECTS_BEFORE_OPEN, *SOCKETS_BEFORE_OPEN}

Run = Callable[[ModuleType, str], Outcome]

KINDS: dict[str, tuple[Any, dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "object": (Objects, OBJECT_STATES, OBJECT_SHORT, OBJECT_LONG),
    "socket": (Sockets, SOCKET_STATES, SOCKET_SHORT, SOCKET_LONG),
}
PLACES = [
    *(("object", side, state) for side in ("client", "server") for state in OBJECT_STATES),
    *(("socket", "client", state) for state in SOCKET_STATES),
]


@pytest.fixture(scope="module")
def contexts(certificates: Certificates) -> Contexts:
    return Contexts(certificates)


@pytest.fixture(scope="module")
def needed() -> set[Allowed]:
    """The exceptions that some program needed."""
    return set()


@pytest.fixture(scope="module")
def compared() -> set[str]:
    """The places whose programs have run."""
    return set()


@pytest.fixture(scope="module")
def files(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good files and bad ones, by the names that the programs use."""
    folder = tmp_path_factory.mktemp("files")
    for path in (certificates.ca_file, *certificates.server, *certificates.client):
        (folder / path.name).write_bytes(path.read_bytes())
    key = load_pem_private_key(certificates.server.key.read_bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (folder / "locked.pem").write_bytes(certificates.server.chain.read_bytes() + locked)
    (folder / "empty").touch()
    (folder / "junk").write_text("junk")
    (folder / "der").write_bytes(standard.PEM_cert_to_DER_cert(certificates.ca_file.read_text()))
    (folder / "bücher").write_bytes(certificates.ca_file.read_bytes())
    return folder


def comparable(outcome: Outcome) -> Outcome:
    if outcome.error and outcome.error[0] in TEXTS_NOT_COMPARED:
        return outcome._replace(error=(outcome.error[0], None, outcome.error[2]))
    return outcome


def differences(where: str, programs: tuple[str, ...], run: Run, needed: set[Allowed]) -> str:
    """What differs and may not, to be read by people."""
    found = []
    for program in dict.fromkeys(programs):
        theirs, ours = comparable(run(standard, program)), comparable(run(wiretight, program))
        if theirs == ours:
            continue
        exceptions = [allowed for allowed in EXCEPTIONS if allowed.covers(where, program)]
        needed.update(exceptions)
        if not exceptions:
            fields = [name for name in Outcome._fields if getattr(theirs, name) != getattr(ours, name)]
            lines = [f"    {name}: ssl {getattr(theirs, name)}, wiretight {getattr(ours, name)}" for name in fields]
            found.append("\n".join([f"{where}: {program}", *lines]))
    return "\n".join(found)


@compares_with_ssl
@pytest.mark.parametrize(("kind", "side", "state"), PLACES, ids=["-".join(place) for place in PLACES])
def test_a_connection_does_what_it_does_with_ssl(
    contexts: Contexts,
    files: Path,
    version: Any,
    needed: set[Allowed],
    compared: set[str],
    kind: str,
    side: str,
    state: str,
) -> None:
    place_class, states, short, long = KINDS[kind]

    def run(module: ModuleType, program: str) -> Outcome:
        place: Place = place_class(module, version, contexts, side)
        with place.stack:
            states[state](place)
            other = contexts.get(module, None, "client")
            return outcome_of_connection(place, program, files, states[state] not in WITHOUT_LENGTHS, other)

    where = f"{kind} {version.name.lower().replace('v1_', '1')} {side} {state}"
    compared.add(where)
    programs = (*short, *long) if state in LONG_STATES and side == "client" else short
    assert not (unexpected := differences(where, programs, run, needed)), unexpected


@compares_with_ssl
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_context_does_what_it_does_with_ssl(
    files: Path, needed: set[Allowed], compared: set[str], protocol: str
) -> None:
    def run(module: ModuleType, program: str) -> Outcome:
        return outcome_in_context(module, protocol, program, files)

    compared.add(protocol)
    unexpected = differences(f"context {protocol}", CONTEXT_PROGRAMS, run, needed)
    assert not unexpected, unexpected


def test_every_exception_is_needed(needed: set[Allowed], compared: set[str]) -> None:
    if len(compared) < 2 * len(PLACES) + len(PROTOCOLS):
        pytest.skip("only some of the programs have run")
    assert [allowed.entry for allowed in EXCEPTIONS if allowed not in needed and not allowed.patched] == []


def test_there_are_several_hundred_programs() -> None:
    assert len({*OBJECT_SHORT, *OBJECT_LONG, *SOCKET_SHORT, *SOCKET_LONG, *CONTEXT_PROGRAMS}) > 600
