"""install() gives asyncio's own functions the native transport, which behaves as asyncio's; uninstall() undoes it."""

from __future__ import annotations

import sys

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


def test_install_does_not_import_asyncio() -> None:
    succeeds("""
        import sys, wiretight
        wiretight.install()
        assert "asyncio" not in sys.modules
        wiretight.uninstall()
        assert not [finder for finder in sys.meta_path if "wiretight" in type(finder).__module__]
    """)


def test_a_standard_context_keeps_asyncio_s_own_transport(certificates: Certificates) -> None:
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


UPGRADING = """
    import asyncio, ssl, sys
    import wiretight
    from wiretight._asyncio.layered import LayeredSSLTransport
    chain, key, ca = sys.argv[1:4]
    called = []

    def recording(owner, name):
        before = getattr(owner, name)
        async def recorded(*args, **options):
            called.append(name)
            return await before(*args, **options)
        setattr(owner, name, recorded)

    def contexts(module):
        server = module.SSLContext(module.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(chain, key)
        client = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
        client.load_verify_locations(ca)
        return server, client

    class Plain(asyncio.Protocol):
        def connection_made(self, transport): self.transport = transport
    class Reading(Plain):
        def __init__(self): self.read, self.lost = b"", asyncio.get_running_loop().create_future()
        def data_received(self, data): self.read += data
        def connection_lost(self, error): self.lost.set_result(error)

    async def upgrade(server_context, client_context):
        # The type of the client's transport, once it has received something.
        loop, tasks = asyncio.get_running_loop(), []
        class Serving(Plain):
            def connection_made(self, transport): tasks.append(loop.create_task(self.serve(transport)))
            async def serve(self, transport):
                transport = await loop.start_tls(transport, self, server_context, server_side=True)
                transport.write(b"over TLS")
                transport.close()
        async with await loop.create_server(Serving, "127.0.0.1", 0) as listener:
            transport, protocol = await loop.create_connection(Reading, *listener.sockets[0].getsockname())
            transport = await loop.start_tls(transport, protocol, client_context, server_hostname="localhost")
            kind = type(transport)
            assert await protocol.lost is None and protocol.read == b"over TLS"
            transport.close()  # asyncio's of Python 3.10 is not closed by the end of its connection
            await asyncio.gather(*tasks)
        return kind
"""


def test_a_start_tls_patched_in_before_still_serves_what_is_not_ours(certificates: Certificates) -> None:
    succeeds(
        UPGRADING
        + """
    standard = contexts(ssl)
    import wiretight.asyncio  # it gets what it needs from asyncio before the program replaces it
    recording(asyncio.BaseEventLoop, "start_tls")
    wiretight.install()
    assert asyncio.run(upgrade(*contexts(wiretight))) is LayeredSSLTransport and not called
    assert asyncio.run(upgrade(*standard)) is not LayeredSSLTransport
    assert called == ["start_tls"] * 2
    """,
        *certificates.server,
        certificates.ca_file,
    )


@pytest.mark.parametrize("owner", ["asyncio.BaseEventLoop", "asyncio.SelectorEventLoop", "asyncio.get_running_loop()"])
def test_a_start_tls_patched_over_ours_is_called(certificates: Certificates, owner: str) -> None:
    succeeds(
        UPGRADING
        + f"""
    wiretight.install()
    async def main():
        recording({owner}, "start_tls")
        return await upgrade(*contexts(wiretight))
    assert asyncio.run(main()) is LayeredSSLTransport
    assert called == ["start_tls"] * 2
    """,
        *certificates.server,
        certificates.ca_file,
    )


@pytest.mark.skipif(sys.version_info < (3, 11), reason="StreamWriter.start_tls() came with Python 3.11")
@pytest.mark.parametrize("owner", ["asyncio.StreamWriter", "asyncio.get_running_loop()"])
def test_a_stream_writer_upgrades_through_ours_and_a_patch_over_it(certificates: Certificates, owner: str) -> None:
    succeeds(
        UPGRADING
        + f"""
    wiretight.install()
    server_context, client_context = contexts(wiretight)
    async def main():
        done = asyncio.Event()
        async def serve(reader, writer):
            await writer.start_tls(server_context)
            writer.write(await reader.readline())
            writer.close()
            await writer.wait_closed()
            done.set()
        recording({owner}, "start_tls")
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
            reader, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
            await writer.start_tls(client_context, server_hostname="localhost")
            assert type(writer.transport) is LayeredSSLTransport
            writer.write(b"line\\n")
            assert await reader.readline() == b"line\\n"
            writer.close()
            await writer.wait_closed()
            await done.wait()
    asyncio.run(main())
    assert called == ["start_tls"] * 2
    """,
        *certificates.server,
        certificates.ca_file,
    )


HOOKED_FIRST = """
    import sys
    {before}
    calls = set()
    def hook(owner, name):
        real = getattr(owner, name)
        def hooked(self, *args, **options):
            calls.add(name)
            return real(self, *args, **options)
        setattr(owner, name, hooked)
    for name in ("do_handshake", "read", "write", "unwrap"):
        hook(ssl.SSLObject, name)
    hook(ssl.SSLContext, "wrap_bio")

    import asyncio
    {after}
    async def main():
        server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server_context.load_cert_chain(sys.argv[1], sys.argv[2])
        client_context = ssl.create_default_context(cafile=sys.argv[3])
        async def handle(reader, writer):
            writer.write(b"x")
            writer.close()
        server = await streams.start_server(handle, "127.0.0.1", 0, ssl=server_context)
        reader, writer = await streams.open_connection(
            *server.sockets[0].getsockname(), ssl=client_context, server_hostname="localhost")
        assert await reader.read() == b"x"
        writer.close()
        await writer.wait_closed()
        server.close()
    asyncio.run(main())
    assert calls == {{"do_handshake", "read", "write", "unwrap", "wrap_bio"}}, calls
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import wiretight; wiretight.install(); import ssl", "streams = asyncio"),
        (
            "import wiretight as ssl, logging",
            "from wiretight import asyncio as streams; logging.disable()",  # asyncio warns of half closing
        ),
    ],
    ids=["installed", "functions"],
)
def test_a_hook_older_than_asyncio_s_import_is_called(certificates: Certificates, before: str, after: str) -> None:
    succeeds(HOOKED_FIRST.format(before=before, after=after), *certificates.server, certificates.ca_file)
