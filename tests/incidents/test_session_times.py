"""A server's sessions are emptied out of OpenSSL's cache by one thread while others put theirs into it.

Once, the time of a session was set at the end of its handshake, when it was in the cache already: another thread could
free it meanwhile, and with it the list that OpenSSL sorts by these times.
"""

from __future__ import annotations

import threading

from tests.incidents.references import reference
from tests.kit.certificates import Certificates
from tests.kit.pair import Pair
from tests.kit.processes import in_processes
from tests.kit.subject import tls

HANDSHAKES = 500  # of each thread

pytestmark = reference("SSL_CTX_flush_sessions(3)")


def test_a_time_that_becomes_shorter_amid_handshakes(certificates: Certificates) -> None:
    version = tls.TLSVersion.TLSv1_2
    context = certificates.server_context(version)
    client_context = certificates.client_context(version)
    context.options |= tls.OP_NO_TICKET
    context.session_timeout = 3000

    def connect() -> None:
        for _ in range(HANDSHAKES):
            Pair(client_context, context).handshake()

    def churn(_: int) -> None:
        threads = [threading.Thread(target=connect) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            context.session_timeout = 3000
            context.session_timeout = 2999
            threads[0].join(0.0005)
        for thread in threads:
            thread.join()

    in_processes(1, churn)
