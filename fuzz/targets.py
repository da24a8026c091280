"""What hostile bytes are given to. Each target raises only where a guarantee does not hold.

`Handshakes`, `Records`, `ReadsCertificates`, `ReadsCredentials`, `ReadsTrust`, `ReadsBundles`, `ReadsSessions`,
`ReadsHellos` and `Calls` take a seeded chance and make their own input: `scripts/fuzz`. `client_bytes`, `server_bytes`,
`certificate`, `credential`, `trust` and `bundle` take the input itself, for a fuzzer that coverage guides.
"""

from __future__ import annotations

import contextlib
import os
import random
import re
import ssl as standard
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import wiretight
from fuzz.mutations import mutated
from tests.kit.certificates import HOST, Certificates
from tests.kit.keys import PASSWORD, new_material
from tests.kit.pair import WANT, Pair, attempt, memory_bio
from tests.kit.records import records
from wiretight._core.trust.index import certificates_in
from wiretight._core.x509.certificate import test_decode_cert as decoded_file

CORPUS = Path(__file__).parent / "corpus"
VERSIONS = (standard.TLSVersion.TLSv1_2, standard.TLSVersion.TLSv1_3)


class Peers:
    """Contexts of both sides, of each version: with and without a client's certificate."""

    def __init__(self, folder: Path) -> None:
        certificates = Certificates(folder)
        self.contexts = [
            (
                certificates.client_context(version, credentials=certificates.client if asks else None, alpn=["h2"]),
                certificates.server_context(
                    version, client_ca=certificates.ca_file if asks else None, alpn=["http/1.1", "h2"]
                ),
            )
            for version in VERSIONS
            for asks in (False, True)
        ]
        for client, server in self.contexts:
            server.sni_callback = lambda *_: None
            if server.verify_mode:  # so that half of them have no callback
                client.verify_callback = server.verify_callback = look_and_tolerate
        self.sessions = [self._session(*contexts) for contexts in self.contexts]

    def _session(self, client: Any, server: Any) -> Any:
        pair = Pair(client, server)
        pair.handshake()
        pair.transfer(b"a ticket comes with it", pair.server)
        return pair.client.session

    def pair(self, chance: random.Random, resumed: float) -> Pair:
        """Two sides that have not shaken hands; how often, from 0 to 1, has the client a session to resume?"""
        at = chance.randrange(len(self.contexts))
        return Pair(*self.contexts[at], session=self.sessions[at] if chance.random() < resumed else None)


def look_and_tolerate(_: Any, verification: wiretight.Verification) -> None:
    """What a program may do with a hostile chain at the worst: look at all of it, and accept what it can."""
    for certificate in (*verification.chain, *verification.presented):
        everything_of(certificate)
    for error in verification.errors:
        with contextlib.suppress(ValueError):
            verification.tolerate(error.code)


def everything_of(certificate: wiretight.Certificate) -> None:
    """Each may be refused by itself: a certificate that OpenSSL reads can still have a date that is none."""
    for name in ("subject", "issuer", "serial_number", "not_before", "not_after", "alternative_names"):
        with contextlib.suppress(standard.SSLError, ValueError):
            getattr(certificate, name)
    assert wiretight.Certificate.from_der(certificate.der()) == wiretight.Certificate.from_pem(certificate.pem())
    assert len(certificate.spki_sha256) == len(certificate.fingerprint()) == 32
    with contextlib.suppress(standard.SSLError, ValueError):
        repr(certificate)


class Target:
    """`once(chance)` tries one input; `outcomes` counts how it was met.

    `slowest`: the CPU seconds of the slowest call, of a target that measures it without the making of the input.
    """

    slowest: float | None = None

    def __init__(self, folder: Path) -> None:
        self.peers = Peers(folder)
        self.outcomes: Counter[str] = Counter()

    def once(self, chance: random.Random) -> None:
        raise NotImplementedError

    @contextlib.contextmanager
    def refusing(self, *others: type[Exception]) -> Iterator[None]:
        """Bytes may be refused by SSLError and by `others`, and by nothing else."""
        try:
            yield
        except (standard.SSLError, *others) as error:
            self.outcomes[getattr(error, "reason", None) or type(error).__name__] += 1


class Handshakes(Target):
    """One flight of a handshake, mutated; then both sides go on for as long as there is anything to say."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.flights: list[bytes] = [b""]

    def once(self, chance: random.Random) -> None:
        pair = self.peers.pair(chance, resumed=0.5)
        wanted = chance.choice((0, 0, 1, 1, 1, 2, 3))
        links = (pair.to_server, pair.to_client)
        with self.refusing():
            attempt(pair.client.do_handshake)
            number = idle = 0
            while idle < 2:
                link = links[number % 2]
                flight = link.outgoing.read()
                idle = 0 if flight else idle + 1
                if number == wanted:
                    if len(self.flights) < 64:
                        self.flights.append(flight)
                    flight = mutated(flight, chance, self.flights)
                link.incoming.write(flight)
                if attempt(link.receiver.do_handshake) is not WANT:
                    attempt(link.receiver.read)
                number += 1
            self.outcomes["waits or goes on"] += 1


class Records(Target):
    """Records of a connection, mutated. What is read is what was sent, as far as it goes, or nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.pair: Pair | None = None
        self.seen: list[bytes] = [b""]

    def connected(self, chance: random.Random) -> Pair:
        """A connection for some inputs: most of them end it. Resumed, for that is what a connection costs least."""
        pair = self.peers.pair(chance, resumed=0.9)
        pair.handshake()
        sides = [pair.client, pair.server]
        self.link = chance.choice((pair.to_server, pair.to_client))
        sides.remove(self.link.receiver)
        (self.sender,) = sides
        self.sent, self.read = bytearray(), bytearray()
        return pair

    def once(self, chance: random.Random) -> None:
        if self.pair is None:
            self.pair = self.connected(chance)
        self.sender.write(data := chance.randbytes(chance.choice((1, 20, 200))))
        self.sent += data
        raw = self.link.outgoing.read()
        if chance.random() < 0.1:
            self.seen = [*self.seen[-63:], raw]
        self.link.incoming.write(mutated(raw, chance, self.seen))
        with self.refusing():
            try:
                while (got := attempt(self.link.receiver.read, 65536)) is not WANT and got:
                    self.read += got
            except BaseException:
                self.pair = None
                raise
            finally:
                assert self.sent.startswith(self.read), "a wrong byte was read"
            self.outcomes["waits or goes on"] += 1
        if self.link.incoming.pending > 1 << 16:
            self.pair = None


class CertificateReader:
    """Everything that reads a certificate's contents, over one DER."""

    def __init__(self) -> None:
        self.file = os.memfd_create("certificate")
        self.path = f"/proc/self/fd/{self.file}"

    def read(self, der: bytes) -> None:
        context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
        with contextlib.suppress(standard.SSLError, ValueError):
            context.load_verify_locations(cadata=der)
        with contextlib.suppress(standard.SSLError, ValueError):
            context.get_ca_certs()
        context.get_ca_certs(binary_form=True)
        for certificate in context.trust_store.certificates:
            everything_of(certificate)
        os.ftruncate(self.file, 0)
        os.pwrite(self.file, wiretight.DER_cert_to_PEM_cert(der).encode(), 0)
        decoded_file(self.path)


class ReadsCertificates(Target):
    """A certificate, mutated: its dictionary, its DER, the store."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.corpus = [path.read_bytes() for path in sorted((CORPUS / "certificate").iterdir())]
        self.reader = CertificateReader()

    def once(self, chance: random.Random) -> None:
        with self.refusing(ValueError):
            self.reader.read(mutated(chance.choice(self.corpus), chance, self.corpus))
            self.outcomes["read"] += 1


class CredentialReader:
    """Everything that reads certificates with private keys; `corpus` has inputs that are right, one of each form."""

    def __init__(self) -> None:
        made = [new_material(kind) for kind in ("EC", "RSA", "ED25519")]
        self.chain = made[0]
        self.corpus: list[bytes] = []
        for each in made:
            self.corpus += [
                b"P" + (each.pem + each.key_pem()).encode(),
                b"P" + (each.key_pem(password=PASSWORD) + each.pem).encode(),
                b"D" + each.key_der(),
                b"D" + each.key_der(password=PASSWORD),
                b"B" + each.pkcs12(password=None),
                b"B" + each.pkcs12(),
            ]
        for each in made[:2]:
            self.corpus += [
                b"P" + (each.pem + each.key_pem(traditional=True, password=PASSWORD)).encode(),
                b"D" + each.key_der(traditional=True),
            ]

    def read(self, data: bytes) -> Any:
        """The first byte is the form. None for what would only cost time: whoever may choose how often a password is
        hashed may choose any number.
        """
        form, content = data[:1], data[1:]
        if any(int.from_bytes(found[2:], "big") > 1 << 16 for found in HASHED_OFTEN.findall(content)):
            return None
        if form == b"P":
            return wiretight.Credential.from_pem(content, password=PASSWORD)
        if form == b"D":
            return wiretight.Credential.from_der(self.chain.ders, content, password=PASSWORD)
        return wiretight.Credential.from_pkcs12(content, password=PASSWORD)


HASHED_OFTEN = re.compile(rb"\x02\x03[\x00-\x7f]..|\x02\x04[\x00-\x7f]...|\x02\x05\x00....", re.DOTALL)


class ReadsCredentials(Target):
    """PEM, the DER of a key and PKCS#12, mutated: whoever is not refused is a credential that works."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reader = CredentialReader()

    def once(self, chance: random.Random) -> None:
        data = chance.choice(self.reader.corpus)
        changed = data[:1] + mutated(data[1:], chance, [each[1:] for each in self.reader.corpus])
        with self.refusing(ValueError):
            credential = self.reader.read(changed)
            self.outcomes["read" if credential else "passed over"] += 1
            if credential:
                wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER).add_credential(credential)


class TrustReader:
    """Everything that reads certificates and CRLs in any form, and a handshake with what came of it."""

    def __init__(self, folder: Path) -> None:
        certificates = Certificates(folder)
        self.server = certificates.server_context()
        self.root = certificates.ca_file.read_text()
        self.crl = certificates.crl(certificates.client).der

    def read(self, data: bytes) -> None:
        """Of two readers of the same bytes, one must not find what the other refuses."""
        store = wiretight.TrustStore(self.root)
        context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=self.root)
        for add, load in (
            (store.add_certificates, wiretight.TrustStore),
            (store.add_crls, lambda data: context.load_crls(data=data)),
        ):
            before, was_read = store.fingerprint, True
            try:
                add(data)
            except (standard.SSLError, ValueError):
                was_read = False
                assert store.fingerprint == before, "a refused addition has added something"
            try:
                load(data)
            except (standard.SSLError, ValueError):
                assert not was_read, "one reader refuses what another one reads"
            else:
                assert was_read, "one reader reads what another one refuses"
        for trusting in (context, wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)):
            if trusting is not context:
                trusting.trust_store = store
            with contextlib.suppress(standard.SSLCertVerificationError):
                Pair(trusting, self.server).handshake()


class ReadsTrust(Target):
    """Certificates and CRLs, as DER and as PEM, mutated and put together: trust stores, and a handshake with them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        ders = [path.read_bytes() for kind in ("certificate", "crl") for path in sorted((CORPUS / kind).iterdir())]
        self.reader = TrustReader(folder)
        ders.append(self.reader.crl)
        self.corpus = [*ders, *(as_pem(der, kind) for der in ders for kind in ("CERTIFICATE", "X509 CRL"))]

    def once(self, chance: random.Random) -> None:
        parts = [mutated(chance.choice(self.corpus), chance, self.corpus) for _ in range(chance.choice((1, 1, 2, 3)))]
        self.reader.read(b"".join(parts))
        self.outcomes["read"] += 1


def as_pem(der: bytes, kind: str) -> bytes:
    return wiretight.DER_cert_to_PEM_cert(der).replace("CERTIFICATE", kind).encode()


class BundleReader:
    """What is found in a file of CA certificates without decoding it: OpenSSL decodes exactly that."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "bundle.pem"

    def read(self, data: bytes) -> int:
        """How many certificates were found, in PEM text, or in DER as the only one of a text."""
        found = certificates_in(as_pem(data, "CERTIFICATE") if data[:1] == b"0" else data)
        if found is None:
            return 0
        for der in found:
            assert wiretight.Certificate.from_der(der).der() == der
        self.file.write_bytes(b"".join(as_pem(der, "CERTIFICATE") for der in found))
        context = wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.file)
        assert context.cert_store_stats()["x509"] == len(found)
        return len(found)


class ReadsBundles(Target):
    """One or several certificates, mutated as DER or as PEM: what is found without decoding is what OpenSSL decodes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.reader = BundleReader(folder)
        self.ders = [path.read_bytes() for path in sorted((CORPUS / "certificate").iterdir())]
        self.texts = [as_pem(der, "CERTIFICATE") for der in self.ders]

    def once(self, chance: random.Random) -> None:
        if chance.random() < 0.7:
            data = mutated(chance.choice(self.ders), chance, self.ders)
        else:
            data = mutated(b"".join(chance.sample(self.texts, 3)), chance, self.texts)
        self.outcomes["found" if self.reader.read(data) else "left to OpenSSL"] += 1


class ReadsSessions(Target):
    """The bytes of a session, mutated: they are refused, or are a session that a handshake can do something with.

    Half of them only behind the terms, which would refuse most of the others before OpenSSL sees them.
    """

    HEAD = 37  # what is before OpenSSL's part, without the name

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.encoded = [session.to_bytes() for session in self.peers.sessions]

    def once(self, chance: random.Random) -> None:
        at = chance.randrange(len(self.encoded))
        data = self.encoded[at]
        kept = chance.choice((0, self.HEAD + data[self.HEAD - 1]))
        data = data[:kept] + mutated(data[kept:], chance, self.encoded)
        client, server = self.peers.contexts[at]
        with self.refusing(ValueError):
            session = client.load_session(data)
            self.outcomes["loaded"] += 1
            session.expires, session.timeout, session.time, session.id, repr(session)
            with contextlib.suppress(ValueError):  # one without a ticket
                assert client.load_session(session.to_bytes()).id == session.id
            pair = Pair(client, server, session=session)
            pair.handshake()


class ReadsHellos(Target):
    """The records of a ClientHello, mutated, in one piece or cut: `parse_client_hello()` and all that it finds.

    One in 200 is as long as one can be.
    """

    slowest: float = 0.0

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.corpus = [self.recorded(*contexts) for contexts in self.peers.contexts]
        self.corpus += [self.recorded(*self.peers.contexts[at], session=self.peers.sessions[at]) for at in (0, 2)]
        self.corpus += [in_records(flight[5:], size) for flight in self.corpus[-2:] for size in (3, 50)]
        self.long = in_records(long_hello(), 16384)

    def recorded(self, client: Any, server: Any, **options: Any) -> bytes:
        pair = Pair(client, server, **options)
        attempt(pair.client.do_handshake)
        flight: bytes = pair.to_server.outgoing.read()
        return flight

    def once(self, chance: random.Random) -> None:
        original = self.long if chance.random() < 0.005 else chance.choice(self.corpus)
        flight = mutated(original, chance, self.corpus)
        outcome, spent = self.measured(flight)
        if spent > self.slowest:  # what the machine has done meanwhile was not the input's
            self.slowest = max(self.slowest, min(spent, *(self.measured(flight)[1] for _ in range(4))))
        self.outcomes[outcome] += 1

    def measured(self, flight: bytes) -> tuple[str, float]:
        """How it was met, and the CPU seconds of that."""
        started = time.thread_time()
        try:
            hello = wiretight.parse_client_hello(flight)
            if hello is not None:
                assert len(hello.ja4) == 36
                assert len(hello.ja3_hash) == 32
            outcome = "more" if hello is None else "read"
        except ValueError as error:
            outcome = str(error)
        return outcome, time.thread_time() - started


def long_hello() -> bytes:
    """A ClientHello with nearly as many cipher suites, and groups, as there is room for."""
    suites = b"".join(number.to_bytes(2, "big") for number in random.Random(1).choices(range(1 << 16), k=32000))
    extensions = b"\0\x0a" + vector(vector(suites)) + b"\0\x2b\0\3\2\3\4"
    body = b"\3\3" + bytes(32) + b"\0" + vector(suites) + b"\1\0" + vector(extensions)
    return b"\1" + len(body).to_bytes(3, "big") + body


def vector(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


def in_records(message: bytes, size: int) -> bytes:
    """A handshake message in records of `size` bytes, the last of which has what is left after sixty."""
    parts = [message[at : at + size] for at in range(0, 60 * size, size)] + [message[60 * size :]]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts if part)


class Calls(Target):
    """Calls in any order on both ends of a connection, with everything that a program can hand to them."""

    def once(self, chance: random.Random) -> None:
        self.run(chance.randbytes(chance.choice((20, 60, 200))))

    def run(self, data: bytes) -> None:
        pair = Pair(*self.peers.contexts[data[0] % len(self.peers.contexts) if data else 0])
        sides = (pair.client, pair.server)
        links = (pair.to_server, pair.to_client)
        sent: dict[int, bytearray] = {0: bytearray(), 1: bytearray()}
        read: dict[int, bytearray] = {0: bytearray(), 1: bytearray()}
        for at, octet in enumerate(data[1:]):
            which, what = octet & 1, octet >> 1
            with self.refusing(ValueError):
                self.call(what, at, which, sides, links, sent, read)
        assert sent[0].startswith(read[1]), "the server read a wrong byte"
        assert sent[1].startswith(read[0]), "the client read a wrong byte"
        self.outcomes["done"] += 1

    def call(self, what: int, at: int, which: int, sides: Any, links: Any, sent: Any, read: Any) -> None:
        side, link = sides[which], links[which]
        if what < 24:
            link.incoming.write(link.outgoing.read((-1, 1, 5, 100)[what % 4]))
        elif what < 48:
            attempt(side.do_handshake)
        elif what < 64:
            part = bytes([at % 256]) * (1, 100, 20_000)[what % 3]
            sent[which] += part[: no_bytes_if_want(attempt(side.write, part), 0)]
        elif what < 80:
            read[which] += no_bytes_if_want(attempt(side.read, (1, 100, 70_000)[what % 3]), b"")
        elif what < 88:
            room = bytearray((0, 3, 500)[what % 3])
            read[which] += room[: no_bytes_if_want(attempt(side.read, len(room), room), 0)]
        elif what < 90:
            attempt(side.unwrap)
        elif what < 91:
            link.incoming.write_eof()
        else:
            self.question(what, side, sides)

    def question(self, what: int, side: Any, sides: Any) -> None:
        questions: tuple[Callable[[], Any], ...] = (
            side.pending, side.version, side.cipher, side.shared_ciphers, side.compression, side.getpeercert,
            lambda: side.getpeercert(True), side.selected_alpn_protocol, side.get_channel_binding,
            side.get_verified_chain, side.get_unverified_chain, side.verify_client_post_handshake,
            lambda: setattr(side, "session", sides[0].session), lambda: setattr(side, "context", side.context),
            lambda: side.session.id, lambda: side.session_reused, lambda: repr(side),
        )  # fmt: skip
        with contextlib.suppress(AttributeError, TypeError):  # no session, nobody's session
            questions[what % len(questions)]()


def no_bytes_if_want(result: Any, nothing: Any) -> Any:
    return nothing if result is WANT else result


TARGETS: dict[str, type[Target]] = {
    "handshake": Handshakes, "record": Records, "certificate": ReadsCertificates, "credential": ReadsCredentials,
    "trust": ReadsTrust, "bundle": ReadsBundles, "session": ReadsSessions, "hello": ReadsHellos, "calls": Calls,
}  # fmt: skip


# --- For a guided fuzzer ----------------------------------------------------------------------------------------------


def fed(side: Any, incoming: Any, data: bytes) -> None:
    """Gives one side the bytes of a peer that does not exist: record by record, then the end."""
    with contextlib.suppress(standard.SSLError):
        attempt(side.do_handshake)
        for record in records(data):
            incoming.write(record.raw)
            if attempt(side.do_handshake) is not WANT:
                attempt(side.read)
        incoming.write_eof()
        side.do_handshake()
        side.read()


def client_bytes(peers: Peers, data: bytes) -> None:
    """What a client sends, to a server of each kind."""
    for _, server in peers.contexts:
        incoming, outgoing = memory_bio(server), memory_bio(server)
        fed(server.wrap_bio(incoming, outgoing, server_side=True), incoming, data)


def server_bytes(peers: Peers, data: bytes) -> None:
    """What a server sends, to a client of each kind."""
    for client, _ in peers.contexts:
        incoming, outgoing = memory_bio(client), memory_bio(client)
        fed(client.wrap_bio(incoming, outgoing, server_hostname=HOST), incoming, data)


def certificate(reader: CertificateReader, data: bytes) -> None:
    with contextlib.suppress(standard.SSLError, ValueError):
        reader.read(data)


def credential(reader: CredentialReader, data: bytes) -> None:
    with contextlib.suppress(standard.SSLError, ValueError):
        reader.read(data)


def trust(reader: TrustReader, data: bytes) -> None:
    reader.read(data)


def bundle(reader: BundleReader, data: bytes) -> None:
    reader.read(data)
