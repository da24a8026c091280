"""joblib hands a context to the workers that it starts."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.kit.certificates import HOST, Certificates
from tests.kit.pair import Pair

joblib = pytest.importorskip("joblib", reason="pip install --group ecosystem")


def handshake_with(client: Any, server: Any) -> tuple[int, Any, bool]:
    """In a process of its own."""
    pair = Pair(client, server, server_hostname=HOST)
    pair.handshake()
    return os.getpid(), pair.client.getpeercert()["subjectAltName"][0], client.frozen


def test_its_workers_get_the_contexts(certificates: Certificates, version: Any) -> None:
    contexts = certificates.client_context(version).freeze(), certificates.server_context(version)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        found = joblib.Parallel()(joblib.delayed(handshake_with)(*contexts) for _ in range(4))
    assert os.getpid() not in {process for process, _, _ in found}
    assert {(name, frozen) for _, name, frozen in found} == {(("DNS", HOST), True)}
