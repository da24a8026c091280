"""server.py PORT installed|pickled: uvicorn with four workers, each of which answers with the number of its process."""

import functools
import os
import sys

import wiretight

if sys.argv[2] == "installed":
    wiretight.install()

import uvicorn


async def application(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b"%d" % os.getpid()})


def from_files(config, default):
    context = default()
    context.reload_interval = 0
    assert type(context) is wiretight.SSLContext
    return context


def given(context, config, default):
    assert context.frozen
    return context


if __name__ == "__main__":
    factory = from_files
    if sys.argv[2] == "pickled":
        context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("cert.pem", "key.pem")
        context.reload_interval = 0
        factory = functools.partial(given, context.freeze())
    uvicorn.run(
        "server:application", host="127.0.0.1", port=int(sys.argv[1]), workers=4, lifespan="off", log_level="warning",
        ssl_certfile="cert.pem", ssl_keyfile="key.pem", ssl_context_factory=factory,
    )  # fmt: skip
