"""install() gives asyncio's own functions the native transport, with asyncio's manners; uninstall() takes it back."""

from __future__ import annotations

import pytest

from tests.install.program import succeeds
from tests.kit.certificates import Certificates

PROGRAM = """
    import sys
    {before}
    import wiretight
    wiretight.install()
    import asyncio, ssl
    from wiretight._asyncio.transport import SSLTransport

    def contexts():
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(sys.argv[1], sys.argv[2])
        client = ssl.create_default_context(cafile=sys.argv[3])
        return server, client

    async def main(kind):
        server_context, client_context = contexts()
        kinds = []
        async def handle(reader, writer):
            kinds.append(type(writer.transport))
            writer.write(await reader.readline())
            writer.close()
        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=server_context)
        reader, writer = await asyncio.open_connection(
            *server.sockets[0].getsockname(), ssl=client_context, server_hostname="localhost")
        kinds.append(type(writer.transport))
        assert not writer.can_write_eof()
        writer.write(b"line\\n")
        assert await reader.read() == b"line\\n"
        writer.close()
        await writer.wait_closed()
        server.close()
        await server.wait_closed()
        assert [made is SSLTransport for made in kinds] == [kind, kind], kinds

    asyncio.run(main(True))
    wiretight.uninstall()
    asyncio.run(main(False))
"""


@pytest.mark.parametrize("before", ["import asyncio", "pass"], ids=["asyncio-before", "asyncio-after"])
def test_asyncio_is_served_until_uninstall(certificates: Certificates, before: str) -> None:
    succeeds(PROGRAM.format(before=before), *certificates.server, certificates.ca_file)


def test_asyncio_is_not_imported_for_the_sake_of_it() -> None:
    succeeds("""
        import sys, wiretight
        wiretight.install()
        assert "asyncio" not in sys.modules
        wiretight.uninstall()
        assert not [finder for finder in sys.meta_path if "wiretight" in type(finder).__module__]
    """)


def test_a_context_of_the_standard_library_keeps_asyncios_own_transport(certificates: Certificates) -> None:
    succeeds(
        """
        import ssl as standard, sys
        context = standard.create_default_context(cafile=sys.argv[1])
        import wiretight
        wiretight.install()
        import asyncio
        from wiretight._asyncio.takeover import can_drive
        assert not can_drive(context)
        assert can_drive(wiretight.create_default_context(cafile=sys.argv[1]))
        """,
        certificates.ca_file,
    )
