"""`serve`: HTTPS for a folder."""

import argparse
import contextlib
import functools
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import wiretight as ssl
from wiretight._cli.demo.files import folder, load_chain
from wiretight._cli.errors import CommandError, UsageError
from wiretight._cli.serve.authority import Authority
from wiretight._cli.serve.fileserver import limit_version
from wiretight._cli.serve.folderhandler import FolderHandler
from wiretight._cli.serve.httpsserver import HTTPSServer
from wiretight._cli.serve.servedfolder import ServedFolder
from wiretight._cli.terminal import clean


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "serve",
        help="serve HTTPS for a folder",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=textwrap.dedent("""\
            Serves the files of a folder over HTTPS, to this machine only unless --bind says
            otherwise. Anyone who can connect can read everything in the folder but hidden
            files, whose names begin with a dot; links are not followed out of the folder.
            For development: it has no limit on the number of clients."""),
        epilog=textwrap.dedent("""\
            examples:
              wiretight serve --self-made     at https://localhost:8443/
              wiretight serve --cert cert.pem --key key.pem --port 443 /www

            --cert takes the server's certificate followed by its intermediates, as
            certbot's fullchain.pem has them; the key may be in the same file."""),
    )
    command.add_argument("folder", metavar="FOLDER", nargs="?", default=".", help="what to serve (default: this one)")
    command.add_argument("--cert", metavar="FILE", help="certificate chain, PEM")
    command.add_argument("--key", metavar="FILE", help="private key, PEM, not encrypted (default: in --cert)")
    command.add_argument("--hidden", action="store_true", help="serve hidden files and folders, too")
    command.add_argument("--self-made", action="store_true", help="make a certificate on the spot (needs trustme)")
    command.add_argument("--port", type=_port, default=8443, metavar="N", help="port, 0 for any (default 8443)")
    command.add_argument("--bind", default="127.0.0.1", metavar="ADDR", help="address to listen on (default 127.0.0.1)")
    command.add_argument("--tls", choices=["1.2", "1.3"], help="accept only this version")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command, until it is interrupted."""
    if not options.cert and not options.self_made:
        raise UsageError(
            "serve needs a certificate: give --cert and --key (from a CA such as Let's Encrypt), "
            "or --self-made to have one made on the spot"
        )
    if options.cert and options.self_made:
        raise UsageError("--cert and --self-made exclude each other")
    handler = functools.partial(FolderHandler, served=ServedFolder(folder(options.folder), options.hidden))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    limit_version(context, options.tls)
    with _certificate(options, context) as trust, _listening(options, handler, context) as server:
        host = options.bind if ":" not in options.bind else f"[{options.bind}]"
        name = "localhost" if options.bind == "127.0.0.1" else host
        print(f"serving {clean(options.folder)} at https://{name}:{server.server_port}/{trust}", flush=True)
        server.serve_forever()
    return 0


@contextlib.contextmanager
def _certificate(options: argparse.Namespace, context: ssl.SSLContext) -> Iterator[str]:
    """Load the certificate; yields how to trust it."""
    if not options.self_made:
        load_chain(context, options.cert, options.key)
        yield ""
        return
    authority = Authority()
    with tempfile.TemporaryDirectory(prefix="wiretight-serve-", ignore_cleanup_errors=True) as name:
        server = authority.write_server(Path(name, "server.pem"), "localhost", "127.0.0.1", "::1")
        context.load_cert_chain(server)
        server.unlink()
        ca_file = authority.write_certificate(Path(name, "ca.pem"))
        yield f" (to trust it, while it runs: curl --cacert {ca_file} …)"


def _listening(
    options: argparse.Namespace, handler: "functools.partial[FolderHandler]", context: ssl.SSLContext
) -> HTTPSServer:
    try:
        return HTTPSServer((options.bind, options.port), handler, context, _note)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise CommandError(f"cannot listen on {clean(options.bind)} port {options.port}: {why}") from error


def _note(line: str) -> None:
    print(f"wiretight: {clean(line)}", file=sys.stderr, flush=True)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number from 0 to 65535")
    return int(text)
