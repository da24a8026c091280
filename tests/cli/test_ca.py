"""ca: certificates for tests, in one command, renewed in place."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.cli.command import COMMAND, assert_one_line, wiretight, wiretight_here, wiretight_without
from tests.kit.authority import issue
from tests.kit.pair import Pair
from tests.kit.subject import tls
from tests.kit.threads import Task

FILES = {"ca.pem", "ca.key", "server.pem", "client.pem"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With everything in it."""
    result = wiretight_here("ca", tmp_path / "certs")
    assert (result.returncode, result.stderr) == (0, "")
    return tmp_path / "certs"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def certificate(folder: Path, name: str) -> Any:
    return x509.load_pem_x509_certificate((folder / name).read_bytes())


def judged(folder: Path, name: str, *options: object) -> dict[str, Any]:
    result = wiretight_here("cert", folder / name, "--cafile", folder / "ca.pem", "--json", *options)
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_the_files_are_made_and_keys_are_for_their_owner_alone(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == FILES
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert modes == {"ca.pem": 0o644, "ca.key": 0o600, "server.pem": 0o600, "client.pem": 0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_modes_do_not_depend_on_the_umask(tmp_path: Path) -> None:
    command = [*COMMAND, "ca", str(tmp_path)]
    subprocess.run(command, check=True, umask=0o000, stdout=subprocess.DEVNULL)
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in FILES - {"ca.pem"}} == {0o600}


@pytest.mark.parametrize("key_type", ["ec", "rsa", "ed25519"])
def test_a_server_and_a_client_verify_each_other(tmp_path: Path, version: Any, key_type: str) -> None:
    wiretight_here("ca", tmp_path, "--key-type", key_type)
    server = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "server.pem")
    server.load_verify_locations(tmp_path / "ca.pem")
    server.verify_mode = tls.CERT_REQUIRED
    client = tls.create_default_context(cafile=str(tmp_path / "ca.pem"))
    client.load_cert_chain(tmp_path / "client.pem")
    server.verify_flags |= tls.VERIFY_X509_STRICT
    client.verify_flags |= tls.VERIFY_X509_STRICT
    server.minimum_version = server.maximum_version = version

    Pair(client, server).handshake()


@pytest.mark.parametrize(("name", "role"), [("server.pem", "server"), ("client.pem", "client")])
def test_nobody_refuses_them(folder: Path, name: str, role: str) -> None:
    facts = judged(folder, name)

    assert (facts["role"], facts["verified"], facts["findings"], facts["notes"]) == (role, True, [], [])
    assert facts["keys"][0]["fits"] == 0
    assert facts["certificates"][0]["days_left"] == 364


def test_names_days_and_the_client_are_what_was_asked_for(tmp_path: Path) -> None:
    arguments = ["--name", "*.test", "--name", "::1", "--name", "bücher.test", "--client", "Ann Other", "--days", "9"]
    document = json.loads(wiretight_here("ca", tmp_path, *arguments, "--json").stdout)

    assert document["server"]["names"] == ["*.test", "::1", "xn--bcher-kva.test"]
    assert document["client"]["common_name"] == "Ann Other"
    assert document["server"]["file"] == document["server"]["key_file"] == str(tmp_path / "server.pem")
    assert document["ca"]["key_file"] == str(tmp_path / "ca.key")
    assert document["server"]["not_after"] == judged(tmp_path, "server.pem")["certificates"][0]["not_after"]
    found = certificate(tmp_path, "server.pem")
    assert (found.not_valid_after_utc - found.not_valid_before_utc).days == 8, "and a second less than a day"


def test_what_to_try_is_printed_and_works(folder: Path) -> None:
    shown = wiretight_here("ca", folder, "--force").stdout
    assert f"wiretight serve --cert {folder}/server.pem" in shown
    assert f"wiretight connect localhost:8443 --cafile {folder}/ca.pem" in shown
    assert wiretight_here("cert", folder / "server.pem", "--cafile", folder / "ca.pem").returncode == 0


# --- Renewing ---------------------------------------------------------------------------------------------------------


def test_renewing_keeps_the_ca_and_the_names_and_changes_the_rest(tmp_path: Path) -> None:
    wiretight_here("ca", tmp_path, "--name", "a.test", "--client", "Ann")
    before = contents(tmp_path)
    assert wiretight_here("ca", tmp_path, "--renew", "--key-type", "rsa").returncode == 0

    after = contents(tmp_path)
    assert set(after) == FILES
    assert {name for name in FILES if before[name] == after[name]} == {"ca.pem", "ca.key"}
    assert judged(tmp_path, "server.pem")["certificates"][0]["names"] == ["a.test"]
    assert judged(tmp_path, "client.pem")["certificates"][0]["subject"] == "CN=Ann"
    wiretight_here("ca", tmp_path, "--renew", "--name", "b.test")
    assert judged(tmp_path, "server.pem")["certificates"][0]["names"] == ["b.test"]


def test_a_running_server_takes_the_renewed_pair_over(folder: Path) -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    before = context.credentials
    wiretight_here("ca", folder, "--renew")

    assert context.reload_cert_chain() is True
    assert context.credentials[0].certificates != before[0].certificates


def test_whoever_reads_meanwhile_gets_one_whole_pair(folder: Path) -> None:
    """The key that is read is always that of the certificate that is read."""
    path, seen = folder / "server.pem", set()
    renewal = Task(lambda: [wiretight("ca", folder, "--renew").returncode for _ in range(3)])
    while renewal.running:
        text = path.read_text()
        seen.add(tls.Credential.from_pem(text).certificates[0].serial_number)
    assert renewal.result() == [0, 0, 0]
    assert len(seen) > 1


def test_what_is_missing_is_made_by_renewing(folder: Path) -> None:
    (folder / "client.pem").unlink()
    assert wiretight_here("ca", folder, "--renew").returncode == 0
    assert judged(folder, "client.pem")["verified"] is True


# --- What is refused --------------------------------------------------------------------------------------------------


def foreign(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text("mine")  # type: ignore[return-value]


def foreign_pair(folder: Path) -> None:
    other = issue("server", names=["localhost"])
    (folder / "server.pem").write_text(other.pem)


def foreign_ca(folder: Path) -> None:
    issue("root", ca=True).write(folder, "ca")


def directory(name: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()

    return make


def fifo(folder: Path) -> None:
    (folder / "server.pem").unlink()
    os.mkfifo(folder / "server.pem")


def nothing(folder: Path) -> None:
    pass


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


HOSTILE: dict[str, tuple[Callable[[Path], None], list[str], int, str]] = {
    "a CA is there": (nothing, [], 1, "has ca.pem, ca.key, server.pem, client.pem already"),
    "a file is there": (foreign("server.pem"), [], 1, "already"),
    "somebody's file": (foreign("server.pem"), ["--renew"], 1, "server.pem was not made by this command"),
    "somebody's certificate": (foreign_pair, ["--renew"], 1, "server.pem was not made by this command"),
    "somebody's client": (foreign("client.pem"), ["--renew"], 1, "client.pem was not made by this command"),
    "somebody's CA": (foreign_ca, ["--renew"], 1, "no CA that this command has made"),
    "a CA that is none": (foreign("ca.pem"), ["--renew"], 1, "no CA that this command has made"),
    "a key that is none": (foreign("ca.key"), ["--renew"], 1, "no CA that this command has made"),
    "no CA": (without("ca.pem"), ["--renew"], 1, "has no ca.pem, and there is nothing to renew"),
    "no key of the CA": (without("ca.key"), ["--renew"], 1, "has no ca.key"),
    "a folder in the way": (directory("server.pem"), [], 1, "is in the way: it is not a file"),
    "a folder in the way of force": (directory("server.pem"), ["--force"], 1, "is in the way: it is a folder"),
    "a pipe in the way": (fifo, ["--renew"], 1, "is in the way: it is not a file"),
    "renewing and replacing": (nothing, ["--renew", "--force"], 2, "exclude each other"),
    "a name that is none": (nothing, ["--renew", "--name", "a b"], 2, "cannot be a server's name"),
    "an empty name": (nothing, ["--renew", "--name", ""], 2, "cannot be a server's name"),
    "a URL": (nothing, ["--renew", "--name", "https://a.test"], 2, "cannot be a server's name"),
    "a name with an escape": (nothing, ["--renew", "--name", "a\x1b[2J"], 2, "cannot be a server's name"),
    "a long name": (nothing, ["--renew", "--name", "a" * 300], 2, "cannot be a server's name"),
    "a client with a line break": (nothing, ["--renew", "--client", "a\nb"], 2, "cannot be a name"),
    "a long client": (nothing, ["--renew", "--client", "a" * 65], 2, "cannot be a name"),
    "an empty client": (nothing, ["--renew", "--client", ""], 2, "cannot be a name"),
    "a client that is no text": (nothing, ["--renew", "--client", os.fsdecode(b"\xff")], 2, "cannot be a name"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(folder: Path, case: str) -> None:
    prepare, arguments, status, words = HOSTILE[case]
    prepare(folder)
    before = sorted((path.name, path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir())
    result = wiretight_here("ca", folder, *arguments, "--json")

    assert_one_line(result, words, status=status)
    assert json.loads(result.stdout) == {
        "error": result.stderr.strip().removeprefix("wiretight: ")
    } or "\\" in words + (result.stdout)
    after = sorted((path.name, path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir())
    assert after == before


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("/dev/full", "File exists"),
        ("/proc/nothing", "No such file or directory"),
        ("/dev/null/certs", "Not a directory"),
        ("/" + "a" * 300, "File name too long"),
        ("", "is no folder"),
    ],
)
def test_a_place_that_is_no_folder_is_one_line(place: str, words: str) -> None:
    assert_one_line(wiretight_here("ca", place), words, status=2 if not place else 1)


def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(folder: Path) -> None:
    before = contents(folder)
    # A limit on the size of files stops the same write() that a full disk would.
    command = ["sh", "-c", 'ulimit -f 0; exec "$@"', "sh", *COMMAND, "ca", str(folder), "--renew"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert_one_line(result, f"{folder} cannot be written to: ")
    assert contents(folder) == before


def test_force_replaces_whatever_is_there(folder: Path) -> None:
    foreign("server.pem")(folder)
    before = contents(folder)
    assert wiretight_here("ca", folder, "--force").returncode == 0

    after = contents(folder)
    assert set(after) == FILES
    assert [name for name in FILES if before[name] == after[name]] == []
    assert judged(folder, "server.pem")["verified"] is True


def test_a_link_is_replaced_and_not_followed(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    (folder / "server.pem").unlink()
    (folder / "server.pem").symlink_to(target)
    assert wiretight_here("ca", folder, "--force").returncode == 0

    assert target.read_text() == "precious"
    assert not (folder / "server.pem").is_symlink()


def test_two_of_them_do_not_work_in_one_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert_one_line(wiretight_here("ca", folder, "--renew"), "another `wiretight ca` is at work")
    finally:
        os.close(descriptor)


def test_without_cryptography_it_names_what_to_install(tmp_path: Path) -> None:
    assert_one_line(wiretight_without("cryptography", "ca", tmp_path / "a"), "pip install 'wiretight[demo]'")
    assert not (tmp_path / "a").exists()
