"""Fetch a page with requests after install(), from a server of wiretight's: what a fresh installation must do.

Run by tools/machines.py in an environment that has wiretight[demo] and requests, and nothing of the source tree.
"""

import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import wiretight

wiretight.install()

import requests  # noqa: E402 (as docs/drop-in.md asks for)

PAGE = b"fetched over TLS\n"


class Handler(BaseHTTPRequestHandler):
    """One page, over a connection that stays: so its socket can be asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    """Serve, fetch, and see that it was wiretight that did both."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "wiretight", "ca", folder], check=True, stdout=subprocess.DEVNULL)
        context = wiretight.create_default_context(wiretight.Purpose.CLIENT_AUTH)
        context.load_cert_chain(Path(folder, "server.pem"))
        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            threading.Thread(target=server.serve_forever, daemon=True).start()
            address = f"https://127.0.0.1:{server.server_port}/"  # a bare system resolves no name
            with (
                requests.Session() as session,
                session.get(address, verify=str(Path(folder, "ca.pem")), timeout=30, stream=True) as answer,
            ):
                used = type(answer.raw.connection.sock)
                if answer.content != PAGE or used is not wiretight.SSLSocket:
                    raise SystemExit(f"{address} gave {answer.content!r}, over {used}")
            server.shutdown()
    print(f"requests {requests.__version__} over {used.__module__}, {wiretight.OPENSSL_VERSION}")


if __name__ == "__main__":
    main()
