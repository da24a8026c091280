"""Examination: one server looked at, with a connection that verifies its certificates and another that resumes it."""

import contextlib
import socket
import time

import wiretight as ssl
from wiretight._cli.connect.chain import decoded, is_address, notes
from wiretight._cli.connect.dialler import Dialler, Refused
from wiretight._cli.connect.reasons import reasons
from wiretight._cli.connect.report import Report
from wiretight._cli.errors import CommandError
from wiretight._cli.negotiated import UNKNOWN

_TICKET_SECONDS = 1.0  # how long a server is given to send a TLS 1.3 session ticket
_LOOK_SECONDS = 0.05  # how long to read before looking whether there is one: a server may send without an end


def examine(dialler: Dialler, context: ssl.SSLContext, pem: bool = False, *, waits: bool = True) -> Report:
    """The report about a server, whose certificates are in it as PEM, too, if asked for.

    Unless it `waits` for what the server says after the handshake, whether that demands a certificate or resumes the
    session is not found out.
    Raises `CommandError` if there is no connection for another reason than its certificates.
    """
    verify = context.verify_mode != ssl.CERT_NONE
    report = Report(dialler.host, dialler.port, server_name=None if is_address(dialler.name) else dialler.name)
    try:
        connection = dialler.dial(context)
    except Refused as refused:
        report.verified = False
        _describe(report, list(refused.error.peer_chain), pem)
        report.refused = "; ".join(reasons(refused.error, dialler.name))
        _fill(report, refused.agreed, dialler.protocol)
        return report
    with connection:
        _fill(report, connection.connection_info(), connection.version())
        report.verified = True if verify else None
        _describe(report, _sent_by(connection), pem)
        verified = connection.get_verified_chain() if verify else []
        report.root = decoded(ssl.Certificate.from_der(verified[-1])).subject if verified else None
        if not waits:
            return report
        report.client_certificate_demanded = demands_certificate(connection)
        session = connection.session
        close(connection)
    report.session_reused = is_reused(dialler, context, session)
    return report


def demands_certificate(connection: ssl.SSLSocket) -> bool:
    """Wait for what a TLS 1.3 server sends after the handshake: session tickets, or the alert in question."""
    deadline = time.monotonic() + _TICKET_SECONDS
    while not (connection.session is not None and connection.session.has_ticket):
        left = deadline - time.monotonic()
        if connection.version() != "TLSv1.3" or left <= 0:
            break
        connection.settimeout(min(left, _LOOK_SECONDS))
        try:
            connection.recv(1)
            break
        except TimeoutError:
            continue
        except ssl.SSLError as error:
            return error.alert == ssl.ALERT_DESCRIPTION_CERTIFICATE_REQUIRED
        except OSError:
            break
    return False


def close(connection: ssl.SSLSocket) -> None:
    """Close it so that its session can be resumed: OpenSSL wants a close_notify for that, but not the server's."""
    connection.settimeout(_LOOK_SECONDS)
    with contextlib.suppress(OSError, ValueError):
        connection.shutdown(socket.SHUT_WR)


def is_reused(dialler: Dialler, context: ssl.SSLContext, session: ssl.SSLSession | None) -> bool:
    """Whether the server resumes this session, in a second connection."""
    if session is None or not (session.has_ticket or session.id):
        return False
    try:
        with dialler.dial(context, session) as again:
            return bool(again.session_reused)
    except (CommandError, Refused, OSError):
        return False


def _describe(report: Report, chain: list[ssl.Certificate], pem: bool) -> None:
    report.chain = [decoded(certificate, pem) for certificate in chain]
    report.notes = notes(report.chain)


def _sent_by(connection: ssl.SSLSocket) -> list[ssl.Certificate]:
    """The chain as the peer sent it, its own certificate first; needs no verification."""
    return [ssl.Certificate.from_der(der) for der in connection.get_unverified_chain()]


def _fill(report: Report, agreed: ssl.ConnectionInfo, protocol: str | None) -> None:
    report.protocol, report.cipher, report.bits = protocol or UNKNOWN, agreed.cipher or UNKNOWN, agreed.cipher_bits
    report.group, report.alpn = agreed.group or UNKNOWN, agreed.alpn_protocol
