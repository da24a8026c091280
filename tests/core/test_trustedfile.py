"""Files of CA certificates are parsed once, shared by contexts, and read again when they have changed."""

from __future__ import annotations

import datetime as dt
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

import wiretight
from tests.kit.certificates import Certificates
from tests.kit.pair import Pair
from tests.kit.threads import Task
from wiretight._core.base import files
from wiretight._core.trust import trustedfile

counters: list[Counter] = []


class Counter:
    """Counts the openings of files in a folder: the audit event that every Python reports."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.opened = 0

    def __call__(self) -> int:
        return self.opened


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and counters and isinstance(arguments[0], str | bytes):
        for counter in counters:
            counter.opened += os.fsdecode(arguments[0]).startswith(counter.folder)


sys.addaudithook(_watch)  # for good: there is no way to remove one


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    wiretight.clear_trust_cache()
    yield
    wiretight.clear_trust_cache()


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes a file that was written just now for one that has rested long enough to be kept."""
    monkeypatch.setattr(files, "SETTLED_AFTER", -(10**9))


@pytest.fixture(scope="module")
def authorities() -> list[bytes]:
    """Certificates of four authorities, PEM."""
    return [trustme.CA(organization_name=name).cert_pem.bytes() for name in ("one", "two", "three", "four")]


@pytest.fixture
def reads(tmp_path: Path) -> Iterator[Counter]:
    """Call it for the number of files that were opened in this test's folder so far."""
    counters.append(Counter(tmp_path))
    yield counters[-1]
    counters.clear()


def trusting(path: Path | str) -> wiretight.SSLContext:
    made = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(path)
    return made


def trusted(made: wiretight.SSLContext) -> set[str]:
    """The organizations of the CA certificates that a context trusts."""
    names = set()
    for certificate in made.get_ca_certs():
        subject: Any = certificate["subject"]
        names.add({key: value for ((key, value),) in subject}["organizationName"])
    return names


def signed_crl() -> bytes:
    authority = trustme.CA()
    certificate = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    key: Any = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    now = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
    builder = x509.CertificateRevocationListBuilder().issuer_name(certificate.subject)
    builder = builder.last_update(now).next_update(now + dt.timedelta(days=9))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.mark.usefixtures("settled")
def test_a_file_is_read_once_for_many_contexts(tmp_path: Path, authorities: list[bytes], reads: Counter) -> None:
    (tmp_path / "ca.pem").write_bytes(b"".join(authorities[:2]))
    before = reads()
    contexts = [trusting(tmp_path / "ca.pem") for _ in range(20)]
    assert reads() - before == 1
    assert all(trusted(each) == {"one", "two"} for each in contexts)


@pytest.mark.usefixtures("settled")
def test_default_contexts_share_the_default_file(
    tmp_path: Path, authorities: list[bytes], reads: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "default.pem").write_bytes(authorities[2])
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "default.pem"))
    before = reads()
    contexts = [wiretight.create_default_context() for _ in range(5)]
    assert reads() - before == 1
    assert all(trusted(each) == {"three"} for each in contexts)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"], ids=["missing", "empty", "broken"])
def test_an_unusable_default_file_is_no_error(
    tmp_path: Path, content: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if content is not None:
        (tmp_path / "default.pem").write_bytes(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "default.pem"))
    assert wiretight.create_default_context().get_ca_certs() == []


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("replaced", [True, False], ids=["by another file", "in place"])
def test_a_changed_file_is_noticed(tmp_path: Path, authorities: list[bytes], replaced: bool) -> None:
    path, other = tmp_path / "ca.pem", tmp_path / "other.pem"
    path.write_bytes(authorities[0])
    before = trusting(path)
    times = path.stat()
    changed = authorities[1].ljust(times.st_size, b"\n")[: max(times.st_size, len(authorities[1]))]
    other.write_bytes(changed)
    if replaced:
        os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
        other.replace(path)
    else:
        path.write_bytes(changed)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert trusted(trusting(path)) == {"two"}
    assert trusted(before) == {"one"}


@pytest.mark.usefixtures("settled")
def test_a_deleted_file_is_noticed_at_once(tmp_path: Path, authorities: list[bytes]) -> None:
    (tmp_path / "ca.pem").write_bytes(authorities[0])
    trusting(tmp_path / "ca.pem")
    (tmp_path / "ca.pem").unlink()
    with pytest.raises(FileNotFoundError):
        trusting(tmp_path / "ca.pem")


def test_a_recently_changed_file_is_read_each_time(tmp_path: Path, authorities: list[bytes], reads: Counter) -> None:
    (tmp_path / "ca.pem").write_bytes(authorities[0])
    before = reads()
    for _ in range(3):
        trusting(tmp_path / "ca.pem")
    assert reads() - before == 3


@pytest.mark.usefixtures("settled")
def test_a_relative_name_means_the_file_of_the_current_folder(
    tmp_path: Path, authorities: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, certificate in zip("ab", authorities, strict=False):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "ca.pem").write_bytes(certificate)
    monkeypatch.chdir(tmp_path / "a")
    assert trusted(trusting("ca.pem")) == {"one"}
    monkeypatch.chdir(tmp_path / "b")
    assert trusted(trusting("ca.pem")) == {"two"}


@pytest.mark.usefixtures("settled")
def test_a_context_that_adds_certificates_does_not_change_another(tmp_path: Path, authorities: list[bytes]) -> None:
    for number in range(2):
        (tmp_path / f"{number}.pem").write_bytes(authorities[number])
    first, second = trusting(tmp_path / "0.pem"), trusting(tmp_path / "0.pem")
    first.load_verify_locations(tmp_path / "1.pem")
    first.load_verify_locations(cadata=authorities[2].decode())
    assert trusted(first) == {"one", "two", "three"}
    assert trusted(second) == {"one"}
    assert trusted(trusting(tmp_path / "1.pem")) == {"two"}


@pytest.mark.usefixtures("settled")
def test_a_duplicate_certificate_counts_once(tmp_path: Path, authorities: list[bytes]) -> None:
    (tmp_path / "twice.pem").write_bytes(authorities[0] * 2)
    (tmp_path / "again.pem").write_bytes(authorities[0] + authorities[1])
    made = trusting(tmp_path / "twice.pem")
    assert made.cert_store_stats()["x509"] == 1
    made.load_verify_locations(tmp_path / "again.pem")
    made.load_verify_locations(tmp_path / "twice.pem")
    assert made.cert_store_stats()["x509"] == 2


@pytest.mark.usefixtures("settled")
def test_crls_are_shared_as_certificates_are(tmp_path: Path, authorities: list[bytes]) -> None:
    (tmp_path / "crl.pem").write_bytes(signed_crl())
    (tmp_path / "ca.pem").write_bytes(authorities[0])
    with_crl, without = trusting(tmp_path / "crl.pem"), trusting(tmp_path / "ca.pem")
    with_crl.load_verify_locations(tmp_path / "ca.pem")
    both = trusting(tmp_path / "ca.pem")
    both.load_verify_locations(tmp_path / "crl.pem")
    assert with_crl.cert_store_stats() == both.cert_store_stats() == {"x509": 1, "crl": 1, "x509_ca": 1}
    assert without.cert_store_stats() == {"x509": 1, "crl": 0, "x509_ca": 1}


@pytest.mark.usefixtures("settled")
def test_revocation_checked_by_one_context_does_not_affect_another(version: Any, certificates: Certificates) -> None:
    lenient = certificates.client_context(version)
    strict = certificates.client_context(version)
    strict.verify_flags |= wiretight.VERIFY_CRL_CHECK_LEAF
    server = certificates.server_context(version)

    def handshake(client: Any) -> None:
        Pair(client, server).handshake()

    handshake(lenient)
    with pytest.raises(wiretight.SSLCertVerificationError, match="unable to get certificate CRL"):
        handshake(strict)
    handshake(lenient)


@pytest.mark.usefixtures("settled")
def test_the_cache_is_bounded(
    tmp_path: Path, authorities: list[bytes], reads: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / f"{number}.pem" for number in range(4)]
    for path, certificate in zip(paths, authorities, strict=True):
        path.write_bytes(certificate)
    monkeypatch.setattr(trustedfile, "CACHE_SIZE", 2 * max(map(len, authorities)))
    before = reads()
    trusting(paths[0])
    trusting(paths[1])
    trusting(paths[0])  # now the other one is the least recently used
    trusting(paths[2])
    assert reads() - before == 3
    trusting(paths[0])
    assert reads() - before == 3
    trusting(paths[1])
    assert reads() - before == 4
    monkeypatch.setattr(trustedfile, "CACHE_SIZE", 10)
    trusting(paths[3])
    trusting(paths[3])
    assert reads() - before == 6


@pytest.mark.usefixtures("settled")
def test_the_cache_can_be_cleared(tmp_path: Path, authorities: list[bytes], reads: Counter) -> None:
    (tmp_path / "ca.pem").write_bytes(authorities[0])
    before = reads()
    kept = trusting(tmp_path / "ca.pem")
    wiretight.clear_trust_cache()
    assert trusted(kept) == {"one"}
    trusting(tmp_path / "ca.pem")
    assert reads() - before == 2


@pytest.mark.usefixtures("settled")
def test_threads_see_either_the_old_file_or_the_new_one(tmp_path: Path, authorities: list[bytes]) -> None:
    path, done = tmp_path / "ca.pem", threading.Event()
    old, new = b"".join(authorities[:2]), b"".join(authorities[2:])
    path.write_bytes(old)

    def make() -> set[frozenset[str]]:
        seen = set()
        while not done.is_set():
            seen.add(frozenset(trusted(trusting(path))))
        return seen

    tasks = [Task(make) for _ in range(4)]
    for number in range(50):
        (tmp_path / "next.pem").write_bytes(new if number % 2 else old)
        (tmp_path / "next.pem").replace(path)
        if number % 10 == 0:
            wiretight.clear_trust_cache()
    done.set()
    seen = set().union(*(task.result() for task in tasks))
    assert seen <= {frozenset({"one", "two"}), frozenset({"three", "four"})}
    assert seen


@pytest.mark.usefixtures("settled")
@pytest.mark.filterwarnings("ignore:.* is multi-threaded, use of fork:DeprecationWarning")  # what this is about
def test_a_child_forked_while_threads_load_loads_too(tmp_path: Path, authorities: list[bytes]) -> None:
    path, done = tmp_path / "ca.pem", threading.Event()
    path.write_bytes(b"".join(authorities))

    def load() -> None:
        while not done.is_set():
            wiretight.clear_trust_cache()
            trusting(path)

    task = Task(load)
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                os._exit(0 if len(trusted(trusting(path))) == 4 else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        done.set()
        task.result()
