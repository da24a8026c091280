"""The signatures of a chain are verified once. Everything else is verified each time, and no failure is remembered."""

from __future__ import annotations

import base64
import datetime as dt
import itertools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

import wiretight
from tests.kit.authority import DAY, NOW, Issued, issue
from tests.kit.certificates import HOST
from tests.kit.pair import Pair
from tests.kit.threads import PATIENCE, Task
from wiretight import SSLCertVerificationError, VerifyCode
from wiretight._core.trust.verifiedchains import Statistics, statistics

CHECK_SELF_SIGNATURES = 0x4000  # X509_V_FLAG_CHECK_SS_SIGNATURE
USE_CHECK_TIME = 0x2  # X509_V_FLAG_USE_CHECK_TIME: that of the verification, here 1970
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME


class Chain:
    """root - intermediate - leaf: of a server, and of a client."""

    def __init__(self, folder: Path, version: Any, **leaf: Any) -> None:
        self.folder = folder
        self.version = version
        self.files = (folder / f"chain{number}.pem" for number in itertools.count())
        self.root = issue("root", ca=True, by_the_book=True)
        self.intermediate = self.root.issue("intermediate", ca=True, by_the_book=True)
        self.leaf = self.intermediate.issue("leaf", **{"names": [HOST], "by_the_book": True, **leaf})

    def shown_by(self, context: Any) -> Any:
        context.minimum_version = context.maximum_version = self.version
        file = next(self.files)
        _, key = self.leaf.write(self.folder, "leaf")
        file.write_text(self.leaf.pem + self.intermediate.pem)
        context.load_cert_chain(file, key)
        return context

    def trusted_by(self, context: Any) -> Any:
        context.load_verify_locations(cadata=self.root.pem)
        return context

    def server(self) -> Any:
        return self.shown_by(wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER))

    def client(self, flags: int = 0) -> Any:
        context = self.trusted_by(wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT))
        context.verify_flags |= flags
        return context

    def shake_hands(self, client: Any = None, server: Any = None) -> None:
        Pair(client or self.client(), server or self.server()).handshake()

    def refused(self, client: Any = None, server: Any = None) -> int:
        with pytest.raises(SSLCertVerificationError) as caught:
            self.shake_hands(client, server)
        code: int = caught.value.verify_code
        return code


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    wiretight.forget_verified_chains()
    yield
    wiretight.forget_verified_chains()


@pytest.fixture
def chain(tmp_path: Path, version: Any) -> Chain:
    return Chain(tmp_path, version)


@pytest.fixture
def remembered(chain: Chain) -> Chain:
    """One whose signatures have been verified."""
    assert since(chain.shake_hands) == (1, 0, 1)
    return chain


def since(action: Callable[[], object]) -> tuple[int, int, int]:
    """How many chains are remembered after it, and how many it has recalled and missed."""
    before: Statistics = statistics()
    action()
    after = statistics()
    return after.chains, after.recalled - before.recalled, after.missed - before.missed


def changed(issued: Issued) -> Issued:
    """One bit of its signature is another one."""
    der = issued.der[:-1] + bytes([issued.der[-1] ^ 1])
    return Issued(x509.load_der_x509_certificate(der), issued.key, issued.issuer)


def wait_until(moment: dt.datetime) -> None:
    end = time.monotonic() + PATIENCE
    while dt.datetime.now(dt.timezone.utc) <= moment:
        assert time.monotonic() < end
        time.sleep(0.05)


# --- Once ------------------------------------------------------------------------------------------------------------
def test_a_chain_is_recognized_in_another_context(remembered: Chain) -> None:
    assert since(remembered.shake_hands) == (1, 1, 0)


def test_a_server_recognizes_the_chain_of_a_client(chain: Chain) -> None:
    def shake_hands() -> None:
        server = chain.trusted_by(chain.server())
        server.verify_mode = wiretight.CERT_REQUIRED
        client = chain.shown_by(chain.client())
        Pair(client, server).handshake()

    assert since(shake_hands) == (1, 1, 1)  # the same chain on both ends, with the same flags
    assert since(shake_hands) == (1, 2, 0)


def test_what_the_connection_tells_of_the_chain_is_the_same(remembered: Chain) -> None:
    def told() -> list[Any]:
        pair = Pair(remembered.client(), remembered.server())
        pair.handshake()
        return [pair.client.getpeercert(True), *(each.der() for each in pair.client._sslobj.get_verified_chain())]

    recalled = told()
    wiretight.forget_verified_chains()
    assert told() == recalled
    assert recalled[1:] == [each.der for each in (remembered.leaf, remembered.intermediate, remembered.root)]


def test_the_callback_is_called_for_a_chain_that_is_recognized(remembered: Chain) -> None:
    seen = []
    client = remembered.client()
    client.verify_callback = lambda _, verification: seen.append((verification.errors, len(verification.chain)))
    assert since(lambda: remembered.shake_hands(client)) == (1, 1, 0)
    assert seen == [((), 3)]
    client.verify_callback = lambda _, verification: verification.refuse("not today")
    assert remembered.refused(client) == VerifyCode.APPLICATION_VERIFICATION


# --- Another chain ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["leaf", "intermediate"])
def test_a_signature_with_another_bit_is_refused(remembered: Chain, name: str) -> None:
    setattr(remembered, name, changed(getattr(remembered, name)))
    for _ in range(2):
        assert remembered.refused() == VerifyCode.CERT_SIGNATURE_FAILURE
    assert statistics().chains == 1


def test_a_root_whose_own_signature_has_another_bit_is_another_one(remembered: Chain) -> None:
    remembered.root = changed(remembered.root)
    assert since(remembered.shake_hands) == (2, 0, 1)  # OpenSSL looks at that signature if it is told to
    assert remembered.refused(remembered.client(CHECK_SELF_SIGNATURES)) == VerifyCode.CERT_SIGNATURE_FAILURE
    assert statistics().chains == 2


def test_a_root_with_the_same_name_and_key_is_another_one(remembered: Chain) -> None:
    remembered.root = issue("root", ca=True, by_the_book=True, key=remembered.root.key)
    assert since(remembered.shake_hands) == (2, 0, 1)


def test_a_root_with_the_same_name_and_another_key_is_refused(remembered: Chain) -> None:
    remembered.root = issue("root", ca=True)
    remembered.refused()
    assert statistics().chains == 1


def test_a_root_that_is_trusted_no_longer_is_refused(remembered: Chain) -> None:
    client = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
    assert remembered.refused(client) == VerifyCode.UNABLE_TO_GET_ISSUER_CERT_LOCALLY


def test_a_chain_for_another_name_is_refused(remembered: Chain) -> None:
    with pytest.raises(SSLCertVerificationError, match="Hostname mismatch"):
        Pair(remembered.client(), remembered.server(), server_hostname="elsewhere.example").handshake()


# --- Another verification --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "flag", [wiretight.VERIFY_X509_STRICT, wiretight.VERIFY_X509_PARTIAL_CHAIN, CHECK_SELF_SIGNATURES, NO_CHECK_TIME]
)
def test_with_other_flags_the_signatures_are_verified_again(remembered: Chain, flag: int) -> None:
    client = remembered.client()
    client.verify_flags ^= flag
    assert since(lambda: remembered.shake_hands(client)) == (2, 0, 1)
    assert since(lambda: remembered.shake_hands(client)) == (2, 1, 0)


def test_at_another_security_level_the_signatures_are_verified_again(remembered: Chain) -> None:
    client = remembered.client()
    client.set_ciphers("ECDHE+AESGCM:@SECLEVEL=3")
    assert since(lambda: remembered.shake_hands(client)) == (2, 0, 1)


def test_a_security_level_refuses_what_a_lower_one_has_accepted(tmp_path: Path, version: Any) -> None:
    chain = Chain(tmp_path, version)
    weak: Any = rsa.generate_private_key(65537, 1024)
    chain.intermediate = chain.root.issue("intermediate", ca=True, key=weak)
    chain.leaf = chain.intermediate.issue("leaf", names=[HOST])
    client, server = chain.client(), wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
    server.set_ciphers("ECDHE+AESGCM:@SECLEVEL=0")
    chain.shown_by(server)
    client.set_ciphers("ECDHE+AESGCM:@SECLEVEL=0")
    for _ in range(2):
        chain.shake_hands(client, server)
    client.set_ciphers("ECDHE+AESGCM:@SECLEVEL=2")
    assert chain.refused(client, server) == VerifyCode.CA_KEY_TOO_SMALL


def test_other_implementations_of_the_algorithms_verify_the_signatures_again(remembered: Chain) -> None:
    client = wiretight._SSLContext.__new__(wiretight.SSLContext, wiretight.PROTOCOL_TLS_CLIENT, None, b"?provider=none")
    remembered.trusted_by(client)
    assert since(lambda: remembered.shake_hands(client)) == (2, 0, 1)
    assert since(lambda: remembered.shake_hands(client)) == (2, 1, 0)
    assert since(remembered.shake_hands) == (2, 1, 0)


def test_a_certificate_that_was_revoked_meanwhile_is_refused(chain: Chain) -> None:
    client = chain.client()
    client.trust_store.add_crls(chain.intermediate.revoke().pem)
    client.verify_flags |= wiretight.VERIFY_CRL_CHECK_LEAF
    for _ in range(2):
        chain.shake_hands(client)
    assert statistics().recalled > 0
    client = chain.client()
    client.load_crls(data=chain.intermediate.revoke(chain.leaf).pem)
    for _ in range(2):
        assert chain.refused(client) == VerifyCode.CERT_REVOKED


def test_what_a_certificate_is_for_is_verified_each_time(tmp_path: Path, version: Any) -> None:
    for_servers = x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH])
    chain = Chain(tmp_path, version, extensions=[(for_servers, False)])
    client, server = chain.shown_by(chain.client()), chain.trusted_by(chain.server())
    for _ in range(2):
        chain.shake_hands(client, server)
    server.verify_mode = wiretight.CERT_REQUIRED
    failure = Pair(client, server).until_error()
    assert failure.side == "server"
    assert failure.error.verify_code == VerifyCode.INVALID_PURPOSE  # type: ignore[attr-defined]


def test_what_a_root_is_trusted_for_is_looked_at_each_time(remembered: Chain) -> None:
    """It stands beside the certificate, in a file of OpenSSL's own format."""
    not_for_servers = bytes.fromhex("300ca00a06082b06010505070301")  # X509_CERT_AUX: rejects serverAuth
    encoded = base64.encodebytes(remembered.root.der + not_for_servers).decode()
    file = remembered.folder / "trusted.pem"
    file.write_text(f"-----BEGIN TRUSTED CERTIFICATE-----\n{encoded}-----END TRUSTED CERTIFICATE-----\n")
    client = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(file)
    assert remembered.refused(client) == VerifyCode.CERT_REJECTED


def test_constraints_of_the_names_are_verified_each_time(chain: Chain) -> None:
    """OpenSSL looks at them after the signatures, which are good."""
    constraints = x509.NameConstraints([x509.DNSName("third.example")], None)
    chain.intermediate = chain.root.issue("intermediate", ca=True, extensions=[(constraints, True)])
    chain.leaf = chain.intermediate.issue("leaf", names=[HOST])
    for _ in range(3):
        assert chain.refused() == VerifyCode.PERMITTED_VIOLATION


# --- Time ------------------------------------------------------------------------------------------------------------
def test_a_certificate_that_expires_while_it_is_remembered_is_refused(tmp_path: Path, version: Any) -> None:
    end = dt.datetime.now(dt.timezone.utc).replace(microsecond=0) + dt.timedelta(seconds=3)
    chain = Chain(tmp_path, version, not_after=end)
    client, server = chain.client(), chain.server()
    assert since(lambda: chain.shake_hands(client, server)) == (1, 0, 1)
    assert since(lambda: chain.shake_hands(client, server)) == (1, 1, 0)
    wait_until(end + dt.timedelta(seconds=1))
    for _ in range(2):
        assert chain.refused(client, server) == VerifyCode.CERT_HAS_EXPIRED


def test_a_certificate_that_is_not_valid_yet_is_not_remembered(tmp_path: Path, version: Any) -> None:
    beginning = dt.datetime.now(dt.timezone.utc).replace(microsecond=0) + dt.timedelta(seconds=3)
    chain = Chain(tmp_path, version, not_before=beginning)
    client, server = chain.client(), chain.server()
    for _ in range(2):
        assert chain.refused(client, server) == VerifyCode.CERT_NOT_YET_VALID
    assert statistics().chains == 0
    wait_until(beginning + dt.timedelta(seconds=1))
    assert since(lambda: chain.shake_hands(client, server)) == (1, 0, 1)


def test_the_time_that_counts_is_that_of_the_verification(remembered: Chain) -> None:
    assert remembered.refused(remembered.client(USE_CHECK_TIME)) == VerifyCode.CERT_NOT_YET_VALID


def test_without_dates_a_chain_is_remembered_beyond_them(tmp_path: Path, version: Any) -> None:
    chain = Chain(tmp_path, version, not_after=NOW - DAY / 24)
    assert since(lambda: chain.shake_hands(chain.client(NO_CHECK_TIME))) == (1, 0, 1)
    assert since(lambda: chain.shake_hands(chain.client(NO_CHECK_TIME))) == (1, 1, 0)
    assert chain.refused() == VerifyCode.CERT_HAS_EXPIRED


# --- Failures --------------------------------------------------------------------------------------------------------
def test_an_error_that_was_tolerated_is_not_remembered(tmp_path: Path, version: Any) -> None:
    chain = Chain(tmp_path, version, not_after=NOW - DAY / 24)
    client = chain.client()
    client.verify_callback = lambda _, verification: verification.tolerate(VerifyCode.CERT_HAS_EXPIRED)
    for _ in range(2):
        chain.shake_hands(client)
    assert statistics().chains == 0
    assert chain.refused() == VerifyCode.CERT_HAS_EXPIRED


def test_a_signature_that_was_tolerated_is_not_remembered(chain: Chain) -> None:
    chain.leaf = changed(chain.leaf)
    client = chain.client()
    client.verify_callback = lambda _, verification: verification.tolerate(VerifyCode.CERT_SIGNATURE_FAILURE)
    for _ in range(2):
        chain.shake_hands(client)
    assert statistics().chains == 0
    assert chain.refused() == VerifyCode.CERT_SIGNATURE_FAILURE


def test_threads_accept_the_good_chain_and_refuse_the_bad_one(chain: Chain, tmp_path: Path) -> None:
    good = chain.server()
    chain.leaf = changed(chain.leaf)
    bad = chain.server()
    client = chain.client()

    def meet(number: int) -> None:
        for turn in range(20):
            if (number + turn) % 2:
                chain.shake_hands(client, good)
            else:
                assert chain.refused(client, bad) == VerifyCode.CERT_SIGNATURE_FAILURE
            if turn == number:
                wiretight.forget_verified_chains()

    for task in [Task(meet, number) for number in range(8)]:
        task.result()
    chain.shake_hands(client, good)
    assert since(lambda: chain.shake_hands(client, good)) == (1, 1, 0)


# --- The switch ------------------------------------------------------------------------------------------------------
def test_a_context_can_be_told_not_to_remember(chain: Chain) -> None:
    client = chain.client()
    assert client.remember_verified_chains is True
    client.remember_verified_chains = False
    assert client.remember_verified_chains is False
    assert since(lambda: chain.shake_hands(client)) == (0, 0, 0)
    chain.shake_hands()
    assert since(lambda: chain.shake_hands(client)) == (1, 0, 0)


def test_a_copy_does_not_remember_either(chain: Chain) -> None:
    client = chain.client()
    client.remember_verified_chains = False
    assert since(lambda: chain.shake_hands(client.copy())) == (0, 0, 0)


def test_a_connection_keeps_the_switch_from_its_creation(chain: Chain) -> None:
    client = chain.client()
    pair = Pair(client, chain.server())
    client.remember_verified_chains = False
    assert since(pair.handshake) == (1, 0, 1)


def test_a_virtual_host_has_its_own_switch(chain: Chain) -> None:
    """One that asks for certificates; another leaves the first context's."""
    first, second = (chain.trusted_by(chain.server()) for _ in range(2))
    first.verify_mode = wiretight.CERT_REQUIRED
    second.verify_mode = wiretight.CERT_REQUIRED
    second.remember_verified_chains = False
    first.sni_callback = lambda connection, *_: setattr(connection, "context", second)
    client = chain.shown_by(chain.client())
    client.remember_verified_chains = False
    assert since(lambda: chain.shake_hands(client, first)) == (0, 0, 0)
    second.verify_mode = wiretight.CERT_NONE
    assert since(lambda: chain.shake_hands(client, first)) == (1, 0, 1)


def test_what_was_forgotten_is_verified_again(remembered: Chain) -> None:
    wiretight.forget_verified_chains()
    assert since(remembered.shake_hands) == (1, 0, 1)
