"""Handshakes: what only whole connections tell: trust, resumption, and what HTTP says about TLS."""

import argparse
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import wiretight as ssl
from wiretight._cli.connect.dialler import Dialler, Refused
from wiretight._cli.connect.examination import close, demands_certificate, examine, is_reused
from wiretight._cli.connect.report import Report
from wiretight._cli.errors import CommandError
from wiretight._cli.scan.hello import TLS10, TLS11, TLS12, TLS13
from wiretight._cli.scan.prober import Prober
from wiretight._cli.scan.survey import Survey
from wiretight._cli.trace.names import SIGNATURES

# Kinds of keys, by how the names of their signatures begin; and with which of these OpenSSL asks for a key of the kind.
_KINDS = {
    "ecdsa": "ecdsa_secp256r1_sha256:ecdsa_secp384r1_sha384:ecdsa_secp521r1_sha512",
    "rsa": "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:rsa_pss_pss_sha256:rsa_pkcs1_sha256",
    "ed": "ed25519:ed448",
    "mldsa": "mldsa44:mldsa65:mldsa87",
}
_WEB_SECONDS, _OTHER_SECONDS = 1.5, 0.5  # for an answer to HEAD, from who is and who is not expected to give one
_HTTPS = 443
_HEAD_LIMIT = 65536


@dataclass
class Web:
    """What a server answered to HEAD. `hsts` is its Strict-Transport-Security, `max_age` the seconds in that."""

    status: int
    hsts: str | None = None
    max_age: int | None = None


@dataclass
class Completed:
    """What was found so far; None if it was not, or does not exist in what the server speaks."""

    trust: list[Report] = field(default_factory=list)  # for each kind of key that the server has
    untried: str | None = None  # why there is no trust
    resumes_1_3: bool | None = None
    resumes_tickets: bool | None = None
    resumes_ids: bool | None = None
    web: Web | None = None


class Handshakes:
    """Makes the connections, as the options of the command specify."""

    def __init__(self, prober: Prober, survey: Survey, options: argparse.Namespace) -> None:
        self.found = Completed()
        self._prober, self._survey = prober, survey
        self._verify, self._is_plain = not options.insecure, options.starttls is None
        self._options = options

    def run(self) -> None:
        """Raises OutOfTime if that was not all."""
        spoken = self._survey.offers.keys()
        errands: list[Callable[[], None]] = []
        if not spoken & {TLS10, TLS11, TLS12, TLS13}:
            self.found.untried = "OpenSSL does not speak the versions that the server offers"
            return
        errands.append(self._trust)
        if TLS13 in spoken:
            errands.append(self._resume_1_3)
        if spoken & {TLS10, TLS11, TLS12}:
            errands += [self._resume_tickets, self._resume_ids]
        if self._is_plain:
            errands.append(self._web)
        self._prober.together(*errands)

    # --- Trust --------------------------------------------------------------------------------------------------------

    def _trust(self) -> None:
        seen = {SIGNATURES[number] for offer in self._survey.offers.values() for number in offer.signatures}
        kinds = [kind for kind in _KINDS if any(name.startswith(kind) for name in seen)]
        for kind in kinds if len(kinds) > 1 else [None]:
            report = self._examined(kind)
            if report is not None and not any(report.chain == other.chain for other in self.found.trust):
                self.found.trust.append(report)

    def _examined(self, kind: str | None) -> Report | None:
        for is_lenient in (False, True):
            dialler = _Dialler(self._prober, self._options, self._survey)
            try:
                context = dialler.lenient(self._verify) if is_lenient else dialler.context(self._verify)
                if kind is not None:
                    context.set_server_sigalgs(_KINDS[kind])
                with self._prober.place():
                    # Resumption has a connection of its own, and only who has asked for a certificate can demand one.
                    return examine(dialler, context, waits=self._survey.requests_certificate is not False)
            except (CommandError, OSError, ValueError, NotImplementedError) as failure:
                self.found.untried = self.found.untried or str(failure).removeprefix(f"{self._prober.peer} ")
        return None

    # --- Resumption ---------------------------------------------------------------------------------------------------

    def _resume_1_3(self) -> None:
        self.found.resumes_1_3 = self._resumes(ssl.TLSVersion.TLSv1_3, tickets=True)

    def _resume_tickets(self) -> None:
        self.found.resumes_tickets = self._resumes(ssl.TLSVersion.TLSv1_2, tickets=True)

    def _resume_ids(self) -> None:
        self.found.resumes_ids = self._resumes(ssl.TLSVersion.TLSv1_2, tickets=False)

    def _resumes(self, version: ssl.TLSVersion, tickets: bool) -> bool | None:
        dialler = _Dialler(self._prober, self._options, self._survey)
        context = dialler.lenient(False)
        if version == ssl.TLSVersion.TLSv1_3:
            context.minimum_version = version
        else:
            context.maximum_version = version
        if not tickets:
            context.options |= ssl.OP_NO_TICKET
        try:
            with self._prober.place():
                with dialler.dial(context) as connection:
                    demands_certificate(connection)
                    session = connection.session
                    close(connection)
                if session is not None and session.has_ticket != tickets:
                    return False
                return is_reused(dialler, context, session)
        except (CommandError, Refused, OSError):
            return None

    # --- The web ------------------------------------------------------------------------------------------------------

    def _web(self) -> None:
        dialler = _Dialler(self._prober, self._options, self._survey)
        context = dialler.lenient(False)
        context.set_alpn_protocols(["http/1.1"])
        spoken = self._survey.alpn or []
        is_web = self._prober.port == _HTTPS or any(name.startswith(("h2", "http/")) for name in spoken)
        if spoken and not is_web:
            return
        try:
            with self._prober.place(), dialler.dial(context) as connection:
                name = f"[{self._prober.name}]" if ":" in self._prober.name else self._prober.name
                host = name if self._prober.port == _HTTPS else f"{name}:{self._prober.port}"
                connection.sendall(f"HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                head = _head(connection, time.monotonic() + (_WEB_SECONDS if is_web else _OTHER_SECONDS))
        except (CommandError, Refused, OSError, UnicodeError):
            return
        self.found.web = _understood(head)


def check(options: argparse.Namespace) -> None:
    """Raises CommandError if the files that the options name are not what they should be, before anything is asked."""
    Dialler(_of_connection(options)).context(verify=True)


def _of_connection(options: argparse.Namespace, **own: object) -> argparse.Namespace:
    """The options that a Dialler wants, of which a scan decides most itself."""
    usual = {"tls": None, "insecure_tls": None, "starttls": None, "alpn": ""}
    return argparse.Namespace(**{**vars(options), **usual, **own})


class _Dialler(Dialler):
    """One whose connections are counted, and part of the scan's time."""

    def __init__(self, prober: Prober, options: argparse.Namespace, survey: Survey) -> None:
        newest = survey.newest
        old = {TLS10: "1.0", TLS11: "1.1"}.get(newest.version if newest else 0)
        super().__init__(_of_connection(options, insecure_tls=old, timeout=prober.step))
        self._prober = prober

    def lenient(self, verify: bool) -> ssl.SSLContext:
        """A context that takes whatever OpenSSL can."""
        context = self.context(verify)
        context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
        context.options |= ssl.OP_LEGACY_SERVER_CONNECT
        if not self._options.insecure_tls:
            context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _connect(self) -> socket.socket:
        return self._prober.connect(min(self._prober.step, self._prober.left))


def _head(connection: ssl.SSLSocket, deadline: float) -> bytes:
    """The head of the answer, or what there was of it in time."""
    data = b""
    while b"\r\n\r\n" not in data and len(data) < _HEAD_LIMIT and (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        try:
            more = connection.recv(_HEAD_LIMIT)
        except OSError:
            break
        if not more:
            break
        data += more
    return data


def _understood(head: bytes) -> Web | None:
    found = re.match(rb"HTTP/1\.[01] ([0-9]{3})\b", head)
    if not found:
        return None
    fields = re.search(rb"\r\nstrict-transport-security:[ \t]*([^\r\n]*)", head, re.IGNORECASE)
    if not fields:
        return Web(int(found[1]))
    age = re.search(rb"""(?:^|;)\s*max-age\s*=\s*"?([0-9]{1,18})""", fields[1], re.IGNORECASE)
    return Web(int(found[1]), fields[1].decode("latin-1"), int(age[1]) if age else None)
