"""Serve one page over HTTPS: https_server.py PORT CERTIFICATE KEY. Port 0 takes any; the port is printed.

The handshake runs in the thread of its connection and under a deadline, so that a client which connects and stays
silent keeps nobody else waiting.
"""

import http.server
import sys

import wiretight as ssl


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every GET with the TLS version and cipher of its connection."""

    timeout = 10  # seconds, also for each read of the request

    def do_GET(self):
        """Answer."""
        page = f"{self.connection.version()} {self.connection.cipher()[0]}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)


class Server(http.server.ThreadingHTTPServer):
    """A threading server whose connections begin with a TLS handshake."""

    def finish_request(self, request, client_address):
        """Runs in the connection's thread: handshake, then the handler."""
        request.settimeout(10)
        with context.wrap_socket(request, server_side=True) as tls:
            Handler(tls, client_address, self)
            tls.unwrap()  # the goodbye that tells the client that nothing was cut off

    def handle_error(self, _request, client_address):
        """One line in place of a traceback."""
        print(client_address[0], sys.exc_info()[1], file=sys.stderr)


port, certificate, key = sys.argv[1:]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)
with Server(("127.0.0.1", int(port)), Handler) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
