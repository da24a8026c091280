"""Credentials and their renewal under asyncio: with the native transport, and through contexts that asyncio drives."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import wiretight
from tests.kit.certfolder import Folder
from tests.kit.certificates import ADDRESS, HOST
from tests.kit.keys import authority, client_context, credential_of, material, new_material, server_context
from wiretight import asyncio as native
from wiretight._core.base import files

OTHER = "other.example"


async def shown(address: Any, context: Any, open_connection: Any, name: str = HOST) -> bytes:
    """The certificate of the server, after a message there and back."""
    reader, writer = await open_connection(*address, ssl=context, server_hostname=name)
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    der: bytes = writer.get_extra_info("ssl_object").getpeercert(True)
    writer.close()
    await writer.wait_closed()
    return der


async def echo(reader: Any, writer: Any) -> None:
    writer.write(await reader.readline())
    await reader.read()
    writer.close()
    await writer.wait_closed()


@pytest.fixture(params=[native, asyncio], ids=["native", "asyncio's own"])
def module(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_server_changes_its_credentials_while_it_serves(loops: Any, module: Any, version: Any) -> None:
    context = server_context(version, credential_of("RSA", OTHER))

    async def main() -> None:
        async with await module.start_server(echo, ADDRESS, 0, ssl=context) as server:
            address = server.sockets[0].getsockname()[:2]
            reader, writer = await module.open_connection(*address, ssl=client_context(version), server_hostname=OTHER)
            context.credentials = [credential_of("RSA"), credential_of("EC")]
            for kind, algorithm in (("RSA", "rsa_pss_rsae_sha256"), ("EC", "ECDSA+SHA256")):
                client = client_context(version)
                client.set_server_sigalgs(algorithm)
                assert await shown(address, client, module.open_connection) == material(kind).ders[0]
            writer.write(b"still here\n")
            assert await reader.readline() == b"still here\n"
            writer.close()
            await writer.wait_closed()

    loops.run(main)


def test_a_client_shows_its_credential(loops: Any, module: Any, version: Any) -> None:
    context = server_context(version, credential_of())
    context.load_verify_locations(cadata=authority()[0].pem)
    context.verify_mode = wiretight.CERT_REQUIRED
    certificates: list[bytes] = []

    async def note(reader: Any, writer: Any) -> None:
        certificates.append(writer.get_extra_info("ssl_object").getpeercert(True))
        await echo(reader, writer)

    async def main() -> None:
        async with await module.start_server(note, ADDRESS, 0, ssl=context) as server:
            client = client_context(version, credential_of("RSA", "client.example"))
            await shown(server.sockets[0].getsockname()[:2], client, module.open_connection)

    loops.run(main)
    assert certificates == [material("RSA", "client.example").ders[0]]


def test_a_server_finds_what_was_renewed(
    loops: Any, module: Any, version: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SETTLED_AFTER", -(10**9))
    folder = Folder(tmp_path)
    made = [new_material() for _ in range(2)]
    folder.write(made[0])
    context = server_context(version)
    context.load_cert_chain(folder.chain, folder.key)
    context.reload_interval = 0

    async def main() -> None:
        async with await module.start_server(echo, ADDRESS, 0, ssl=context) as server:
            address = server.sockets[0].getsockname()[:2]
            for each in made:
                folder.rename(each)
                assert await shown(address, client_context(version), module.open_connection) == each.ders[0]

    loops.run(main)
