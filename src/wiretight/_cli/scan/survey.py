"""Survey: what a server offers, found by asking until it has nothing left to choose from."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from wiretight._cli.connect.chain import is_address
from wiretight._cli.errors import CommandError
from wiretight._cli.scan.answer import Answer
from wiretight._cli.scan.hello import (
    ALL_GROUPS,
    ALL_SIGNATURES,
    DEFLATE,
    LZS,
    NULL,
    SSL3,
    TLS10,
    TLS11,
    TLS12,
    TLS13,
    Hello,
)  # fmt: skip
from wiretight._cli.scan.opened import CHACHA20
from wiretight._cli.scan.prober import Prober
from wiretight._cli.scan.suites import numbers, suite
from wiretight._cli.trace.names import alert_name

VERSIONS = (TLS13, TLS12, TLS11, TLS10, SSL3)

# https://www.iana.org/assignments/tls-extensiontype-values/: what may be spoken over TCP. The first two are the web's.
PROTOCOLS = (
    "h2", "http/1.1", "http/1.0", "imap", "pop3", "ftp", "nntp", "managesieve", "xmpp-client", "xmpp-server", "mqtt",
    "postgresql", "tds/8.0", "dot", "ntske/1", "irc", "sip/2", "smb", "sunrpc", "stun.turn", "webrtc", "coap",
)  # fmt: skip

_INAPPROPRIATE_FALLBACK = 86
_EXTENDED_MASTER_SECRET, _ENCRYPT_THEN_MAC, _TICKET, _RENEGOTIATION = 23, 22, 35, 65281


@dataclass
class Offer:
    """What a server offers in one version: the preferred first, if the order is its own.

    `own_order` and `own_group_order` are None where there is no choice. `groups` and `signatures` are those of the key
    exchange, asked for in TLS 1.3 and in the best version below.
    """

    version: int
    suites: list[int] = field(default_factory=list)
    own_order: bool | None = None
    groups: list[int] = field(default_factory=list)
    own_group_order: bool | None = None
    signatures: list[int] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)  # one for each suite


@dataclass
class Survey:
    """What was found so far. None means that it was not found out, or does not exist in what the server speaks."""

    offers: dict[int, Offer] = field(default_factory=dict)
    ssl2_ciphers: list[str] = field(default_factory=list)
    alpn: list[str] | None = None
    compresses: bool | None = None
    honours_fallback: bool | None = None
    secure_renegotiation: bool | None = None
    extended_master_secret: bool | None = None
    encrypt_then_mac: bool | None = None
    stapled: bool | None = None
    authorities: list[bytes] | None = None
    requests_certificate: bool | None = None

    @property
    def newest(self) -> Offer | None:
        """Of the best version."""
        return next((self.offers[version] for version in VERSIONS if version in self.offers), None)

    @property
    def below_1_3(self) -> Offer | None:
        """Of the best version below TLS 1.3."""
        return next((self.offers[version] for version in VERSIONS[1:] if version in self.offers), None)

    @property
    def suites(self) -> list[int]:
        """Of all versions, each once."""
        return list(dict.fromkeys(number for offer in self.offers.values() for number in offer.suites))

    @property
    def answers(self) -> list[Answer]:
        """All that was kept, from the best version down."""
        return [answer for version in VERSIONS if version in self.offers for answer in self.offers[version].answers]


class Surveyor:
    """Fills a survey."""

    def __init__(self, prober: Prober) -> None:
        self.survey = Survey()
        self._prober = prober
        self._name = None if is_address(prober.name) else prober.name

    def run(self) -> None:
        """Ask everything. Raises CommandError if the server offers nothing, OutOfTime if that was not all."""
        together = self._prober.together
        try:
            self._name = None if self._name is None else self._name.encode("idna").decode("ascii")
        except UnicodeError:
            raise CommandError(f"{self._prober.name!r} cannot be a server's name") from None
        first = self._prober.first_contact(self._hello(TLS12, numbers(TLS12)))
        if first.end == "silent":
            raise CommandError(f"{self._prober.peer} did not answer within {self._prober.step:g} s")
        together(self._ssl2, *(self._errand(self._version, version) for version in VERSIONS))
        if not self.survey.offers and not self.survey.ssl2_ciphers:
            raise CommandError(f"{self._prober.peer} {_no(first)}")
        together(self._protocols, self._compression, self._fallback, self._groups, self._signatures, self._look_on)
        self._conclude()

    # --- Versions and suites ------------------------------------------------------------------------------------------

    def _version(self, version: int) -> None:
        found = self._chosen(
            numbers(version), lambda left: self._hello(version, left), lambda it: it.suite, version=version
        )
        if not found:
            return
        offer = Offer(version, [number for number, _ in found], answers=[answer for _, answer in found])
        self.survey.offers[version] = offer
        orders = offer.suites, _reordered(offer.suites)
        offer.own_order = self._is_own(orders, lambda order: self._hello(version, order), lambda it: it.suite)

    def _ssl2(self) -> None:
        self.survey.ssl2_ciphers = self._prober.ask_ssl2().ssl2_ciphers

    # --- Key exchange and signatures ----------------------------------------------------------------------------------

    def _groups(self) -> None:
        for offer in (self.survey.offers.get(TLS13), self.survey.below_1_3):
            if offer is not None:
                self._groups_of(offer)

    def _groups_of(self, offer: Offer) -> None:
        elliptic = ("ECDHE", "ECDH_anon")
        chosen = [
            number for number in offer.suites if suite(number).is_1_3 or suite(number).key_exchange.startswith(elliptic)
        ]
        if not chosen or offer.version == SSL3:
            return

        def hello(groups: Sequence[int]) -> Hello:
            return replace(self._hello(offer.version, chosen), groups=tuple(groups))

        found = self._chosen(ALL_GROUPS, hello, lambda it: it.group, version=offer.version)
        offer.groups = [group for group, _ in found]
        orders = offer.groups, offer.groups[::-1]
        offer.own_group_order = self._is_own(orders, hello, lambda it: it.group)
        # A server may use an elliptic certificate only if its curve is offered, too (RFC 8422, 5.1): so the last group
        # that was found stays in what is asked further, behind the others.
        left = [group for group in ALL_GROUPS if group not in offer.groups]
        while offer.groups and offer.version != TLS13:
            answer = self._prober.ask(hello([*left, offer.groups[-1]]))
            if not answer or answer.group not in left:
                break
            left.remove(answer.group)
            offer.groups.insert(-1, answer.group)
        if not offer.own_group_order:
            offer.groups.sort(key=ALL_GROUPS.index)

    def _signatures(self) -> None:
        for offer in (self.survey.offers.get(TLS13), self.survey.offers.get(TLS12)):
            if offer is not None:
                self._signatures_of(offer)

    def _signatures_of(self, offer: Offer) -> None:
        if offer.version == TLS13:
            if CHACHA20 in offer.suites and 23 in (self.survey.offers[TLS13].groups or ALL_GROUPS):
                found = self._chosen(ALL_SIGNATURES, self._opening, lambda it: it.signature, looks_on=True)
                offer.signatures = [number for number, _ in found]
            return
        for kind in ("ECDSA", "RSA", "DSS"):
            chosen = [
                number
                for number in offer.suites
                if suite(number).authentication == kind and suite(number).key_exchange.startswith(("ECDHE", "DHE"))
            ]
            if chosen:
                found = self._chosen(
                    ALL_SIGNATURES,
                    lambda left, chosen=chosen: replace(self._hello(TLS12, chosen), signatures=tuple(left)),  # type: ignore[misc]
                    lambda it: it.signature,
                )
                offer.signatures += [number for number, _ in found if number not in offer.signatures]

    # --- What else a ServerHello tells --------------------------------------------------------------------------------

    def _protocols(self) -> None:
        below = self.survey.below_1_3
        if below is None or below.version == SSL3:
            if TLS13 not in self.survey.offers:
                return
            hello, looks_on = self._opening(ALL_SIGNATURES), True
        else:
            hello, looks_on = self._hello(below.version, below.suites), False
        left, found = list(PROTOCOLS), []
        while left:
            answer = self._prober.ask(replace(hello, alpn=tuple(left)), looks_on)
            if looks_on and answer and not answer.opened:
                return
            if not answer or answer.alpn not in left:
                break
            found.append(answer.alpn)
            left.remove(answer.alpn)
        self.survey.alpn = found

    def _compression(self) -> None:
        below = self.survey.below_1_3
        if below is not None:
            answer = self._prober.ask(
                replace(self._hello(below.version, below.suites), compressions=(DEFLATE, LZS, NULL))
            )
            self.survey.compresses = answer.compression != NULL if answer else None

    def _fallback(self) -> None:
        spoken = [version for version in VERSIONS if version in self.survey.offers]
        if len(spoken) > 1:
            below = self.survey.offers[spoken[1]]
            answer = self._prober.ask(replace(self._hello(below.version, below.suites), is_fallback=True))
            self.survey.honours_fallback = answer.alert == _INAPPROPRIATE_FALLBACK

    def _look_on(self) -> None:
        """What TLS 1.3 encrypts."""
        if TLS13 not in self.survey.offers:
            return
        answer = self._prober.ask(self._opening(ALL_SIGNATURES), looks_on=True)
        if answer and answer.opened:
            self.survey.offers[TLS13].answers.insert(0, answer)

    def _conclude(self) -> None:
        survey, below = self.survey, self.survey.below_1_3
        seen = [it for it in survey.answers if it.version != TLS13 or it.opened]
        if seen:
            survey.stapled = any(it.stapled for it in seen)
            asked = [it.authorities for it in seen if it.authorities is not None]
            survey.requests_certificate = bool(asked)
            survey.authorities = asked[0] if asked else None
        if below is not None and below.answers:
            survey.secure_renegotiation = all(_RENEGOTIATION in it.extensions for it in below.answers)
            if below.version != SSL3:
                survey.extended_master_secret = all(_EXTENDED_MASTER_SECRET in it.extensions for it in below.answers)
            chains = [it for it in below.answers if suite(it.suite).is_cbc]
            if chains and below.version != SSL3:
                survey.encrypt_then_mac = all(_ENCRYPT_THEN_MAC in it.extensions for it in chains)

    # --- How it is asked ----------------------------------------------------------------------------------------------

    def _hello(self, version: int, chosen: Sequence[int]) -> Hello:
        return Hello(version, tuple(chosen), server_name=self._name)

    def _opening(self, signatures: Sequence[int]) -> Hello:
        """One whose answer can be opened in TLS 1.3."""
        return replace(self._hello(TLS13, [CHACHA20]), share=True, groups=(23,), signatures=tuple(signatures))

    def _chosen(
        self,
        candidates: Sequence[int],
        hello: Callable[[Sequence[int]], Hello],
        choice: Callable[[Answer], int | None],
        version: int | None = None,
        looks_on: bool = False,
    ) -> list[tuple[int, Answer]]:
        """What the server chooses of the candidates, of what is left, and so on, with its answers."""
        left, found = list(candidates), []
        while left:
            answer = self._prober.ask(hello(left), looks_on)
            if not answer or (version is not None and answer.version != version):
                break
            chosen = choice(answer)
            if chosen not in left:
                if chosen is not None:
                    self._prober.note("chooses what it was not offered")
                break
            left.remove(chosen)
            found.append((chosen, answer))
        return found

    def _is_own(
        self,
        orders: Sequence[Sequence[int]],
        hello: Callable[[Sequence[int]], Hello],
        choice: Callable[[Answer], int | None],
    ) -> bool | None:
        """Whether the server chooses the same in two orders: by one of its own, then, rather than by ours."""
        if len(orders[0]) < 2:
            return None
        answers = [self._prober.ask(hello(order)) for order in orders]
        return choice(answers[0]) == choice(answers[1]) if all(answers) else None

    @staticmethod
    def _errand(method: Callable[[int], None], value: int) -> Callable[[], None]:
        return lambda: method(value)


def _reordered(suites: Sequence[int]) -> list[int]:
    """Another order, whose first is another suite: of the same kind if there is one, and else of any but ChaCha20.

    By what a client has first, servers judge whether it has instructions for AES, and have an order for either.
    """

    def kind(number: int) -> tuple[str, bool]:
        mode = next((each for each in ("GCM", "CHACHA20", "CCM") if each in suite(number).iana), "CBC")
        return mode, suite(number).is_forward_secret

    first, *others = suites
    others.reverse()
    others.sort(key=lambda it: (kind(it) != kind(first), kind(it)[0] == "CHACHA20"))
    return [*others, first]


def _no(first: Answer) -> str:
    """Why there is nothing to tell."""
    if first.alert is not None:
        return f"refused every handshake (alert {alert_name(first.alert)}): see --servername"
    if first.end == "reset":
        return "resets every connection on which a handshake begins"
    if first.end == "closed":
        return "closes every connection on which a handshake begins"
    return "offers no version of TLS that is known here"
