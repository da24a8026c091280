"""What wiretight has beyond `ssl`."""

import selectors
import ssl

from typing_extensions import assert_type


def why(error: ssl.SSLError) -> str:
    assert_type(error.alert_sent, bool)
    if error.alert == ssl.ALERT_DESCRIPTION_CERTIFICATE_REQUIRED and not error.alert_sent:
        return "the server wants a certificate"
    return error.alert.name if isinstance(error.alert, ssl.AlertDescription) else f"alert {error.alert}"


def attempt(context: ssl.SSLContext, tls: ssl.SSLObject) -> str:
    try:
        tls.do_handshake()
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return "again"
    except ssl.SSLCertVerificationError as refused:
        assert_type(refused.peer_chain, list[ssl.Certificate])
        return f"{refused.verify_errors[0].message}: {why(refused)}"
    except ssl.SSLError as error:
        return why(error)
    return "done"


def look(connection: ssl.SSLSocket, tls: ssl.SSLObject, context: ssl.SSLContext) -> str:
    def keep(_: object, line: str) -> None:
        lines.append(line)

    def show(_: object, direction: str, version: int, content: int, kind: int, data: bytes) -> None:
        lines.append(f"{direction} {version} {content} {kind} {data!r}")

    lines: list[str] = []
    context.keylog_callback = keep
    context.message_callback = show
    context.keylog_callback = None
    info = tls.connection_info()
    assert_type(info, ssl.ConnectionInfo)
    assert_type(info.version, str | None)
    assert_type(info.bytes_in, int)
    assert_type(connection.peek(), bytes)
    assert_type(tls.sendv([b"x", bytearray(b"y"), memoryview(b"z")]), int)
    connection.close_notify()
    with ssl.Selector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        for key, events in selector.select(0.1):
            lines.append(f"{key.fd} {events}")
    return " ".join(lines)


def bound(connection: ssl.SSLSocket, tls: ssl.SSLObject) -> bytes:
    assert_type(tls.get_channel_binding("tls-exporter"), bytes | None)
    assert_type(tls.export_keying_material("EXPERIMENTAL", 32), bytes)
    connection.export_keying_material(b"EXPERIMENTAL", 32)  # type: ignore[arg-type]
    return connection.export_keying_material("EXPERIMENTAL", 32, bytearray(b"context"), early=True)


def chosen(
    context: ssl.SSLContext, other: ssl.SSLContext, credential: ssl.Credential, tls: ssl.SSLObject
) -> list[bytes]:
    def choose(_: object, hello: ssl.ClientHello) -> ssl.SSLContext | None:
        assert_type(hello.server_name, str | None)
        assert_type(hello.cipher_suites, tuple[int, ...])
        return other if hello.ja4.startswith("t13") else None

    async def later(_: object, request: ssl.CertificateRequest) -> ssl.Credential | None:
        return credential if request.ca_names else None

    context.client_hello_callback = choose
    context.client_hello_callback = lambda *_: ssl.PENDING
    other.client_credential_callback = later
    context.alpn_callback = lambda _, offered: offered[0]
    context.alpn_required = True
    context.set_ca_names([*credential.certificates, b"DER"])
    assert_type(ssl.parse_client_hello(b""), ssl.ClientHello | None)
    try:
        tls.do_handshake()
    except ssl.SSLWantCallbackError as want:
        assert_type(want.errno, int | None)
    return tls.peer_ca_names()
