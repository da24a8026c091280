"""Contexts of the standard `ssl` that were created before install(), or afterwards by what it does not reach.

They work, they verify, and they are recognised.
"""

from __future__ import annotations

import pytest

from tests.install.program import succeeds
from tests.kit.certificates import Certificates

ASYNCIO = """
    import asyncio, ssl, sys
    ca, chain, key, name = sys.argv[1:]
    def make(module):
        client = module.create_default_context(cafile=ca)
        client.verify_flags &= ~module.VERIFY_X509_STRICT
        server = module.SSLContext(module.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(chain, key)
        return client, server
    older = make(ssl)
    import wiretight
    wiretight.install()
    newer = make(ssl)
    assert type(older[0]) is not type(newer[0])

    async def answer(reader, writer, answered):
        try:
            writer.write(await reader.readexactly(300_000))
            await writer.drain()
            writer.close()
            await writer.wait_closed()
        except (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
            pass
        answered.set()

    async def exchange(client, server):
        answered = asyncio.Event()
        listener = await asyncio.start_server(lambda *ends: answer(*ends, answered), "127.0.0.1", 0, ssl=server)
        async with listener:
            port = listener.sockets[0].getsockname()[1]
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=name)
            writer.write(bytes(300_000))
            assert await reader.readexactly(300_000) == bytes(300_000)
            assert await reader.read() == b""
            writer.close()
            await writer.wait_closed()
            await answered.wait()
        return writer
"""


@pytest.mark.parametrize("ends", ["older[0], newer[1]", "newer[0], older[1]", "older[0], older[1]"])
def test_asyncio_still_works_with_an_older_context(certificates: Certificates, ends: str) -> None:
    code = ASYNCIO + f"    asyncio.run(exchange({ends}))\n"
    succeeds(code, certificates.ca_file, *certificates.server, "localhost")


def test_an_older_context_still_verifies_under_asyncio(certificates: Certificates) -> None:
    code = ASYNCIO + (
        "    asyncio.run(exchange(*newer)) if name == 'localhost' else None\n"
        "    try:\n"
        "        asyncio.run(exchange(older[0], newer[1]))\n"
        "    except ssl.SSLCertVerificationError as refusal:\n"
        "        assert refusal.verify_code == 62\n"
        "    else:\n"
        "        raise AssertionError('the wrong host was accepted')\n"
    )
    succeeds(code, certificates.ca_file, *certificates.server, "elsewhere.example")


# How a program has what install() does not reach, and creates contexts from it afterwards.
KEPT = """
    import ssl
    class Subclass(ssl.SSLContext): pass
    class Object(ssl.SSLObject): pass
    class WithObjects(ssl.SSLContext):
        sslobject_class = Object
    class Around(ssl.SSLContext):  # as truststore's
        def __init__(self, protocol, own=ssl.SSLContext):
            self.inner = own(protocol)
        def __getattribute__(self, name):
            if name in ("inner", "__class__", "__init__"):
                return object.__getattribute__(self, name)
            return getattr(object.__getattribute__(self, "inner"), name)
    def by_default(protocol, own=ssl.SSLContext):
        return own(protocol)
    def closing_over(own):
        return lambda protocol: own(protocol)
    in_closure = closing_over(ssl.SSLContext)
"""
# The contexts of a program that has KEPT, in ASYNCIO.
MADE_LATER = """
    def remade(kind):
        client, server = kind(ssl.PROTOCOL_TLS_CLIENT), kind(ssl.PROTOCOL_TLS_SERVER)
        client.load_verify_locations(ca)
        server.load_cert_chain(chain, key)
        return client, server
    later = remade(globals()[sys.argv[4]])
    assert wiretight.SSLContext not in type(later[0]).__mro__
"""

KINDS = pytest.mark.parametrize("kind", ["Subclass", "WithObjects", "Around", "by_default", "in_closure"])


def with_kept(rest: str) -> str:
    return KEPT + ASYNCIO.replace("ca, chain, key, name =", "ca, chain, key, _, name =") + MADE_LATER + rest


@KINDS
def test_asyncio_accepts_a_context_created_later_by_a_leftover(certificates: Certificates, kind: str) -> None:
    code = with_kept(
        "    for ends in (later, (later[0], newer[1]), (newer[0], later[1])): asyncio.run(exchange(*ends))\n"
    )
    succeeds(code, certificates.ca_file, *certificates.server, kind, "localhost")


@KINDS
def test_a_context_created_later_verifies(certificates: Certificates, kind: str) -> None:
    code = with_kept(
        "    try:\n"
        "        asyncio.run(exchange(later[0], newer[1]))\n"
        "    except ssl.SSLCertVerificationError as refusal:\n"
        "        assert refusal.verify_code == 62\n"
        "    else:\n"
        "        raise AssertionError('the wrong host was accepted')\n"
    )
    succeeds(code, certificates.ca_file, *certificates.server, kind, "elsewhere.example")


@KINDS
def test_start_tls_accepts_a_context_created_later(certificates: Certificates, kind: str) -> None:
    code = with_kept("""
    class Plain(asyncio.Protocol):
        def connection_made(self, transport): self.transport = transport
    class Reading(Plain):
        def __init__(self): self.read, self.lost = b"", asyncio.get_running_loop().create_future()
        def data_received(self, data): self.read += data
        def connection_lost(self, error): self.lost.set_result(error)
    async def upgraded():
        loop, tasks = asyncio.get_running_loop(), []
        class Serving(Plain):
            def connection_made(self, transport): tasks.append(loop.create_task(self.serve(transport)))
            async def serve(self, transport):
                transport = await loop.start_tls(transport, self, later[1], server_side=True)
                transport.write(b"over TLS")
                transport.close()
        async with await loop.create_server(Serving, "127.0.0.1", 0) as listener:
            transport, protocol = await loop.create_connection(Reading, *listener.sockets[0].getsockname())
            transport = await loop.start_tls(transport, protocol, later[0], server_hostname=name)
            assert await protocol.lost is None and protocol.read == b"over TLS"
            transport.close()  # asyncio's of Python 3.10 is not closed by the end of its connection
            await asyncio.gather(*tasks)
    asyncio.run(upgraded())
""")
    succeeds(code, certificates.ca_file, *certificates.server, kind, "localhost")


def test_isinstance_with_the_new_class_recognizes_older_objects() -> None:
    succeeds("""
        import socket, ssl
        context = ssl.create_default_context()
        near, far = socket.socketpair()
        tls = context.wrap_socket(near, server_hostname="localhost", do_handshake_on_connect=False)
        over_bios = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
        import wiretight
        wiretight.install()
        assert ssl is wiretight
        assert isinstance(context, ssl.SSLContext)
        assert isinstance(tls, ssl.SSLSocket) and isinstance(over_bios, ssl.SSLObject)
        later = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")
        assert isinstance(later, ssl.SSLObject)
        class Mine(ssl.SSLSocket): pass
        assert not isinstance(tls, Mine) and not isinstance(near, ssl.SSLSocket)
        tls.close(), far.close()
    """)


def test_bytes_that_an_older_context_does_not_use_stay_in_the_bio() -> None:
    succeeds("""
        import ssl
        context = ssl.create_default_context()
        import wiretight
        wiretight.install()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        end = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        incoming.write(b"SSH-2.0-OpenSSH and more")
        try:
            end.do_handshake()
        except ssl.SSLError as failure:
            assert "WRONG_VERSION_NUMBER" in str(failure) or "RECORD_LAYER_FAILURE" in str(failure)
        assert outgoing.pending
        assert b"SSH-2.0-OpenSSH and more".endswith(incoming.read())
    """)


@pytest.mark.parametrize("kinds", ["older newer", "newer older", "older older", "newer newer"])
def test_an_older_context_accepts_bios_of_either_kind(certificates: Certificates, kinds: str) -> None:
    succeeds(
        """
        import ssl, sys
        ca, chain, key, *kinds = sys.argv[1:]
        client = ssl.create_default_context(cafile=ca)
        client.verify_flags &= ~ssl.VERIFY_X509_STRICT
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(chain, key)
        made = {"older": ssl.MemoryBIO}
        import wiretight
        wiretight.install()
        made["newer"] = ssl.MemoryBIO
        assert made["newer"] is not made["older"]
        there, back = [made[kind]() for kind in kinds]
        ends = [client.wrap_bio(back, there, server_hostname="localhost"), server.wrap_bio(there, back, True)]
        def step(call):
            try:
                return call()
            except ssl.SSLWantReadError:
                return None
        for _ in range(4):
            for end in ends: step(end.do_handshake)
        ends[0].write(b"there"), ends[1].write(b"back")
        assert (step(ends[1].read), step(ends[0].read)) == (b"there", b"back")
        """,
        certificates.ca_file,
        *certificates.server,
        *kinds.split(),
    )
