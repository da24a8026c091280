"""Policies: what each name stands for, and that connections of a context agree on that and on nothing else."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.certificates import Certificates
from tests.kit.pair import Pair
from tests.kit.sockets import WITH_TIMEOUT, tls_sockets
from tests.kit.subject import tls
from wiretight import Policy
from wiretight._core.context.lifecycle import settings_by_name

OLDEST, MIDDLE, NEWEST = tls.TLSVersion.TLSv1_1, tls.TLSVersion.TLSv1_2, tls.TLSVersion.TLSv1_3

# What a name stands for never changes: a new content gets a new name, and this list a new line.
DIGESTS = {
    "fast-1": "8332168345098adc",
    "fips-140-3": "cdd9be99fb8b1ea6",
    "mozilla-intermediate-5.7": "872a44444d0c607f",
    "mozilla-intermediate-5.8": "449fb80e6af8fc37",
    "mozilla-intermediate-6.0": "dc4620be1e04e34c",
    "mozilla-modern-5.7": "074397683107860c",
    "mozilla-modern-5.8": "9afa9f8d27acee9f",
    "mozilla-modern-6.0": "2c3a17951b008b5f",
}


# tests/face/test_fips.py runs this file where the provider is active.
FIPS = ["fips-140-3"]
WITHOUT_FIPS = [name for name in Policy.names() if name not in FIPS]


def is_here(name: str) -> bool:
    needed = tuple(map(int, Policy.named(name).describe()["openssl"].split(".")))
    return tls.OPENSSL_VERSION_INFO[:2] >= needed


HERE = [name for name in WITHOUT_FIPS if is_here(name)] + (FIPS if "WIRETIGHT_TEST_FIPS" in os.environ else [])
# A FIPS provider of 3.5 brings its algorithms to an older OpenSSL.
ABSENT = [name for name in WITHOUT_FIPS if not is_here(name) and "WIRETIGHT_TEST_FIPS" not in os.environ]


# --- Policies themselves ----------------------------------------------------------------------------------------------


def test_what_a_name_stands_for_never_changes() -> None:
    def digest(name: str) -> str:
        content = Policy.named(name).describe()
        del content["about"], content["openssl"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]

    assert {name: digest(name) for name in Policy.names()} == DIGESTS
    assert Policy.names() == tuple(sorted(DIGESTS))


@pytest.mark.parametrize("name", Policy.names())
def test_a_policy_says_what_it_sets_and_where_that_comes_from(name: str) -> None:
    policy = Policy.named(name)
    description = policy.describe()
    assert policy.name == description["name"] == name
    assert {"about", "source", "date", "openssl", "server_preference", "ciphersuites", "groups"} <= description.keys()
    assert description["about"].endswith(".")
    assert tls.TLSVersion[description["minimum_version"]] >= MIDDLE
    assert ("ciphers" in description) == (description["minimum_version"] == "TLSv1_2")


def test_policies_are_values() -> None:
    policy, same, other = map(Policy.named, ["fast-1", "fast-1", "mozilla-modern-5.7"])
    assert policy == same != other
    assert len({policy, same, other}) == 2
    assert policy != "fast-1"
    assert repr(policy) == "Policy.named('fast-1')"
    for copied in (copy.copy(policy), copy.deepcopy(policy), pickle.loads(pickle.dumps(policy))):
        assert copied == policy
    policy.describe()["groups"].clear()
    assert policy.describe() == same.describe()
    for change in (lambda: setattr(policy, "_name", "other"), lambda: delattr(policy, "_name")):
        with pytest.raises(AttributeError, match="a policy is immutable"):
            change()


def context(protocol: Any = tls.PROTOCOL_TLS_SERVER) -> Any:
    return tls.SSLContext(protocol)


# --- What connections agree on ----------------------------------------------------------------------------------------

SIDES = ("client", "server")


def new_context(certificates: Certificates, side: str) -> Any:
    """With keys for every cipher."""
    if side == "client":
        return certificates.client_context()
    made = certificates.server_context()
    made.load_cert_chain(*certificates.server_with_rsa)
    return made


class Scan:
    """A context with a policy, and peers that have everything else that OpenSSL has."""

    def __init__(self, certificates: Certificates, side: str, name: str) -> None:
        self.certificates = certificates
        self.policy = Policy.named(name).describe()
        self.side = side
        self.context = new_context(certificates, side)
        self.context.apply_policy(Policy.named(name))

    def meet(self, version: Any, **settings: str) -> Any:
        """The other end's SSLObject after the handshake, or None if there was nothing to agree on."""
        other = new_context(self.certificates, "server" if self.side == "client" else "client")
        other.set_ciphers("ALL:@SECLEVEL=0")
        if self.side == "client":
            other.load_dh_params(self.certificates.dh_file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            other.minimum_version = other.maximum_version = version
        for setter, names in settings.items():
            getattr(other, setter)(names)
        client, server = (self.context, other) if self.side == "client" else (other, self.context)
        pair = Pair(client, server)
        try:
            pair.handshake()
        except tls.SSLError:
            return None
        return pair.server if self.side == "client" else pair.client

    def versions(self) -> list[Any]:
        return [version for version in (OLDEST, MIDDLE, NEWEST) if self.meet(version) is not None]

    def agreed_ciphers(self, version: Any) -> Iterator[str]:
        """All of them, the one that is chosen first coming first."""
        left = [each["name"] for each in everything(version)]
        setter = "set_ciphers" if version == MIDDLE else "set_ciphersuites"
        while left:
            names = ":".join(left) + (":@SECLEVEL=0" if version == MIDDLE else "")
            connection = self.meet(version, **{setter: names})
            if connection is None:
                return
            yield connection.cipher()[0]
            left.remove(connection.cipher()[0])

    def agreed_groups(self, version: Any) -> set[str]:
        ciphers = {"set_ciphers": "ECDHE:@SECLEVEL=0"}
        return {group for group in GROUPS if self.meet(version, set_groups=group, **ciphers) is not None}


def everything(version: Any) -> list[Any]:
    """All ciphers of a version, weak ones first."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("ALL:@SECLEVEL=0")
    of_it = [each for each in context.get_ciphers() if (each["protocol"] == "TLSv1.3") == (version == NEWEST)]
    return sorted(of_it, key=lambda each: (each["strength_bits"], each["name"]))


GROUPS = ["X25519", "X448", "prime256v1", "secp384r1", "secp521r1", "ffdhe2048"]
if tls.OPENSSL_VERSION_INFO >= (3, 5):
    GROUPS += ["X25519MLKEM768", "SecP256r1MLKEM768", "MLKEM768"]


@pytest.fixture(params=SIDES)
def scan(request: pytest.FixtureRequest, certificates: Certificates, name: str) -> Scan:
    return Scan(certificates, request.param, name)


@pytest.mark.parametrize("name", HERE)
def test_the_versions_are_those_of_the_policy(scan: Scan) -> None:
    lowest, highest = (tls.TLSVersion[scan.policy[limit]] for limit in ("minimum_version", "maximum_version"))
    assert scan.versions() == [version for version in (MIDDLE, NEWEST) if lowest <= version <= highest]
    assert (scan.context.minimum_version, scan.context.maximum_version) == (lowest, highest)


@pytest.mark.parametrize("name", HERE)
def test_the_ciphers_are_those_of_the_policy(scan: Scan) -> None:
    for version, names in ((MIDDLE, scan.policy.get("ciphers", [])), (NEWEST, scan.policy["ciphersuites"])):
        agreed = list(scan.agreed_ciphers(version))
        if scan.side == "server" and tls.OPENSSL_VERSION_INFO >= (4, 0):
            names = [name for name in names if not name.startswith("DHE-")]  # see below
        assert sorted(agreed) == sorted(names)
        if scan.side == "server" and scan.policy["server_preference"]:
            assert agreed == names
    own = [each["name"] for each in scan.context.get_ciphers()]
    assert own == scan.policy["ciphersuites"] + scan.policy.get("ciphers", own[len(scan.policy["ciphersuites"]) :])


@pytest.mark.parametrize("name", HERE)
def test_the_groups_are_those_of_the_policy(scan: Scan) -> None:
    assert scan.agreed_groups(NEWEST) == set(scan.policy["groups"])
    if "ciphers" in scan.policy:
        before_mlkem = {group for group in scan.policy["groups"] if "MLKEM" not in group}
        assert scan.agreed_groups(MIDDLE) == before_mlkem


@pytest.mark.parametrize("name", [name for name in HERE if "dh_group" in Policy.named(name).describe()])
@pytest.mark.skipif(
    tls.OPENSSL_VERSION_INFO >= (4, 0),
    reason="OpenSSL 4.0 takes the groups of RFC 7919 only, and Mozilla names none of them",
)
def test_a_server_needs_no_file_of_diffie_hellman_parameters(certificates: Certificates, name: str) -> None:
    scan = Scan(certificates, "server", name)
    assert scan.meet(MIDDLE, set_ciphers="DHE-RSA-AES128-GCM-SHA256").cipher()[0] == "DHE-RSA-AES128-GCM-SHA256"


@pytest.mark.parametrize("name", HERE)
def test_a_client_and_a_server_with_the_policy_understand_each_other(certificates: Certificates, name: str) -> None:
    contexts = [Scan(certificates, side, name).context for side in SIDES]
    with tls_sockets(*contexts, mode=WITH_TIMEOUT) as (client, server):
        client.sendall(b"data")
        assert server.recv(10) == b"data"
        assert client.cipher()[0] == "TLS_AES_128_GCM_SHA256"
        assert client.group().lower() in {"x25519", "secp256r1", "x25519mlkem768"}


@pytest.mark.skipif(not ABSENT, reason="this OpenSSL has every policy")
@pytest.mark.parametrize("name", ABSENT)
def test_what_this_openssl_lacks_is_an_error_and_changes_nothing(certificates: Certificates, name: str) -> None:
    for side in SIDES:
        context = new_context(certificates, side)
        before = settings_by_name(context)
        with pytest.raises(NotImplementedError, match=rf"{name}' needs X25519MLKEM768, .* with OpenSSL 3\.5 or newer"):
            context.apply_policy(Policy.named(name))
        assert settings_by_name(context) == before


# --- What becomes of a context ----------------------------------------------------------------------------------------


def test_what_a_policy_does_not_name_stays(certificates: Certificates) -> None:
    context = new_context(certificates, "server")
    context.verify_mode = tls.CERT_REQUIRED
    context.load_verify_locations(certificates.ca_file)
    context.options |= tls.OP_NO_TICKET
    context.set_alpn_protocols(["h2"])
    context.set_server_sigalgs("ecdsa_secp256r1_sha256")
    before = settings_by_name(context)
    context.apply_policy(Policy.named("fast-1"))
    changed = {name for name, value in settings_by_name(context).items() if value != before[name]}
    assert changed <= {"minimum_version", "maximum_version", "ciphers", "ciphersuites", "groups"}


def test_a_policy_replaces_what_was_set_and_what_is_set_later_replaces_it() -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    with pytest.warns(DeprecationWarning, match="is deprecated|are deprecated"):
        context.options |= tls.OP_NO_TLSv1_3
    context.minimum_version = context.maximum_version = tls.TLSVersion.TLSv1_2
    context.apply_policy(Policy.named("mozilla-modern-5.7"))
    assert not context.options & (tls.OP_NO_TLSv1_3 | tls.OP_CIPHER_SERVER_PREFERENCE)
    context.apply_policy(Policy.named("fast-1"))
    assert context.options & tls.OP_CIPHER_SERVER_PREFERENCE
    context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
    assert [each["name"] for each in context.get_ciphers()][3:] == ["ECDHE-ECDSA-AES256-GCM-SHA384"]


def test_connections_keep_what_they_had(certificates: Certificates) -> None:
    """The policy is that of later connections, also of a context in use."""
    client, server = certificates.client_context(MIDDLE), new_context(certificates, "server")
    open_already = Pair(client, server)
    server.apply_policy(Policy.named("mozilla-modern-5.7"))
    open_already.handshake()
    assert open_already.client.version() == "TLSv1.2"
    with pytest.raises(tls.SSLError):
        Pair(client, server).handshake()


def test_a_virtual_host_has_its_own_policy(certificates: Certificates) -> None:
    listening, chosen = new_context(certificates, "server"), new_context(certificates, "server")
    listening.apply_policy(Policy.named("mozilla-intermediate-5.7"))
    chosen.apply_policy(Policy.named("fast-1"))
    chosen.set_groups("secp384r1")
    listening.sni_callback = lambda connection, *_: setattr(connection, "context", chosen)
    pair = Pair(certificates.client_context(), listening)
    pair.handshake()
    assert pair.client.group() == "secp384r1"


@pytest.mark.parametrize("protocol", [tls.PROTOCOL_TLSv1_2, tls.PROTOCOL_TLSv1])
def test_a_context_for_a_single_version_has_no_policy(protocol: Any) -> None:
    with pytest.warns(DeprecationWarning, match="is deprecated|are deprecated"):
        context = tls.SSLContext(protocol)
    before = settings_by_name(context)
    with pytest.raises(ValueError, match="doesn't support modification of highest and lowest version"):
        context.apply_policy(Policy.named("fast-1"))
    assert settings_by_name(context) == before


def test_a_security_level_that_forbids_a_cipher_is_an_error_and_changes_nothing() -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ECDHE+AESGCM:@SECLEVEL=4")
    before = settings_by_name(context)
    with pytest.raises(ValueError, match="needs TLS_AES_128_GCM_SHA256, which the security level 4 of this context"):
        context.apply_policy(Policy.named("fast-1"))
    assert settings_by_name(context) == before
