"""SSLContext.metrics() of contexts that many threads use at once: nothing is lost, and nothing counts twice."""

from __future__ import annotations

import gc
import itertools
from pathlib import Path
from typing import Any

from tests.core.failures import FAILURES, is_expected
from tests.incidents.service import Service
from tests.kit.certificates import Certificates
from tests.kit.pair import Pair, attempt
from tests.kit.threads import Task
from wiretight import VerifyCode

THREADS = 8


def in_threads(function: Any) -> list[Any]:
    results = [task.result() for task in [Task(function) for _ in range(THREADS)]]
    gc.collect()
    return results


def test_sums_hold_under_eight_threads(certificates: Certificates, version: Any) -> None:
    client, server = certificates.client_context(version), certificates.server_context(version)
    distrusting = certificates.client_context(version, ca_file=certificates.other_ca_file)
    rounds = 12

    def shake() -> tuple[int, int]:
        moved = [0, 0]
        for number in range(rounds):
            if number % 3 == 0:
                Pair(distrusting, server).until_error()
            elif number % 3 == 1:
                attempt(Pair(client, server).client.do_handshake)
            else:
                pair = Pair(client, server)
                pair.handshake()
                pair.transfer(bytes(20000), pair.client)
                info = pair.client.connection_info()
                moved[0] += info.bytes_in
                moved[1] += info.bytes_out
            client.metrics()
        return moved[0], moved[1]

    results = in_threads(shake)
    each = rounds * THREADS // 3
    ours, theirs, wrong = client.metrics(), server.metrics(), distrusting.metrics()
    assert (ours.handshakes_started, ours.handshakes_done) == (2 * each, each)
    assert {failure.reason: n for failure, n in ours.handshakes_failed.items()} == {"abandoned": each}
    assert (theirs.handshakes_started, theirs.handshakes_done) == (2 * each, each)
    assert {failure.reason: n for failure, n in theirs.handshakes_failed.items()} == {"refused": each}
    assert (wrong.handshakes_started, wrong.handshakes_done) == (each, 0)
    [(failure, count)] = wrong.handshakes_failed.items()
    assert (failure.verify_code, count) == (VerifyCode.UNABLE_TO_GET_ISSUER_CERT_LOCALLY, each)
    for metrics in (ours, theirs, wrong):
        assert metrics.handshakes_open == metrics.connections_open == 0
        assert sum(metrics.connections_closed.values()) == metrics.handshakes_done
        for kinds in (metrics.versions, metrics.ciphers, metrics.groups, metrics.resumptions):
            assert sum(kinds.values()) == metrics.handshakes_done
        assert metrics.handshake_buckets[-1][1] == metrics.handshakes_done
    assert ours.bytes_in == sum(into for into, _ in results)
    assert ours.bytes_out > sum(out for _, out in results), "and the ClientHellos of those that were given up"


def test_each_failure_of_each_thread_moves_one_counter_on_each_end(certificates: Certificates, version: Any) -> None:
    rounds = 2
    for make, *expected in FAILURES.values():
        contexts = make(certificates, version)

        def fail(contexts: Any = contexts) -> None:
            for _ in range(rounds):
                Pair(*contexts).until_error()

        in_threads(fail)
        for context, failure in zip(contexts, expected, strict=True):
            metrics = context.metrics()
            assert metrics.handshakes_started == sum(metrics.handshakes_failed.values()) == rounds * THREADS
            assert [is_expected(counted, failure) for counted in metrics.handshakes_failed] == [True]
            assert metrics.handshakes_done == metrics.handshakes_open == metrics.connections_open == 0
            assert not metrics.connections_failed


def test_sums_hold_while_eight_threads_use_and_change_a_server(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.batch(itertools.count(1), 10)
    assert service.done["accepted"] > 0
    assert service.done["refused"] > 0
