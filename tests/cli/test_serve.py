"""serve: a folder over HTTPS, which no silent client can block."""

from __future__ import annotations

import contextlib
import http.client
import os
import queue
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.cli.command import assert_one_line, started, wiretight, wiretight_without
from tests.cli.conftest import _Pages
from tests.kit.certificates import ADDRESS, HOST, Certificates, Credentials
from tests.kit.programs import curl
from tests.kit.sockets import receive_all
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE, Task
from wiretight._cli.serve.httpsserver import HTTPSServer
from wiretight._cli.terminal import clean


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a page in it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "page.txt").write_text("a page")
    return folder


@contextlib.contextmanager
def serving_folder(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """`serve` on a port of its choice: its process, its port and the curl command that it suggests."""
    with started("serve", "--port", 0, *arguments) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert "https://" in line, process.communicate()
            while "curl" not in (hint := process.stdout.readline()):
                assert hint
            command = hint[hint.index("curl") :].strip()
            yield process, int(line.split("https://")[1].split("/")[0].rpartition(":")[2]), command
        finally:
            process.kill()


def note_with(process: subprocess.Popen[str], text: str) -> str:
    """The next note with this text; those before it are about other connections."""
    assert process.stderr is not None
    while text not in (note := process.stderr.readline()):
        assert note, f"{text!r} was not noted"
    return note


def page(port: int, certificates: Certificates, path: str = "/page.txt") -> str:
    connection = http.client.HTTPSConnection(HOST, port, timeout=PATIENCE, context=certificates.client_context())
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def test_a_folder_is_served(folder: Path, certificates: Certificates) -> None:
    with serving_folder("--cert", certificates.server.chain, "--key", certificates.server.key, folder) as (_, port, _):
        assert page(port, certificates) == "a page"
        assert "page.txt" in page(port, certificates, "/")
        assert "404" in page(port, certificates, "/../../etc/passwd")


def test_a_key_may_be_in_the_file_of_its_certificate(folder: Path, certificates: Certificates, tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_text(certificates.server.key.read_text() + certificates.server.chain.read_text())

    with serving_folder("--cert", both, folder) as (_, port, _):
        assert page(port, certificates) == "a page"


def test_a_self_made_certificate_comes_with_its_ca_file(folder: Path) -> None:
    with serving_folder("--self-made", folder) as (_, port, hint):
        ca_file = hint.split("--cacert ")[1].split(" ")[0]
        fetched = wiretight("connect", f"{HOST}:{port}", "--cafile", ca_file)

        assert "verified       yes" in fetched.stdout
        assert [path.name for path in Path(ca_file).parent.iterdir()] == ["ca.pem"]


def test_a_silent_client_does_not_delay_others(folder: Path, certificates: Certificates) -> None:
    with (
        serving_folder("--cert", certificates.server.chain, "--key", certificates.server.key, folder) as (_, port, _),
        contextlib.ExitStack() as silent,
    ):
        for _ in range(5):
            silent.enter_context(socket.create_connection((ADDRESS, port)))

        assert page(port, certificates) == "a page"


def test_a_silent_client_is_dropped_at_the_deadline(certificates: Certificates) -> None:
    notes: queue.Queue[str] = queue.Queue()
    context = certificates.server_context()
    with HTTPSServer((ADDRESS, 0), _Pages, context, notes.put, handshake_seconds=0.1) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with socket.create_connection((ADDRESS, server.server_port)):
                assert notes.get(timeout=PATIENCE) == f"{ADDRESS} did not answer in time"
        finally:
            server.shutdown()
            thread.join()


def test_plain_http_is_reported_in_one_line(folder: Path, certificates: Certificates) -> None:
    with serving_folder("--cert", certificates.server.chain, "--key", certificates.server.key, folder) as served:
        process, port, _ = served
        with socket.create_connection((ADDRESS, port)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert process.stderr is not None
            assert process.stderr.readline() == f"wiretight: {ADDRESS} sent plain HTTP where TLS was expected\n"


def test_plain_http_is_told_which_url_to_use(folder: Path, certificates: Certificates) -> None:
    with serving_folder("--cert", certificates.server.chain, "--key", certificates.server.key, folder) as served:
        _, port, _ = served
        for host in (HOST, ADDRESS):
            fetched = curl(f"http://{host}:{port}/page.txt", "--include")

            assert fetched.stdout.startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert f"https://{host}:{port}/ " in fetched.stdout.decode()
        assert page(port, certificates) == "a page"


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET / HTTP/1.1\r\nHost: <script>alert(1)</script>\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: y\x00\xff\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: " + b"a" * 20000,
        b"GET /" + b"a" * 100000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"HEAD / HTTP/1.1\r\n\r\n",
        b"EHLO there\r\n",
    ],
    ids=lambda request: request[:30].decode("latin-1"),
)
def test_every_plain_request_gets_the_same_answer_in_text(
    folder: Path, certificates: Certificates, request_head: bytes
) -> None:
    with serving_folder("--cert", certificates.server.chain, "--key", certificates.server.key, folder) as served:
        with socket.create_connection((ADDRESS, served[1]), timeout=PATIENCE) as plain:
            plain.sendall(request_head)
            plain.shutdown(socket.SHUT_WR)
            said = receive_all(plain)

    head, _, text = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n")
    assert b"script" not in said
    assert (b"https://" in text) == (not request_head.startswith(b"HEAD"))


def test_a_client_must_show_a_certificate_of_the_client_ca(folder: Path, certificates: Certificates) -> None:
    server = ("--cert", certificates.server.chain, "--key", certificates.server.key)
    with serving_folder(*server, "--client-ca", certificates.ca_file, folder) as (process, port, hint):
        assert "--cert CLIENT.pem --key CLIENT.key" in hint
        trust = ("--cacert", certificates.ca_file)
        url = f"https://{HOST}:{port}/page.txt"

        def with_certificate(credentials: Credentials) -> subprocess.CompletedProcess[bytes]:
            return curl(url, *trust, "--cert", credentials.chain, "--key", credentials.key)

        assert with_certificate(certificates.client).stdout == b"a page"
        for refused, note in (
            (curl(url, *trust), f"wiretight: {ADDRESS} showed no certificate\n"),
            (with_certificate(certificates.client_of_other_ca), f"wiretight: {ADDRESS} could not be verified: "),
        ):
            assert refused.returncode != 0
            assert b"alert" in refused.stderr  # and not only a reset
            assert note_with(process, note)


def test_a_renewed_certificate_is_taken_up(folder: Path, certificates: Certificates, tmp_path: Path) -> None:
    chain, key = copied(certificates.server, tmp_path, seconds=1)
    with serving_folder("--cert", chain, "--key", key, "--reload", folder) as (_, port, _):
        first = shown(port)
        copied(certificates.many_names, tmp_path, seconds=2)
        while shown(port) == first:
            time.sleep(0.05)
        assert shown(port) == certificates.many_names.chain.read_text().split("\n\n")[0]


def test_a_renewed_certificate_that_is_no_good_is_reported_once(
    folder: Path, certificates: Certificates, tmp_path: Path
) -> None:
    chain, key = copied(certificates.server, tmp_path, seconds=1)
    with serving_folder("--cert", chain, "--key", key, "--reload", folder) as (process, port, _):
        first = shown(port)
        key.write_text("no key")
        os.utime(key, (2, 2))
        note = Task(note_with, process, "wiretight: the renewed certificate cannot be used, the former one stays: ")
        while note.running:
            assert shown(port) == first
        assert note.result()


def copied(credentials: Credentials, folder: Path, seconds: int) -> Credentials:
    """The same in files of this folder that seem to have been written long ago, so that nobody can be writing still."""
    made = Credentials(folder / "renewed.pem", folder / "renewed.key")
    for ours, theirs in zip(made, credentials, strict=True):
        shutil.copy(theirs, ours)
        os.utime(ours, (seconds, seconds))
    return made


def shown(port: int) -> str:
    """The certificate that the server shows, in PEM."""
    return tls.get_server_certificate((ADDRESS, port), timeout=PATIENCE)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_serving_ends_quietly(number: signal.Signals, status: int, folder: Path, certificates: Certificates) -> None:
    with serving_folder("--self-made", folder) as (process, _, hint):
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)

    assert process.returncode == status
    assert said == ""
    assert not Path(hint.split("--cacert ")[1].split(" ")[0]).exists()


def test_a_missing_certificate_is_reported_with_ways_to_get_one() -> None:
    assert_one_line(wiretight("serve"), "--cert", "--self-made", status=2)


def test_two_certificates_are_reported(certificates: Certificates) -> None:
    assert_one_line(
        wiretight("serve", "--self-made", "--cert", certificates.server.chain), "exclude each other", status=2
    )


def test_unusable_files_are_reported(certificates: Certificates, tmp_path: Path) -> None:
    chain, key = certificates.server
    junk = tmp_path / "junk.pem"
    junk.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")

    def serve(certificate: Path, of: Path | None = None) -> subprocess.CompletedProcess[str]:
        return wiretight("serve", "--port", 0, "--cert", certificate, *(["--key", of] if of else []))

    assert_one_line(serve(tmp_path / "no.pem", key), "no.pem cannot be read: No such file")
    assert_one_line(serve(chain, tmp_path / "no.key"), "no.key cannot be read: No such file")
    assert_one_line(serve(tmp_path, key), "cannot be read: Is a directory")
    assert_one_line(serve(key, key), "holds no certificate in PEM form")
    assert_one_line(serve(chain), "holds no private key in PEM form", "--key")
    assert_one_line(serve(chain, certificates.client.key), "client.key is not the private key of", "server.pem")
    assert_one_line(serve(junk, key), "junk.pem", "cannot be used")


def test_an_encrypted_key_is_reported_without_a_prompt(certificates: Certificates, tmp_path: Path) -> None:
    key = serialization.load_pem_private_key(certificates.server.key.read_bytes(), None)
    encrypted = tmp_path / "encrypted.key"
    encrypted.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )

    result = wiretight("serve", "--port", 0, "--cert", certificates.server.chain, "--key", encrypted)

    assert_one_line(result, "encrypted.key is encrypted", "openssl pkey")


def test_a_port_in_use_is_reported(certificates: Certificates) -> None:
    chain, key = certificates.server
    with socket.create_server((ADDRESS, 0)) as listener:
        port = listener.getsockname()[1]
        result = wiretight("serve", "--cert", chain, "--key", key, "--port", port)

    assert_one_line(result, f"cannot listen on {ADDRESS} port {port}", "in use")


@pytest.mark.parametrize(
    "address", ["192.0.2.1", "nobody.invalid", "\udcff", "::1%nowhere", "a..b", "x" * 64 + ".invalid"]
)
def test_a_foreign_address_is_reported(certificates: Certificates, address: str) -> None:
    chain, key = certificates.server

    result = wiretight("serve", "--cert", chain, "--key", key, "--bind", address)

    assert_one_line(result, f"cannot listen on {clean(address)}")


def test_an_empty_address_is_not_taken_for_every_one(certificates: Certificates) -> None:
    chain, key = certificates.server

    result = wiretight("serve", "--cert", chain, "--key", key, "--bind", "")

    assert_one_line(result, "--bind needs an address", status=2)


def test_a_self_made_certificate_is_not_renewed() -> None:
    assert_one_line(wiretight("serve", "--self-made", "--reload"), "--reload looks for a renewed --cert", status=2)


def test_an_unusable_client_ca_is_reported(certificates: Certificates, tmp_path: Path) -> None:
    chain, key = certificates.server

    def serve(client_ca: Path) -> subprocess.CompletedProcess[str]:
        return wiretight("serve", "--port", 0, "--cert", chain, "--key", key, "--client-ca", client_ca)

    assert_one_line(serve(tmp_path / "no.pem"), "no.pem cannot be read: No such file")
    assert_one_line(serve(key), "holds no CA certificate in PEM form")


def test_an_invalid_folder_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    assert_one_line(wiretight("serve", "--self-made", tmp_path / "no"), "cannot be served: No such file")
    assert_one_line(wiretight("serve", "--self-made", file), "cannot be served: Not a directory")


def test_without_cryptography_no_certificate_can_be_created() -> None:
    assert_one_line(wiretight_without("cryptography", "serve", "--self-made"), "pip install 'wiretight[demo]'")


@pytest.mark.parametrize("port", [65536, -1, "²", "1_0", "x", ""])
def test_what_is_no_port_is_wrong_usage(port: object) -> None:
    result = wiretight("serve", f"--port={port}")

    assert result.returncode == 2
    assert "is not a port number from 0 to 65535" in result.stderr
