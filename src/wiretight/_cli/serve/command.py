"""`serve`: HTTPS for a folder."""

import argparse
import contextlib
import functools
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import wiretight as ssl
from wiretight._cli.arguments import whole_number
from wiretight._cli.connect.address import split_address
from wiretight._cli.demo.files import folder, load_authorities, load_chain
from wiretight._cli.errors import CommandError, UsageError
from wiretight._cli.serve import hints
from wiretight._cli.serve.authority import Authority
from wiretight._cli.serve.fileserver import limit_version
from wiretight._cli.serve.folderhandler import FolderHandler
from wiretight._cli.serve.handshakes import Handshakes
from wiretight._cli.serve.httpsserver import HTTPSServer
from wiretight._cli.serve.servedfolder import ServedFolder
from wiretight._cli.terminal import clean, print_facts

_RELOAD_SECONDS = 1.0

_Listening = TypeVar("_Listening")


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "serve",
        help="serve HTTPS for a folder, or for a server behind",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=textwrap.dedent("""\
            Serves the files of a folder over HTTPS, to this machine only unless --bind says
            otherwise. Anyone who can connect can read everything in the folder but hidden
            files, whose names begin with a dot; links are not followed out of the folder.
            With --proxy, TLS ends here, and what is inside goes to a server behind, byte by
            byte: HTTP, WebSocket, a database's protocol. At /_tls, each client is shown its
            own handshake. For development."""),
        epilog=textwrap.dedent("""\
            examples:
              wiretight serve --self-made     at https://localhost:8443/
              wiretight serve --cert cert.pem --key key.pem --port 443 --reload /www
              wiretight serve --self-made --proxy localhost:8000 --client-ca clients.pem

            --cert takes the server's certificate followed by its intermediates, as
            certbot's fullchain.pem has them; the key may be in the same file."""),
    )
    command.add_argument("folder", metavar="FOLDER", nargs="?", help="what to serve (default: this one)")
    command.add_argument(
        "--proxy", metavar="HOST:PORT", help="pass what is inside TLS on to a server, instead of a folder"
    )
    command.add_argument("--cert", metavar="FILE", help="certificate chain, PEM")
    command.add_argument("--key", metavar="FILE", help="private key, PEM, not encrypted (default: in --cert)")
    command.add_argument("--hidden", action="store_true", help="serve hidden files and folders, too")
    command.add_argument("--self-made", action="store_true", help="make a certificate on the spot (needs cryptography)")
    command.add_argument(
        "--port",
        type=whole_number(0, 65535, "port number"),
        default=8443,
        metavar="N",
        help="port, 0 for any (default 8443)",
    )
    command.add_argument("--bind", default="127.0.0.1", metavar="ADDR", help="address to listen on (default 127.0.0.1)")
    command.add_argument("--tls", choices=["1.2", "1.3"], help="accept only this version")
    command.add_argument("--client-ca", metavar="FILE", help="require a client certificate that these CAs have issued")
    command.add_argument("--reload", action="store_true", help="take up renewed --cert and --key without a restart")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command, until it is interrupted."""
    _check(options)
    backend = None if options.proxy is None else _backend(options.proxy)
    served = ServedFolder(folder(options.folder or "."), options.hidden)
    handshakes = Handshakes()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    limit_version(context, options.tls)
    context.message_callback = handshakes
    context.set_alpn_protocols(["http/1.1"])
    if options.client_ca:
        load_authorities(context, options.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    with _certificate(options, context) as ca_file:
        if backend is not None:
            from wiretight._cli.serve.proxy import Proxy, bound  # it imports asyncio, which the others need not

            proxy = Proxy(backend, context, handshakes, _note)
            with _listening(options, lambda address: bound(*address)) as listener:
                _welcome(options, context, listener.getsockname()[1], ca_file)
                proxy.serve(listener)
        handler = functools.partial(FolderHandler, served=served, handshakes=handshakes)
        with _listening(options, lambda address: HTTPSServer(address, handler, context, _note)) as server:
            _welcome(options, context, server.server_port, ca_file)
            server.serve_forever()
    return 0


def _welcome(options: argparse.Namespace, context: ssl.SSLContext, port: int, ca_file: str | None) -> None:
    at = hints.url(options.bind, port)
    what = (
        f"serving {options.folder or '.'} at {at}" if options.proxy is None else f"passing {at} on to {options.proxy}"
    )
    tries = [
        ("in a browser", f"{at}_tls shows it its own handshake"),
        ("with curl", hints.curl(f"{at}_tls.json", context, ca_file)),
    ]
    print_facts(what, tries)
    sys.stdout.flush()


def _backend(text: str) -> tuple[str, int]:
    if text.startswith(("https:", "wss:")):
        raise UsageError("--proxy speaks plain text to the server behind: give it as HOST:PORT")
    host, port = split_address(text, 0)
    if not port:
        raise UsageError(f"--proxy needs a port, too: {host}:8000")
    return host, port


def _check(options: argparse.Namespace) -> None:
    if not options.cert and not options.self_made:
        raise UsageError(
            "serve needs a certificate: give --cert and --key (from a CA such as Let's Encrypt), "
            "or --self-made to have one made on the spot"
        )
    if options.cert and options.self_made:
        raise UsageError("--cert and --self-made exclude each other")
    if options.proxy and (options.folder or options.hidden):
        raise UsageError("--proxy serves no FOLDER")
    if options.reload and options.self_made:
        raise UsageError("--reload looks for a renewed --cert; one that is --self-made lasts as long as the command")
    if not options.bind:
        raise UsageError("--bind needs an address: 0.0.0.0 or :: for every one that this machine has")


@contextlib.contextmanager
def _certificate(options: argparse.Namespace, context: ssl.SSLContext) -> Iterator[str | None]:
    """Load the certificate; yields the file with its CA, if it has just been made."""
    if not options.self_made:
        load_chain(context, options.cert, options.key)
        if options.reload:
            context.reload_interval = _RELOAD_SECONDS
            context.reload_error_callback = _not_renewed
        yield None
        return
    authority = Authority()
    with tempfile.TemporaryDirectory(prefix="wiretight-serve-", ignore_cleanup_errors=True) as name:
        server = authority.write_server(Path(name, "server.pem"), "localhost", "127.0.0.1", "::1")
        context.load_cert_chain(server)
        server.unlink()
        yield str(authority.write_certificate(Path(name, "ca.pem")))


def _not_renewed(_context: ssl.SSLContext, error: Exception) -> None:
    why = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
    _note(f"the renewed certificate cannot be used, the former one stays: {why}")


def _listening(options: argparse.Namespace, make: Callable[[tuple[str, int]], _Listening]) -> _Listening:
    try:
        return make((options.bind, options.port))
    except (OSError, UnicodeError, TypeError) as error:  # the last two, if it cannot be the name of a host
        why = getattr(error, "strerror", None) or "this is no address"
        raise CommandError(f"cannot listen on {clean(options.bind)} port {options.port}: {why}") from error


def _note(line: str) -> None:
    print(f"wiretight: {clean(line)}", file=sys.stderr, flush=True)
