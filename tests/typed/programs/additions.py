"""What wiretight has beyond `ssl`."""

import ssl

from typing_extensions import assert_type


def bound(connection: ssl.SSLSocket, tls: ssl.SSLObject) -> bytes:
    assert_type(tls.get_channel_binding("tls-exporter"), bytes | None)
    assert_type(tls.export_keying_material("EXPERIMENTAL", 32), bytes)
    connection.export_keying_material(b"EXPERIMENTAL", 32)  # type: ignore[arg-type]
    return connection.export_keying_material("EXPERIMENTAL", 32, bytearray(b"context"), early=True)
