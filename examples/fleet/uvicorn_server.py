"""Four servers of the fleet, uvicorn's workers: uvicorn_server.py PORT CERTIFICATE KEY."""

import os
import sys

import uvicorn
from context import server_context


async def application(_scope, _receive, send):
    """Answers with the number of the worker."""
    body = b"%d" % os.getpid()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def worker_context(config, _default):
    """Called in each worker."""
    return server_context(config.ssl_certfile, config.ssl_keyfile)


if __name__ == "__main__":
    uvicorn.run(
        "uvicorn_server:application",
        port=int(sys.argv[1]),
        workers=4,
        lifespan="off",
        log_level="warning",
        ssl_certfile=sys.argv[2],
        ssl_keyfile=sys.argv[3],
        ssl_context_factory=worker_context,
    )
