"""Credential: certificates and keys from memory, in every encoding, for contexts of every kind."""

from __future__ import annotations

import copy
import getpass
import mmap
import pickle
import traceback
import weakref
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from OpenSSL import crypto

import wiretight
from tests.kit.authority import issue
from tests.kit.certificates import ADDRESS, HOST, Certificates
from tests.kit.keys import (
    KINDS,
    OLDER_KINDS,
    PASSWORD,
    SIGNATURE_ALGORITHMS,
    TRADITIONAL,
    Material,
    authority,
    client_context,
    credential_of,
    material,
    new_material,
    server_context,
    shown,
)
from tests.kit.pair import Pair
from tests.kit.servers import Server
from tests.kit.sockets import tls_sockets
from tests.kit.threads import Task
from wiretight import Credential

OTHER = "other.example"
TLS12, TLS13 = wiretight.TLSVersion.TLSv1_2, wiretight.TLSVersion.TLSv1_3


class Text(str):
    """As Django, Jinja and numpy have their own."""

    __slots__ = ()


Way = Callable[[Material], Credential]
WAYS: dict[str, Way] = {
    "PEM": lambda it: Credential.from_pem(it.pem, it.key_pem()),
    "PEM in bytes": lambda it: Credential.from_pem(it.pem.encode(), it.key_pem().encode()),
    "PEM in other buffers": lambda it: Credential.from_pem(
        bytearray(it.pem.encode()), memoryview(it.key_pem().encode())
    ),
    "PEM in one text": lambda it: Credential.from_pem(it.pem + it.key_pem()),
    "PEM with the key first": lambda it: Credential.from_pem(it.key_pem() + it.pem),
    "PEM with carriage returns": lambda it: Credential.from_pem((it.pem + it.key_pem()).replace("\n", "\r\n")),
    "PEM among other text": lambda it: Credential.from_pem(f"Für den Server\n{it.pem}Schlüssel:\n{it.key_pem()}\nEnde"),
    "PEM, encrypted": lambda it: Credential.from_pem(it.pem, it.key_pem(password=PASSWORD), password=PASSWORD),
    "PEM, encrypted, password in bytes": lambda it: Credential.from_pem(
        it.pem, it.key_pem(password=PASSWORD), password=PASSWORD.encode()
    ),
    "PEM, encrypted, password in another buffer": lambda it: Credential.from_pem(
        it.pem, it.key_pem(password=PASSWORD), password=memoryview(PASSWORD.encode())
    ),
    "PEM, encrypted, password when needed": lambda it: Credential.from_pem(
        it.pem + it.key_pem(password=PASSWORD), password=lambda: PASSWORD
    ),
    "PEM, encrypted, password that is not ASCII": lambda it: Credential.from_pem(
        it.pem, it.key_pem(password="geheim für alle"), password="geheim für alle"
    ),
    "PEM in a str of another class": lambda it: Credential.from_pem(Text(it.pem), Text(it.key_pem())),
    "PEM, encrypted, password of another class": lambda it: Credential.from_pem(
        it.pem, it.key_pem(password=PASSWORD), password=Text(PASSWORD)
    ),
    "DER": lambda it: Credential.from_der(it.ders, it.key_der()),
    "DER in other buffers": lambda it: Credential.from_der(map(memoryview, it.ders), bytearray(it.key_der())),
    "DER, encrypted": lambda it: Credential.from_der(it.ders, it.key_der(password=PASSWORD), password=PASSWORD),
    "DER, encrypted, password when needed": lambda it: Credential.from_der(
        iter(it.ders), it.key_der(password=PASSWORD), password=PASSWORD.encode
    ),
    "PKCS#12": lambda it: Credential.from_pkcs12(it.pkcs12(), password=PASSWORD),
    "PKCS#12, password in bytes": lambda it: Credential.from_pkcs12(it.pkcs12(), password=PASSWORD.encode()),
    "PKCS#12, password when needed": lambda it: Credential.from_pkcs12(
        memoryview(it.pkcs12()), password=lambda: PASSWORD
    ),
    "PKCS#12, password that is not ASCII": lambda it: Credential.from_pkcs12(
        it.pkcs12(password="geheim für alle"), password="geheim für alle"
    ),
    "PKCS#12, not encrypted": lambda it: Credential.from_pkcs12(it.pkcs12(password=None)),
    "PKCS#12, not encrypted, empty password": lambda it: Credential.from_pkcs12(it.pkcs12(password=None), password=""),
    "objects of cryptography": lambda it: Credential.from_objects([each.certificate for each in it.chain], it.key),
    "objects of pyOpenSSL": lambda it: Credential.from_objects(
        [crypto.X509.from_cryptography(each.certificate) for each in it.chain],
        crypto.PKey.from_cryptography_key(it.key),
    ),
    "our certificates": lambda it: Credential.from_objects(
        (wiretight.Certificate.from_der(each) for each in it.ders), it.key
    ),
}
TRADITIONAL_WAYS: dict[str, Way] = {
    "PEM": lambda it: Credential.from_pem(it.pem, it.key_pem(traditional=True)),
    "PEM, encrypted": lambda it: Credential.from_pem(
        it.pem, it.key_pem(traditional=True, password=PASSWORD), password=PASSWORD
    ),
    "DER": lambda it: Credential.from_der(it.ders, it.key_der(traditional=True)),
}


def can_be_made(kind: str, way: str) -> bool:
    """pyOpenSSL has no objects for the newer kinds of keys, and cryptography writes no PKCS#12 with ML-DSA."""
    if way == "objects of pyOpenSSL":
        return kind in TRADITIONAL
    return kind in OLDER_KINDS or not way.startswith("PKCS#12")


CELLS = [pytest.param(kind, WAYS[way], id=f"{kind}-{way}") for kind in KINDS for way in WAYS if can_be_made(kind, way)]
CELLS += [
    pytest.param(kind, TRADITIONAL_WAYS[way], id=f"{kind}-traditional-{way}")
    for kind in TRADITIONAL
    for way in TRADITIONAL_WAYS
]


# --- What a credential is made of -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "way"), CELLS)
def test_a_server_shows_the_chain_and_signs_with_the_key(kind: str, way: Way) -> None:
    made = material(kind)
    credential = way(made)
    assert credential.key_type == kind
    assert [each.der() for each in credential.certificates] == made.ders
    versions = (TLS12, TLS13) if kind in OLDER_KINDS else (TLS13,)
    for version in versions:
        pair = Pair(client_context(version), server_context(version, credential))
        pair.handshake()
        assert pair.client.get_unverified_chain() == made.ders


@pytest.mark.parametrize(("kind", "way"), CELLS)
def test_a_client_shows_the_chain_and_signs_with_the_key(kind: str, way: Way) -> None:
    made = material(kind)
    server = server_context(TLS13, credential_of())
    server.load_verify_locations(cadata=made.root.pem)
    server.verify_mode = wiretight.CERT_REQUIRED
    pair = Pair(client_context(TLS13, way(made)), server)
    pair.handshake()
    assert pair.transfer(b"data", pair.client) == b"data"
    assert pair.server.getpeercert(True) == made.ders[0]


@pytest.mark.parametrize("traditional", [False, True])
def test_keys_as_openssls_commands_write_them_are_read(traditional: bool) -> None:
    """With the parameters of the curve before the key, and attributes before each certificate."""
    made = material("EC")
    parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    text = f"Bag Attributes\n    localKeyID: 01\nsubject=CN = x\n{made.pem}{parameters}"
    credential = Credential.from_pem(text + made.key_pem(traditional=traditional))
    assert [each.der() for each in credential.certificates] == made.ders


def test_a_single_certificate_needs_no_list() -> None:
    made = material("EC")
    credential = Credential.from_objects(made.chain[0].certificate, made.key)
    assert [each.der() for each in credential.certificates] == made.ders[:1]


def test_a_certificate_alone_is_completed_from_the_trusted_ones(version: Any) -> None:
    """As by load_cert_chain()."""
    made = material("EC")
    server = server_context(version, Credential.from_der(made.ders[:1], made.key_der()))
    server.load_verify_locations(cadata=made.chain[1].pem)
    pair = Pair(client_context(version), server)
    pair.handshake()
    assert pair.client.get_unverified_chain() == made.ders


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_certificates_of_pkcs12_are_put_into_order(order: tuple[int, ...]) -> None:
    """It has them in any order, and maybe some that do not belong to it: these are left out."""
    made = material("EC")
    stranger = issue("stranger", ca=True)
    others = [(made.chain[1], made.root, stranger)[at] for at in order]
    credential = Credential.from_pkcs12(made.pkcs12(others=others), password=PASSWORD)
    assert [each.der() for each in credential.certificates] == [*made.ders, made.root.der]


@pytest.mark.parametrize("order", list(permutations(range(2))))
def test_of_issuers_with_the_same_name_pkcs12_gives_the_one_that_signed(order: tuple[int, ...]) -> None:
    old, new = issue("root", ca=True), issue("root", ca=True)
    made = new.issue(HOST)
    bundle = Material((made,), new, made.key).pkcs12(others=[(old, new)[at] for at in order])
    credential = Credential.from_pkcs12(bundle, password=PASSWORD)
    assert [each.der() for each in credential.certificates] == [made.der, new.der]


def test_a_password_is_asked_for_only_if_it_is_needed() -> None:
    made = material("RSA")

    def unneeded() -> str:
        raise AssertionError("asked for")

    assert Credential.from_pem(made.pem, made.key_pem(), password=unneeded)
    assert Credential.from_der(made.ders, made.key_der(), password=unneeded)
    assert Credential.from_pkcs12(made.pkcs12(password=None), password=unneeded)


# --- Several in one context -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_client_gets_the_certificate_for_its_signature_algorithms(kind: str, version: Any) -> None:
    if version == TLS12 and kind not in OLDER_KINDS:
        pytest.skip("TLS 1.2 has no ML-DSA")
    server = server_context(version, *map(credential_of, KINDS))
    assert [each.key_type for each in server.credentials] == KINDS
    client = client_context(version)
    client.set_server_sigalgs(SIGNATURE_ALGORITHMS[kind])
    assert shown(client, server) == material(kind).ders[0]


@pytest.mark.parametrize("kind", OLDER_KINDS)
def test_a_client_shows_the_certificate_for_the_servers_signature_algorithms(kind: str) -> None:
    """In TLS 1.3: before that, OpenSSL has a client show the last one."""
    server = server_context(TLS13, credential_of())
    server.load_verify_locations(cadata=authority()[0].pem)
    server.verify_mode = wiretight.CERT_REQUIRED
    server.set_client_sigalgs(SIGNATURE_ALGORITHMS[kind])
    pair = Pair(client_context(TLS13, *(credential_of(each, OTHER) for each in KINDS)), server)
    pair.handshake()
    assert pair.server.getpeercert(True) == material(kind, OTHER).ders[0]


@pytest.mark.parametrize("in_use", [False, True], ids=["new", "in-use"])
def test_a_later_credential_replaces_the_one_with_the_same_kind_of_key(version: Any, in_use: bool) -> None:
    server = server_context(version, credential_of("RSA"), credential_of("EC", OTHER))
    if in_use:
        shown(client_context(version), server, OTHER)
    later = credential_of("EC")
    server.add_credential(later)
    assert [each.key_type for each in server.credentials] == ["RSA", "EC"]
    assert server.credentials[1] is later
    assert shown(client_context(version), server) == material("EC").ders[0]


@pytest.mark.parametrize("in_use", [False, True], ids=["new", "in-use"])
def test_setting_credentials_replaces_all_of_them(version: Any, in_use: bool) -> None:
    server = server_context(version, credential_of("RSA", OTHER), credential_of("EC", OTHER))
    if in_use:
        shown(client_context(version), server, OTHER)
    server.credentials = iter([credential_of("RSA")])
    assert [each.key_type for each in server.credentials] == ["RSA"]
    client = client_context(version)
    client.set_server_sigalgs("ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256")
    assert shown(client, server) == material("RSA").ders[0]


@pytest.mark.parametrize("in_use", [False, True], ids=["new", "in-use"])
def test_a_context_can_lose_all_of_its_credentials(version: Any, in_use: bool) -> None:
    client = client_context(version, credential_of("EC"))
    server = server_context(version, credential_of("EC"))
    server.load_verify_locations(cadata=authority()[0].pem)
    server.verify_mode = wiretight.CERT_REQUIRED
    if in_use:
        shown(client, server)
    client.credentials = ()
    assert client.credentials == ()
    failure = Pair(client, server).until_error()
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in str(failure.error)


def test_what_load_cert_chain_loads_is_among_the_credentials(certificates: Certificates, version: Any) -> None:
    server = server_context(version, credential_of("RSA"))
    server.load_cert_chain(*certificates.server)
    rsa_credential, loaded = server.credentials
    assert (rsa_credential.key_type, loaded.key_type) == ("RSA", "EC")
    another = server_context(version, loaded)
    assert shown(certificates.client_context(version), another) == loaded.certificates[0].der()


def test_one_credential_serves_many_contexts_and_threads(version: Any) -> None:
    credential = credential_of()

    def work() -> None:
        for _ in range(20):
            assert shown(client_context(version), server_context(version, credential)) == material("EC").ders[0]

    for task in [Task(work) for _ in range(4)]:
        task.result()


def test_a_connection_keeps_the_credential_from_its_creation(version: Any) -> None:
    server = server_context(version, credential_of("EC"))
    pair = Pair(client_context(version), server)
    server.credentials = [credential_of("EC", OTHER)]
    pair.handshake()
    assert pair.client.getpeercert(True) == material("EC").ders[0]


@pytest.mark.parametrize("in_use", [False, True], ids=["new", "in-use"])
def test_a_virtual_host_brings_its_credentials(version: Any, in_use: bool) -> None:
    inner = server_context(version, credential_of("EC", OTHER), credential_of("RSA", OTHER))
    if in_use:
        shown(client_context(version), inner, OTHER)
        inner.credentials = [credential_of("RSA")]
    server = server_context(version, credential_of("EC", OTHER))
    server.sni_callback = lambda side, name, context: setattr(side, "context", inner)
    client = client_context(version)
    client.set_server_sigalgs("rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256")
    if in_use:
        assert shown(client, server) == material("RSA").ders[0]
    else:
        assert shown(client, server, OTHER) in {material(kind, OTHER).ders[0] for kind in ("EC", "RSA")}


# --- Sockets ----------------------------------------------------------------------------------------------------------


def test_both_ends_of_a_socket_show_theirs(version: Any) -> None:
    server = server_context(version, credential_of("RSA"))
    server.load_verify_locations(cadata=authority()[0].pem)
    server.verify_mode = wiretight.CERT_REQUIRED
    client = client_context(version, credential_of("EC", "client.example"))
    with tls_sockets(client, server) as (ours, theirs):
        assert ours.getpeercert(True) == material("RSA").ders[0]
        assert theirs.getpeercert(True) == material("EC", "client.example").ders[0]


def test_a_listening_socket_takes_the_credential_of_the_moment(version: Any) -> None:
    server = server_context(version, credential_of("EC", OTHER))
    with Server(server) as listening:
        with listening.connect(client_context(version), server_hostname=OTHER) as first:
            server.credentials = [credential_of("EC")]
            with listening.connect(client_context(version)) as second:
                assert second.getpeercert(True) == material("EC").ders[0]
                second.unwrap()
            first.sendall(b"data")
            assert first.recv(4) == b"data"
            first.unwrap()


# --- What it does not give away ---------------------------------------------------------------------------------------


def texts_of(made: Material) -> list[str]:
    """A key in the forms in which it could be printed."""
    lines = made.key_pem().splitlines()[1:-1] + made.key_pem(traditional=True).splitlines()[1:-1]
    return [*(line[:24] for line in lines), made.key_der()[40:56].hex(), repr(made.key_der()[40:56])[2:-1]]


def test_its_repr_says_whose_it_is_and_nothing_of_the_key() -> None:
    made = material("RSA")
    credential = Credential.from_pem(made.pem, made.key_pem())
    assert repr(credential) == f"<Credential RSA 'CN={HOST}'>"
    assert not any(text in repr(credential) for text in texts_of(made))


def all_of(error: BaseException | None) -> str:
    """Whatever a report of the exception could show."""
    if error is None:
        return ""
    parts = [*traceback.format_exception(error), repr(error.args), repr(vars(error))]
    parts += [repr(getattr(error, name)) for name in dir(error) if not name.startswith("__")]
    return "".join(parts) + all_of(error.__context__) + all_of(error.__cause__)


def test_an_error_about_a_character_has_no_other_of_the_text() -> None:
    """Python's own UnicodeEncodeError has the whole text in its `object`."""
    made = material("RSA")
    key, locked_key = made.key_pem(), made.key_pem(password=PASSWORD)
    calls: list[Callable[[], object]] = [
        lambda: Credential.from_pem(made.pem, f"{key}\udc80"),
        lambda: Credential.from_pem(f"{made.pem}{key}\udc80"),
        lambda: Credential.from_pem(made.pem, locked_key, password=f"{PASSWORD}\udc80"),
        lambda: Credential.from_pem(made.pem, locked_key, password=lambda: f"{PASSWORD}\udc80"),
        lambda: Credential.from_pkcs12(made.pkcs12(), password=f"{PASSWORD}\udc80"),
    ]
    for call in calls:
        with pytest.raises(UnicodeEncodeError, match=r"udc80.*surrogates not allowed: character \d+ of \d+") as caught:
            call()
        assert not any(text in all_of(caught.value) for text in [*texts_of(made), f"{PASSWORD}\\udc80"])


def test_it_cannot_be_pickled() -> None:
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="holds a private key"):
            pickle.dumps(credential_of(), protocol)
    with pytest.raises(TypeError, match="whose EC key is from memory"):
        pickle.dumps(server_context(TLS13, credential_of()))


def test_a_copy_of_it_is_itself() -> None:
    credential = credential_of()
    assert copy.copy(credential) is credential
    assert copy.deepcopy({"credential": credential})["credential"] is credential


def test_it_cannot_be_changed_nor_derived_from() -> None:
    credential: Any = credential_of()
    for name in ("certificates", "key_type", "key", "other"):
        with pytest.raises(AttributeError):
            setattr(credential, name, None)
    assert not [name for name in dir(credential) if "key" in name and name != "key_type"]
    with pytest.raises(TypeError):
        type("Derived", (Credential,), {})
    assert weakref.ref(credential)() is credential


# --- Misuse -----------------------------------------------------------------------------------------------------------

MADE = "EC"


def junk(length: int = 100) -> bytes:
    return bytes(range(256))[:length]


def raising(error: BaseException) -> Callable[[], str]:
    def callback() -> str:
        raise error

    return callback


class Odd:
    """Not what it is taken for."""

    def __init__(self, returned: object) -> None:
        self.returned = returned

    issuer = None

    def public_bytes(self, *_: object) -> object:
        return self.returned

    def private_bytes(self, *_: object) -> object:
        return self.returned


LOCKED = ["PEM", "old PEM", "DER", "PKCS#12"]


def locked(made: Material) -> dict[str, Callable[[Any], object]]:
    """Each way to read an encrypted key, by its password."""
    pem, legacy = made.key_pem(password=PASSWORD), made.key_pem(password=PASSWORD, traditional=True)
    der, bundle = made.key_der(password=PASSWORD), made.pkcs12()
    return {
        "PEM": lambda password: Credential.from_pem(made.pem, pem, password=password),
        "old PEM": lambda password: Credential.from_pem(made.pem + legacy, password=password),
        "DER": lambda password: Credential.from_der(made.ders, der, password=password),
        "PKCS#12": lambda password: Credential.from_pkcs12(bundle, password=password),
    }


SSL, VALUE, TYPE = wiretight.SSLError, ValueError, TypeError

# password: what it is, the error for it, and what that says
PASSWORDS: dict[str, tuple[Any, type[BaseException], str]] = {
    "none": (None, SSL, "encrypted, and no password was given"),
    "wrong": ("wrong", SSL, r"password (does not decrypt it|is wrong)"),
    "wrong, in bytes": (b"wrong", SSL, r"password (does not decrypt it|is wrong)"),
    "empty": ("", SSL, ""),
    "too long": ("x" * 1025, VALUE, "longer than 1024 bytes"),
    "too long, in another alphabet": ("ä" * 513, VALUE, "longer than 1024 bytes"),
    "an unpaired surrogate": ("\ud800", VALUE, "surrogates"),
    "a number": (3, TYPE, "password should be a string or callable"),
    "a list": (["secret"], TYPE, "password should be a string or callable"),
    "asked for, wrong": (lambda: "wrong", SSL, r"password (does not decrypt it|is wrong)"),
    "asked for, None": (lambda: None, TYPE, "must return a string"),
    "asked for, a number": (lambda: 3, TYPE, "must return a string"),
    "asked for, too long": (lambda: b"x" * 1025, VALUE, "longer than 1024 bytes"),
    "asked for with an argument": (lambda prompt: "secret", TYPE, "prompt"),
    "asked for, and an error": (raising(ZeroDivisionError("no password today")), ZeroDivisionError, "today"),
    "asked for, and an error of the system": (raising(OSError(5, "no password today")), OSError, "today"),
    "asked for, and an interrupt": (raising(KeyboardInterrupt("stop")), KeyboardInterrupt, "stop"),
}

Call = Callable[[Material, Material], object]
# what is called, with one credential's material and another's; the error, and what it says
CALLS: dict[str, tuple[Call, type[BaseException], str]] = {
    "no way": (lambda it, _: Credential(), TYPE, r"Credential\.from_pem"),  # type: ignore[call-arg]
    "no way, with arguments": (lambda it, _: Credential(it.pem, it.key_pem()), TYPE, ""),
    # PEM
    "PEM: nothing": (lambda it, _: Credential.from_pem(), TYPE, "argument"),  # type: ignore[call-arg]
    "PEM: no text": (lambda it, _: Credential.from_pem("", it.key_pem()), VALUE, "[Ee]mpty"),
    "PEM: no bytes": (lambda it, _: Credential.from_pem(b"", it.key_pem()), VALUE, "[Ee]mpty"),
    "PEM: no text of a key": (lambda it, _: Credential.from_pem(it.pem, ""), VALUE, "key is empty"),
    "PEM: no bytes of a key": (lambda it, _: Credential.from_pem(it.pem, b""), VALUE, "key is empty"),
    "PEM: a number": (lambda it, _: Credential.from_pem(3, it.key_pem()), TYPE, "certificates should be a string"),
    "PEM: None": (lambda it, _: Credential.from_pem(None, it.key_pem()), TYPE, "certificates should be a string"),
    "PEM: a number for a key": (lambda it, _: Credential.from_pem(it.pem, 3), TYPE, "key should be a string"),
    "PEM: a list": (lambda it, _: Credential.from_pem([it.pem], it.key_pem()), TYPE, "certificates should be"),
    "PEM: an object of cryptography": (
        lambda it, _: Credential.from_pem(it.chain[0].certificate, it.key_pem()), TYPE, "certificates should be"),
    "PEM: a path": (lambda it, _: Credential.from_pem("/etc/hostname", it.key_pem()), SSL, "not contain a certificate"),
    "PEM: the path of a key": (lambda it, _: Credential.from_pem(it.pem, "/etc/hostname"), SSL, "no private key"),
    "PEM: junk": (lambda it, _: Credential.from_pem("junk", it.key_pem()), SSL, "not contain a certificate"),
    "PEM: DER": (lambda it, _: Credential.from_pem(it.ders[0], it.key_pem()), SSL, "not contain a certificate"),
    "PEM: DER for a key": (lambda it, _: Credential.from_pem(it.pem, it.key_der()), SSL, "no private key"),
    "PEM: an unpaired surrogate": (lambda it, _: Credential.from_pem("\ud800", it.key_pem()), VALUE, "surrogates"),
    "PEM: no key": (lambda it, _: Credential.from_pem(it.pem), SSL, "no private key could be read from 'certificates'"),
    "PEM: no certificate": (lambda it, _: Credential.from_pem(it.key_pem()), SSL, "not contain a certificate"),
    "PEM: a certificate for the key": (lambda it, _: Credential.from_pem(it.pem, it.pem), SSL, "no private key"),
    "PEM: the wrong way round": (lambda it, _: Credential.from_pem(it.key_pem(), it.pem), SSL, "not contain a cert"),
    "PEM: a public key": (lambda it, _: Credential.from_pem(it.pem, public_pem(it)), SSL, "no private key"),
    "PEM: half a certificate": (lambda it, _: Credential.from_pem(it.pem[:200], it.key_pem()), SSL, ""),
    "PEM: half a second certificate": (lambda it, _: Credential.from_pem(it.pem[:-60], it.key_pem()), SSL, ""),
    "PEM: half a key": (lambda it, _: Credential.from_pem(it.pem, it.key_pem()[:-60]), SSL, "no private key"),
    "PEM: no base64": (lambda it, _: Credential.from_pem(it.pem.replace("MII", "M*I"), it.key_pem()), SSL, ""),
    "PEM: an empty block": (lambda it, _: Credential.from_pem(EMPTY_BLOCK + it.pem, it.key_pem()), SSL, ""),
    "PEM: the key of another certificate": (
        lambda it, other: Credential.from_pem(it.pem, other.key_pem()), SSL, "does not belong to the first"),
    "PEM: a key of another kind": (
        lambda it, _: Credential.from_pem(it.pem, material("RSA").key_pem()), SSL, "does not belong to the first"),
    "PEM: a curve of another kind": (
        lambda it, _: Credential.from_pem(it.pem, pem_of(ec.generate_private_key(ec.SECP384R1()))), SSL, "not belong"),
    "PEM: an issuer first": (
        lambda it, _: Credential.from_pem(it.chain[1].pem + it.chain[0].pem, it.key_pem()), SSL, "first certificate"),
    "PEM: the password as an argument without a name": (
        lambda it, _: Credential.from_pem(it.pem, it.key_pem(), "secret"), TYPE, ""),  # type: ignore[misc]
    # DER
    "DER: nothing": (lambda it, _: Credential.from_der(), TYPE, ""),  # type: ignore[call-arg]
    "DER: no key": (lambda it, _: Credential.from_der(it.ders), TYPE, ""),  # type: ignore[call-arg]
    "DER: None for a key": (lambda it, _: Credential.from_der(it.ders, None), TYPE, "key should be"),
    "DER: no certificates": (lambda it, _: Credential.from_der([], it.key_der()), VALUE, "certificates is empty"),
    "DER: an empty certificate": (lambda it, _: Credential.from_der([b""], it.key_der()), VALUE, "[Ee]mpty"),
    "DER: an empty key": (lambda it, _: Credential.from_der(it.ders, b""), VALUE, "key is empty"),
    "DER: no list": (lambda it, _: Credential.from_der(it.ders[0], it.key_der()), TYPE, "into a list"),
    "DER: text": (lambda it, _: Credential.from_der(it.pem, it.key_der()), TYPE, "into a list"),
    "DER: a list of text": (lambda it, _: Credential.from_der([it.pem], it.key_der()), TYPE, "bytes-like"),
    "DER: text for a key": (lambda it, _: Credential.from_der(it.ders, it.key_pem()), TYPE, "key should be"),
    "DER: a number": (lambda it, _: Credential.from_der(3, it.key_der()), TYPE, "iterable"),
    "DER: None": (lambda it, _: Credential.from_der(None, it.key_der()), TYPE, "iterable"),
    "DER: PEM": (lambda it, _: Credential.from_der([it.pem.encode()], it.key_der()), SSL, "not contain a certificate"),
    "DER: PEM for a key": (lambda it, _: Credential.from_der(it.ders, it.key_pem().encode()), SSL, "no private key"),
    "DER: junk": (lambda it, _: Credential.from_der([junk()], it.key_der()), SSL, "not contain a certificate"),
    "DER: junk for a key": (lambda it, _: Credential.from_der(it.ders, junk()), SSL, "no private key in DER"),
    "DER: half a certificate": (lambda it, _: Credential.from_der([it.ders[0][:-9]], it.key_der()), SSL, ""),
    "DER: half a key": (lambda it, _: Credential.from_der(it.ders, it.key_der()[:-9]), SSL, "no private key in DER"),
    "DER: more than a key": (
        lambda it, _: Credential.from_der(it.ders, it.key_der() + b"\0\0"), SSL, "2 bytes after the private key"),
    "DER: more than a certificate": (lambda it, _: Credential.from_der([it.ders[0] + b"\0"], it.key_der()), SSL, ""),
    "DER: a public key": (lambda it, _: Credential.from_der(it.ders, public_der(it)), SSL, "no private key in DER"),
    "DER: a certificate for the key": (lambda it, _: Credential.from_der(it.ders, it.ders[0]), SSL, "no private"),
    "DER: the key of another certificate": (
        lambda it, other: Credential.from_der(it.ders, other.key_der()), SSL, "does not belong to the first"),
    "DER: an issuer first": (
        lambda it, _: Credential.from_der(it.ders[::-1], it.key_der()), SSL, "does not belong to the first"),
    "DER: an iterable that raises": (
        lambda it, _: Credential.from_der((raising(KeyError("none"))() for _ in "x"), it.key_der()), KeyError, "none"),
    # PKCS#12
    "PKCS#12: nothing": (lambda it, _: Credential.from_pkcs12(), TYPE, ""),  # type: ignore[call-arg]
    "PKCS#12: no bytes": (lambda it, _: Credential.from_pkcs12(b""), VALUE, "data is empty"),
    "PKCS#12: text": (lambda it, _: Credential.from_pkcs12(it.pem), TYPE, "data should be"),
    "PKCS#12: a number": (lambda it, _: Credential.from_pkcs12(3), TYPE, "data should be"),
    "PKCS#12: None": (lambda it, _: Credential.from_pkcs12(None), TYPE, "data should be"),
    "PKCS#12: junk": (lambda it, _: Credential.from_pkcs12(junk()), SSL, "not in PKCS#12 format"),
    "PKCS#12: a certificate": (lambda it, _: Credential.from_pkcs12(it.ders[0]), SSL, "not in PKCS#12 format"),
    "PKCS#12: a key": (lambda it, _: Credential.from_pkcs12(it.key_der()), SSL, "not in PKCS#12 format"),
    "PKCS#12: PEM": (lambda it, _: Credential.from_pkcs12(it.pem.encode()), SSL, "not in PKCS#12 format"),
    "PKCS#12: half of it": (lambda it, _: Credential.from_pkcs12(it.pkcs12()[:-9], password=PASSWORD), SSL, "not in"),
    "PKCS#12: more than it": (
        lambda it, _: Credential.from_pkcs12(it.pkcs12() + b"\0", password=PASSWORD), SSL, "bytes after"),
    "PKCS#12: a changed byte": (
        lambda it, _: Credential.from_pkcs12(damaged(it.pkcs12()), password=PASSWORD), SSL, ""),
    "PKCS#12: no key": (lambda it, _: Credential.from_pkcs12(bundle_without(it, key=True)), SSL, "has no private key"),
    "PKCS#12: no certificate": (
        lambda it, _: Credential.from_pkcs12(bundle_without(it, key=False)), SSL, "no certificate for its private key"),
    "PKCS#12: a null character in the password": (
        lambda it, _: Credential.from_pkcs12(it.pkcs12(), password="sec\0ret"), VALUE, "null character"),
    # objects
    "objects: nothing": (lambda it, _: Credential.from_objects(), TYPE, ""),  # type: ignore[call-arg]
    "objects: none": (lambda it, _: Credential.from_objects([], it.key), VALUE, "certificates is empty"),
    "objects: None": (lambda it, _: Credential.from_objects(None, it.key), TYPE, "not NoneType"),
    "objects: a number": (lambda it, _: Credential.from_objects(3, it.key), TYPE, "not int"),
    "objects: text": (lambda it, _: Credential.from_objects(it.pem, it.key_pem()), TYPE, "not str"),
    "objects: DER": (lambda it, _: Credential.from_objects(it.ders, it.key_der()), TYPE, "not bytes"),
    "objects: DER for a key": (
        lambda it, _: Credential.from_objects(it.chain[0].certificate, it.key_der()), TYPE, "not bytes"),
    "objects: None for a key": (
        lambda it, _: Credential.from_objects(it.chain[0].certificate, None), TYPE, "must be a private key"),
    "objects: a public key": (
        lambda it, _: Credential.from_objects(it.chain[0].certificate, it.key.public_key()), TYPE, "must be a"),
    "objects: a key for a certificate": (lambda it, _: Credential.from_objects(it.key, it.key), TYPE, "certificates"),
    "objects: a CRL": (
        lambda it, _: Credential.from_objects([it.chain[1].revoke().signed], it.key), SSL, "not contain a cert"),
    "objects: the key of another certificate": (
        lambda it, other: Credential.from_objects(it.chain[0].certificate, other.key), SSL, "does not belong"),
    "objects: an encoding that is none": (lambda it, _: Credential.from_objects(Odd("x"), it.key), TYPE, "of bytes"),
    "objects: an encoding of a key that is none": (
        lambda it, _: Credential.from_objects(it.chain[0].certificate, Odd("x")), TYPE, "of bytes"),
    "objects: an encoding of a key that is junk": (
        lambda it, _: Credential.from_objects(it.chain[0].certificate, Odd(junk())), SSL, "no private key"),
    # contexts
    "add_credential: nothing": (lambda it, _: server_context().add_credential(), TYPE, ""),
    "add_credential: None": (lambda it, _: server_context().add_credential(None), TYPE, "None"),
    "add_credential: text": (lambda it, _: server_context().add_credential(it.pem), TYPE, "Credential"),
    "add_credential: a certificate": (
        lambda it, _: server_context().add_credential(credential_of().certificates[0]), TYPE, "Credential"),
    "add_credential: two": (lambda it, _: server_context().add_credential(credential_of(), credential_of()), TYPE, ""),
    "add_credential: a key that is too small": (
        lambda it, _: server_context().add_credential(small()), SSL, "EE_KEY_TOO_SMALL"),
    "add_credential: a key that cannot sign": (
        lambda it, _: server_context().add_credential(of_key(x25519.X25519PrivateKey.generate())), SSL,
        "UNKNOWN_CERTIFICATE_TYPE"),
    "credentials: None": (lambda it, _: setattr(server_context(), "credentials", None), TYPE, "iterable"),
    "credentials: one": (lambda it, _: setattr(server_context(), "credentials", credential_of()), TYPE, "iterable"),
    "credentials: text": (lambda it, _: setattr(server_context(), "credentials", ["x"]), TYPE, "not str"),
    "credentials: two of a kind": (
        lambda it, _: setattr(server_context(), "credentials", [credential_of(), credential_of("EC", OTHER)]), VALUE,
        "same key_type"),
    "credentials: one that is too small": (
        lambda it, _: setattr(server_context(), "credentials", [credential_of(), small()]), SSL, "EE_KEY_TOO_SMALL"),
    "credentials: deleted": (lambda it, _: delattr(server_context(), "credentials"), AttributeError, ""),
}  # fmt: skip
EMPTY_BLOCK = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"


def public_pem(made: Material) -> bytes:
    encoded: bytes = made.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def public_der(made: Material) -> bytes:
    encoded: bytes = made.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded


def pem_of(key: Any) -> str:
    return Material((), authority()[0], key).key_pem()


def damaged(data: bytes) -> bytes:
    """With another bit in the middle, where what is encrypted is."""
    at = len(data) // 2
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def bundle_without(made: Material, *, key: bool) -> bytes:
    from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

    cas = [each.certificate for each in made.chain[1:]]
    parts = (None, made.chain[0].certificate) if key else (made.key, None)
    return pkcs12.serialize_key_and_certificates(b"name", *parts, cas, NoEncryption())


def of_key(key: Any) -> Credential:
    intermediate = authority()[1]
    return Credential.from_objects([intermediate.issue(HOST, key=key).certificate, intermediate.certificate], key)


def small() -> Credential:
    return of_key(rsa.generate_private_key(65537, 1024))


def state(context: Any) -> tuple[Any, ...]:
    return context.credentials, context.get_ciphers(), context.security_level


@pytest.mark.parametrize("name", list(CALLS))
def test_misuse_is_refused_in_one_sentence(name: str) -> None:
    call, kind, text = CALLS[name]
    made, other = material(MADE), new_material(MADE)
    with pytest.raises(kind, match=text or None) as caught:
        call(made, other)
    assert_one_sentence_without_a_key(caught.value, made, other)


@pytest.mark.parametrize("name", list(PASSWORDS))
@pytest.mark.parametrize("way", LOCKED)
def test_a_wrong_password_is_refused_in_one_sentence(way: str, name: str) -> None:
    password, kind, text = PASSWORDS[name]
    made = material(MADE)
    with pytest.raises(kind, match=text or None) as caught:
        locked(made)[way](password)
    assert_one_sentence_without_a_key(caught.value, made)


def assert_one_sentence_without_a_key(error: BaseException, *keys: Material) -> None:
    assert "\n" not in str(error)
    assert 3 < len(str(error)) < 300
    shown = "".join(traceback.format_exception(error)) + repr(error.__dict__)
    for made in keys:
        assert not any(text in shown for text in texts_of(made))
    assert PASSWORD not in str(error)


def test_a_failed_change_leaves_the_old_credentials_in_use(version: Any) -> None:
    server = server_context(version, credential_of())
    before = state(server)
    for change in (
        lambda: server.add_credential(small()),
        lambda: server.add_credential("x"),
        lambda: setattr(server, "credentials", [credential_of("RSA", OTHER), small()]),
        lambda: setattr(server, "credentials", [credential_of("RSA", OTHER), None]),
        lambda: setattr(server, "credentials", [credential_of("EC", OTHER)] * 2),
    ):
        with pytest.raises((wiretight.SSLError, TypeError, ValueError)):
            change()
        assert state(server) == before
    assert shown(client_context(version), server) == material("EC").ders[0]


def test_there_are_more_than_a_hundred_cases() -> None:
    assert len(CALLS) + len(PASSWORDS) > 100


def test_a_lowered_security_level_accepts_a_small_key(version: Any) -> None:
    server = server_context(version)
    server.set_ciphers("ECDHE:@SECLEVEL=0")
    weak = small()
    server.add_credential(weak)
    client = client_context(version)
    client.set_ciphers("ECDHE:@SECLEVEL=0")
    assert shown(client, server) == weak.certificates[0].der()


def test_more_than_openssl_can_count_is_refused() -> None:
    """It would take the length for a negative one, and read on to the next null, wherever that is."""
    made = material("EC")
    with mmap.mmap(-1, 1 << 31, access=mmap.ACCESS_READ) as huge:
        calls: list[Callable[[], object]] = [
            lambda: Credential.from_pem(made.pem, huge),
            lambda: Credential.from_pem(huge),
            lambda: Credential.from_der(made.ders, huge),
            lambda: Credential.from_pkcs12(huge),
        ]
        for call in calls:
            with pytest.raises(OverflowError, match="2 GiB"):
                call()


def test_nothing_prompts_at_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSL would, and read standard input if there is none; see test_bad_credentials.py, too."""
    monkeypatch.setattr(getpass, "getpass", raising(AssertionError("asked")))
    for read in locked(material(MADE)).values():
        with pytest.raises(wiretight.SSLError, match="no password was given"):
            read(None)


# --- What an OpenSSL may lack -----------------------------------------------------------------------------------------


@pytest.mark.skipif(wiretight.OPENSSL_VERSION_INFO >= (3, 5), reason="this OpenSSL has ML-DSA")
@pytest.mark.parametrize("way", ["PEM", "DER", "objects of cryptography"])
def test_a_key_that_only_a_newer_openssl_knows_is_not_implemented(way: str) -> None:
    with pytest.raises(NotImplementedError, match=r"ML-DSA-65 key, which needs OpenSSL 3\.5 or newer"):
        WAYS[way](material("ML-DSA-65"))


def test_an_address_is_as_good_as_a_name(version: Any) -> None:
    assert shown(client_context(version), server_context(version, credential_of()), ADDRESS)
