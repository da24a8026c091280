"""Dialler: makes the connections that `connect` and `trace` look at."""

import argparse
import socket
import time
import warnings

import wiretight as ssl
from wiretight._cli.arguments import seconds
from wiretight._cli.connect import starttls
from wiretight._cli.connect.address import HTTPS, split_address
from wiretight._cli.demo.files import load_chain, readable
from wiretight._cli.errors import CommandError, UsageError, connection_failure
from wiretight._cli.serve.fileserver import limit_version

WEB = "h2,http/1.1"
OLD_VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1}
_HANDSHAKE = 22  # RFC 8446, section 5.1


def add_server_options(command: argparse.ArgumentParser) -> None:
    """The server's address, and what it is called and trusted by."""
    command.add_argument(
        "address", metavar="HOST[:PORT]", help=f"the server, or a URL; port {HTTPS} by default; [::1]:{HTTPS} for IPv6"
    )
    command.add_argument("--cafile", metavar="FILE", help="trust the CA certificates in FILE (PEM), not the system's")
    command.add_argument("--cert", metavar="FILE", help="show this certificate, PEM, if the server asks for one")
    command.add_argument("--key", metavar="FILE", help="its private key, PEM, not encrypted (default: in --cert)")
    command.add_argument("--servername", metavar="NAME", help="name to ask for and to verify (default: HOST)")
    command.add_argument("--insecure", action="store_true", help="do not verify the server's certificate")
    command.add_argument(
        "--starttls",
        choices=starttls.NAMES,
        metavar="PROTOCOL",
        help=f"begin in plain text and ask for TLS: {', '.join(starttls.NAMES)}",
    )


def add_options(command: argparse.ArgumentParser) -> None:
    """The same, and what to offer in a connection."""
    add_server_options(command)
    command.add_argument("--alpn", metavar="LIST", help=f"protocols to offer, '' for none (default: {WEB})")
    command.add_argument("--tls", choices=["1.2", "1.3"], help="offer only this version")
    command.add_argument("--insecure-tls", choices=OLD_VERSIONS, help="offer only this version, which is broken")
    command.add_argument("--timeout", type=seconds, default=10, metavar="S", help="seconds for each step (default 10)")


class Refused(Exception):
    """The server's certificate was rejected, and what had been agreed on before."""

    def __init__(self, error: ssl.SSLCertVerificationError, agreed: ssl.ConnectionInfo) -> None:
        super().__init__(str(error))
        self.error, self.agreed = error, agreed


class Dialler:
    """Connects to one server, as the options of add_options() specify, or raises `UsageError` if they cannot.

    `protocol` is what the last handshake has come to speak.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        usual = starttls.default_port(options.starttls) if options.starttls else HTTPS
        self.host, self.port = split_address(options.address, usual)
        if options.tls and options.insecure_tls:
            raise UsageError("--tls and --insecure-tls exclude each other")
        if options.key and not options.cert:
            raise UsageError("--key is the key of a certificate: give that with --cert")
        if options.cafile is not None:
            readable(options.cafile)
        self.protocol: str | None = None
        self.name: str = options.servername or self.host
        self.peer = f"{self.host}:{self.port}"
        self._options = options

    def context(self, verify: bool) -> ssl.SSLContext:
        """A client's context; without `verify` it accepts any certificate."""
        options = self._options
        try:
            context = ssl.create_default_context(cafile=options.cafile)
        except ssl.SSLError:
            raise CommandError(f"{options.cafile} holds no CA certificate in PEM form") from None
        limit_version(context, options.tls)
        if options.insecure_tls:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.maximum_version = context.minimum_version = OLD_VERSIONS[options.insecure_tls]
            context.set_ciphers("DEFAULT@SECLEVEL=0")  # their signatures are by MD5 and SHA-1
        if options.cert:
            load_chain(context, options.cert, options.key)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        offered = options.alpn if options.alpn is not None else "" if options.starttls else WEB
        try:
            context.set_alpn_protocols([name for name in offered.split(",") if name])
        except (ssl.SSLError, UnicodeError):
            raise UsageError(f"--alpn {offered!r}: each name has 1 to 255 ASCII characters") from None
        context.message_callback = self._listen
        return context

    def _listen(self, _: object, direction: str, version: int, content_type: int, *__: object) -> None:
        # version() is None until the handshake is done, and a rejected certificate ends it before.
        if direction == "read" and content_type == _HANDSHAKE:
            self.protocol = ssl.TLSVersion(version).name.replace("_", ".")

    def dial(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        """A connection after its handshake. Raises `CommandError`, or `Refused` for a rejected certificate."""
        raw = self._connect()
        try:
            if self._options.starttls:
                starttls.start(raw, self._options.starttls, self.name, self.peer, self._options.timeout)
            connection = context.wrap_socket(
                raw, server_hostname=self.name, session=session, do_handshake_on_connect=False
            )
            try:
                connection.do_handshake()
            except BaseException as error:
                agreed = connection.connection_info()
                connection.close()
                if isinstance(error, ssl.SSLCertVerificationError):
                    raise Refused(error, agreed) from error
                raise
            return connection
        except OSError as error:
            raise connection_failure(error, self.peer, self._options.timeout) from error
        except ValueError as error:
            raise UsageError(f"{self.name!r} cannot be a server's name: {error}") from error
        finally:
            raw.close()  # which does nothing once it is wrapped

    def _connect(self) -> socket.socket:
        try:
            return _connected(self.host, self.port, self._options.timeout)
        except (OSError, UnicodeError) as error:  # UnicodeError: not a possible DNS name
            raise connection_failure(error, self.peer, self._options.timeout) from error


def _connected(host: str, port: int, timeout: float) -> socket.socket:
    """Tries the addresses of the host one after the other, each for its share of the time that is left."""
    deadline = time.monotonic() + timeout
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        raw = socket.socket(family, kind, protocol)
        try:
            raw.settimeout(max(0.001, (deadline - time.monotonic()) / (len(addresses) - number)))
            raw.connect(address)
        except BaseException as error:
            raw.close()
            if not isinstance(error, OSError) or number == len(addresses) - 1:
                raise
        else:
            raw.settimeout(timeout)
            return raw
    raise OSError("it has no address")
