"""What is found wrong with a peer's certificates, and what a verify_callback makes of it."""

from __future__ import annotations

import pickle
import ssl as standard
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import wiretight
from tests.kit.authority import Issued, issue
from tests.kit.certificates import HOST
from tests.kit.flaws import FLAWS, Chain, Flaw, pairs, spoilt
from tests.kit.pair import Pair
from tests.kit.servers import Server, echo
from tests.kit.sockets import connect
from tests.kit.threads import PATIENCE, Task
from wiretight import Certificate, SSLCertVerificationError, Verification, VerifyCode, VerifyError

UNKNOWN_ISSUER = VerifyCode.UNABLE_TO_GET_ISSUER_CERT_LOCALLY

Callback = Callable[[Any, Verification], object]


class Case:
    """A client, and a server that shows a chain with flaws."""

    def __init__(self, folder: Path, *flaws: Flaw) -> None:
        self.folder = folder
        self.chain: Chain = spoilt(*flaws)
        self.leaf, self.intermediate, self.root = self.chain.issued()
        self.sent = [self.leaf, self.intermediate, self.root][: self.chain.sent]
        self.server = wiretight.SSLContext(wiretight.PROTOCOL_TLS_SERVER)
        self.server.set_ciphers("DEFAULT:@SECLEVEL=0")  # it shows what its clients refuse
        chain, key = self.leaf.write(folder, "leaf")
        chain.write_text("".join(each.pem for each in self.sent))
        self.server.load_cert_chain(chain, key)

    def client(self, callback: Callback | None = None, module: Any = wiretight) -> Any:
        context = module.SSLContext(module.PROTOCOL_TLS_CLIENT)
        crls = [make(self.leaf, self.intermediate, self.root).pem for make in self.chain.crls]
        trusted = self.folder / "trusted.pem"
        trusted.write_text("".join([self.root.pem if self.chain.is_trusted else "", *crls]))
        if trusted.stat().st_size:
            context.load_verify_locations(trusted)
        context.verify_flags |= self.chain.flags
        if callback is not None:
            context.verify_callback = callback
        return context

    def refused(self, callback: Callback | None = None, module: Any = wiretight) -> Any:
        with pytest.raises(SSLCertVerificationError) as caught:
            self.shake_hands(callback, module)
        return caught.value

    def shake_hands(self, callback: Callback | None = None, module: Any = wiretight) -> Pair:
        pair = Pair(self.client(callback, module), self.server)
        pair.handshake()
        return pair


@pytest.fixture
def case(tmp_path: Path, version: Any) -> Callable[..., Case]:
    def make(*flaws: Flaw) -> Case:
        made = Case(tmp_path, *flaws)
        made.server.minimum_version = made.server.maximum_version = version
        return made

    return make


def tolerating(*codes: Iterable[int]) -> Callback:
    def tolerate(_: Any, verification: Verification) -> None:
        for code in sorted(set().union(*codes)):
            verification.tolerate(code)

    return tolerate


def codes(errors: Iterable[VerifyError]) -> set[int]:
    return {error.code for error in errors}


# --- What is found ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("flaw", FLAWS, ids=repr)
def test_each_error_is_told_on_the_exception(case: Callable[..., Case], flaw: Flaw) -> None:
    wrong = case(flaw)
    error = wrong.refused()
    assert codes(error.verify_errors) == flaw.expected
    first = error.verify_errors[0]
    assert (first.code, first.message) == (error.verify_code, error.verify_message)
    assert [certificate.der() for certificate in error.peer_chain] == [each.der for each in wrong.sent]


@pytest.mark.parametrize("flaws", [*[(flaw,) for flaw in FLAWS], *pairs()], ids=repr)
def test_the_first_error_is_that_of_ssl(case: Callable[..., Case], flaws: tuple[Flaw, ...]) -> None:
    wrong = case(*flaws)
    ours, theirs = wrong.refused(), wrong.refused(module=standard)
    added = " or the system clock is incorrect"  # by OpenSSL 4.0
    assert ours.verify_code == theirs.verify_code
    assert ours.verify_message.removesuffix(added) == theirs.verify_message.removesuffix(added)
    assert (ours.reason, ours.library, ours.errno) == (theirs.reason, theirs.library, theirs.errno)


def test_an_error_names_its_certificate(case: Callable[..., Case]) -> None:
    wrong = case(next(flaw for flaw in FLAWS if flaw.name == "expired intermediate"))
    (error,) = wrong.refused().verify_errors
    assert error.depth == 1
    assert error.certificate.der() == wrong.intermediate.der
    assert error.message == "certificate has expired"
    assert VerifyCode(error.code) is VerifyCode.CERT_HAS_EXPIRED


def test_an_exception_passes_to_another_process_with_its_certificates(case: Callable[..., Case]) -> None:
    error = case(FLAWS[0]).refused()
    copied = pickle.loads(pickle.dumps(error))
    assert copied.peer_chain == error.peer_chain
    assert copied.verify_errors == error.verify_errors
    assert isinstance(copied.verify_errors[0], VerifyError)


def test_a_server_tells_of_its_client_too(certificates: Any, version: Any) -> None:
    client = certificates.client_context(version, credentials=certificates.client_of_other_ca)
    server = certificates.server_context(version, client_ca=certificates.ca_file)
    failure = Pair(client, server).until_error()
    assert failure.side == "server"
    error: Any = failure.error
    assert codes(error.verify_errors) <= {UNKNOWN_ISSUER, VerifyCode.UNABLE_TO_VERIFY_LEAF_SIGNATURE}
    assert error.peer_chain[0].alternative_names == [("email", "client@example.org")]


def test_without_a_certificate_there_is_no_chain(certificates: Any, version: Any) -> None:
    server = certificates.server_context(version, client_ca=certificates.ca_file)
    failure = Pair(certificates.client_context(version), server).until_error()
    assert not isinstance(failure.error, SSLCertVerificationError)


# --- What a callback makes of it -------------------------------------------------------------------------------------
def test_it_is_called_once_with_the_connection_and_the_chain(case: Callable[..., Case]) -> None:
    good = case()
    calls = []

    def remember(connection: Any, verification: Verification) -> None:
        calls.append((connection, verification))

    pair = good.shake_hands(remember)
    ((connection, verification),) = calls
    assert connection is pair.client
    assert verification.errors == ()
    assert verification.server_hostname == HOST
    assert [each.der() for each in verification.presented] == [good.leaf.der, good.intermediate.der]
    assert [each.der() for each in verification.chain] == [good.leaf.der, good.intermediate.der, good.root.der]
    assert pair.client.get_verified_chain() == [each.der() for each in verification.chain]


def test_on_a_server_it_judges_the_client(certificates: Any, version: Any) -> None:
    server = certificates.server_context(version, client_ca=certificates.ca_file)
    seen: list[Verification] = []
    server.verify_callback = lambda _, verification: seen.append(verification)
    Pair(certificates.client_context(version, credentials=certificates.client), server).handshake()
    (verification,) = seen
    assert verification.server_hostname is None
    assert verification.presented[0].alternative_names == [("email", "client@example.org")]


def test_it_is_not_called_for_a_client_without_a_certificate(certificates: Any, version: Any) -> None:
    server = certificates.server_context(version, client_ca=certificates.ca_file)
    server.verify_mode = wiretight.CERT_OPTIONAL
    server.verify_callback = lambda _, verification: verification.refuse("nobody")
    Pair(certificates.client_context(version), server).handshake()


@pytest.mark.parametrize("flaw", FLAWS, ids=repr)
def test_each_error_is_seen_and_can_be_tolerated(case: Callable[..., Case], flaw: Flaw) -> None:
    wrong = case(flaw)
    seen: list[int] = []

    def tolerate(_: Any, verification: Verification) -> None:
        seen.extend(error.code for error in verification.errors)
        for code in flaw.all:
            verification.tolerate(code)

    pair = wrong.shake_hands(tolerate)
    assert set(seen) == flaw.expected
    assert pair.transfer(b"data", pair.client) == b"data"
    assert pair.client.get_verified_chain()[0] == wrong.leaf.der


@pytest.mark.parametrize("flaw", FLAWS, ids=repr)
def test_an_error_that_is_not_tolerated_refuses(case: Callable[..., Case], flaw: Flaw) -> None:
    wrong = case(flaw)
    others = {code for code in (7, 10, 19, 20, 62) if code not in flaw.all}
    error = wrong.refused(tolerating(others))
    assert codes(error.verify_errors) == flaw.expected
    assert error.__context__ is None


@pytest.mark.parametrize(("first", "second"), pairs(), ids=repr)
def test_of_two_errors_both_have_to_be_tolerated(case: Callable[..., Case], first: Flaw, second: Flaw) -> None:
    wrong = case(first, second)
    for one, other in ((first, second), (second, first)):
        if other.all - one.all:
            error = wrong.refused(tolerating(one.all))
            assert codes(error.verify_errors) <= other.all - one.all
            assert error.verify_code == error.verify_errors[0].code
    wrong.shake_hands(tolerating(first.all, second.all))


@pytest.mark.parametrize(("first", "second"), pairs(), ids=repr)
def test_of_two_errors_both_are_seen_where_that_costs_nothing(
    case: Callable[..., Case], first: Flaw, second: Flaw
) -> None:
    visible = [flaw.expected for flaw in (first, second) if not flaw.is_deep]
    assert set().union(*visible) <= codes(case(first, second).refused().verify_errors)


def test_what_a_chain_with_an_error_is_not_examined_for_is_met_afterwards(case: Callable[..., Case]) -> None:
    untrusted, forged = (next(flaw for flaw in FLAWS if flaw.name == name) for name in ("untrusted root", "forged"))
    wrong = case(untrusted, forged)
    seen: list[int] = []

    def pin(_: Any, verification: Verification) -> None:
        seen.extend(error.code for error in verification.errors)
        verification.tolerate(UNKNOWN_ISSUER)

    error = wrong.refused(pin)
    assert seen == [UNKNOWN_ISSUER]
    assert error.verify_code == VerifyCode.CERT_SIGNATURE_FAILURE
    assert codes(error.verify_errors) == {VerifyCode.CERT_SIGNATURE_FAILURE}


def test_the_last_of_a_chain_without_end_must_be_in_date_too(case: Callable[..., Case]) -> None:
    wrong = case(*(flaw for flaw in FLAWS if flaw.name in {"untrusted root", "expired intermediate"}))
    error = wrong.refused(tolerating({UNKNOWN_ISSUER}))
    assert (error.verify_code, error.verify_errors[0].depth) == (VerifyCode.CERT_HAS_EXPIRED, 1)


# --- Refusing --------------------------------------------------------------------------------------------------------
def test_it_can_refuse_a_valid_chain(case: Callable[..., Case]) -> None:
    good = case()
    error = good.refused(lambda _, verification: verification.refuse("its key is not pinned"))
    assert error.verify_code == 50
    assert error.verify_message == "its key is not pinned"
    assert str(error).endswith("certificate verify failed: its key is not pinned")
    assert error.verify_errors == (VerifyError(50, 0, "its key is not pinned", Certificate.from_der(good.leaf.der)),)
    assert len(error.peer_chain) == 2
    assert error.__context__ is None


@pytest.mark.parametrize(
    ("code", "alert"),
    [
        (50, "HANDSHAKE_FAILURE"),
        (VerifyCode.CERT_REVOKED, "CERTIFICATE_REVOKED"),
        (VerifyCode.CERT_HAS_EXPIRED, "CERTIFICATE_EXPIRED"),
        (VerifyCode.CERT_REJECTED, "BAD_CERTIFICATE"),
        (VerifyCode.CERT_UNTRUSTED, "BAD_CERTIFICATE"),
    ],
)
def test_the_code_of_a_refusal_chooses_the_alert(case: Callable[..., Case], code: int, alert: str) -> None:
    good = case()
    client = good.client(lambda _, verification: verification.refuse("no", code))
    failure = Pair(client, good.server).until_error()
    assert failure.side == "client"
    assert failure.error.verify_code == code  # type: ignore[attr-defined]
    assert alert in str(failure.peer_error).upper().replace(" ", "_")


def test_a_refusal_cannot_be_taken_back(case: Callable[..., Case]) -> None:
    def refuse_and_go_on(_: Any, verification: Verification) -> None:
        with pytest.raises(SSLCertVerificationError, match="no"):
            verification.refuse("no")

    assert case().refused(refuse_and_go_on).verify_message == "no"


def test_what_it_raises_is_behind_the_refusal(case: Callable[..., Case]) -> None:
    def fail(_: Any, verification: Verification) -> None:
        raise LookupError(f"{len(verification.chain)} of them")

    error = case().refused(fail)
    assert error.verify_code == 50
    assert isinstance(error.__context__, LookupError)
    expired = case(FLAWS[0]).refused(fail)
    assert (expired.verify_code, type(expired.__context__)) == (10, LookupError)


def test_an_error_raised_over_a_refusal_does_not_hide_it(case: Callable[..., Case]) -> None:
    def refuse(_: Any, verification: Verification) -> None:
        try:
            verification.refuse("no")
        except SSLCertVerificationError as error:
            raise LookupError from error

    error = case().refused(refuse)
    assert error.verify_message == "no"
    assert isinstance(error.__context__, LookupError)


@pytest.mark.parametrize("answer", [True, False, 0, 1, "", wiretight])
def test_it_must_return_none(case: Callable[..., Case], answer: Any) -> None:
    error = case().refused(lambda *_: answer)
    assert isinstance(error.__context__, TypeError)
    assert "verify_callback must return None" in str(error.__context__)


def test_it_cannot_be_a_coroutine_function(client_context: Any, case: Callable[..., Case]) -> None:
    async def later(*_: Any) -> None: ...

    class Later:
        async def __call__(self, *_: Any) -> None: ...

        async def method(self, *_: Any) -> None: ...

    for callback in (later, Later().method):
        with pytest.raises(TypeError, match="cannot be a coroutine function"):
            client_context.verify_callback = callback
    assert client_context.verify_callback is None
    error = case().refused(Later())
    assert "cannot be a coroutine function" in str(error.__context__)


def test_it_may_ask_the_connection_but_not_use_it(case: Callable[..., Case]) -> None:
    problems: list[Exception] = []

    def use(connection: Any, _: Verification) -> None:
        assert connection.server_hostname == HOST
        assert connection.version() is None  # before the handshake is complete
        for verb in (connection.do_handshake, connection.read, lambda: connection.write(b"x"), connection.unwrap):
            with pytest.raises(ValueError, match="cannot read, write or unwrap") as caught:
                verb()
            problems.append(caught.value)

    case().shake_hands(use)
    assert len(problems) == 4


# --- A verification --------------------------------------------------------------------------------------------------
MISUSE: list[tuple[Callable[[Verification], object], type[Exception], str]] = [
    (lambda v: v.tolerate(28), ValueError, "28 cannot be tolerated"),
    (lambda v: v.tolerate(1), ValueError, "1 cannot be tolerated"),
    (lambda v: v.tolerate(17), ValueError, "17 cannot be tolerated"),
    (lambda v: v.tolerate(69), ValueError, "69 cannot be tolerated"),
    (lambda v: v.tolerate(70), ValueError, "70 cannot be tolerated"),
    (lambda v: v.tolerate(0), ValueError, "0 is no X509_V_ERR"),
    (lambda v: v.tolerate(-1), ValueError, "-1 is no X509_V_ERR"),
    (lambda v: v.tolerate(127), ValueError, "127 is no X509_V_ERR"),
    (lambda v: v.tolerate(2**70), ValueError, "is no X509_V_ERR"),
    (lambda v: v.tolerate("10"), TypeError, "integer"),
    (lambda v: v.tolerate(10.0), TypeError, "integer"),
    (lambda v: v.tolerate(None), TypeError, "integer"),
    (lambda v: v.tolerate(), TypeError, "argument"),
    (lambda v: v.refuse(), TypeError, "argument"),
    (lambda v: v.refuse(None), TypeError, "message"),
    (lambda v: v.refuse(b"no"), TypeError, "message"),
    (lambda v: v.refuse("no", 0), ValueError, "0 is no X509_V_ERR"),
    (lambda v: v.refuse("no", 4000), ValueError, "4000 is no X509_V_ERR"),
    (lambda v: v.refuse("no", "x"), TypeError, "integer"),
    (lambda v: setattr(v, "errors", ()), AttributeError, ""),
    (lambda v: setattr(v, "chain", []), AttributeError, ""),
    (lambda v: type(v)(), TypeError, "cannot create 'Verification' instances"),
]


@pytest.mark.parametrize(("misuse", "kind", "message"), MISUSE)
def test_misuse_is_refused_and_accepts_nothing(
    case: Callable[..., Case], misuse: Callable[[Any], object], kind: type[Exception], message: str
) -> None:
    def wrong(_: Any, verification: Verification) -> None:
        with pytest.raises(kind, match=message or None):
            misuse(verification)

    case().shake_hands(wrong)
    assert case(FLAWS[0]).refused(wrong).verify_code == 10


def test_it_is_over_when_the_callback_has_returned(case: Callable[..., Case]) -> None:
    kept: list[Verification] = []
    case().shake_hands(lambda _, verification: kept.append(verification))
    with pytest.raises(RuntimeError, match="the verification is over"):
        kept[0].tolerate(10)
    with pytest.raises(RuntimeError, match="the verification is over"):
        kept[0].refuse("no")


def test_to_change_its_lists_changes_nothing(case: Callable[..., Case]) -> None:
    def empty(_: Any, verification: Verification) -> None:
        verification.chain.clear()
        verification.presented.clear()

    case(FLAWS[0]).refused(empty)
    case().shake_hands(empty)


# --- Setting it ------------------------------------------------------------------------------------------------------
def accept(*_: Any) -> None:
    """Adds nothing to the standard verification."""


def test_it_needs_a_verification(client_context: Any, server_context: Any) -> None:
    with pytest.raises(ValueError, match="verify_callback needs a verification"):
        server_context.verify_callback = accept
    server_context.verify_callback = None
    client_context.check_hostname = False
    client_context.verify_callback = accept
    with pytest.raises(ValueError, match="while there is a verify_callback"):
        client_context.verify_mode = wiretight.CERT_NONE
    assert client_context.verify_mode is wiretight.CERT_REQUIRED
    client_context.verify_callback = None
    client_context.verify_mode = wiretight.CERT_NONE


def test_a_connection_keeps_the_callback_that_it_was_made_with(case: Callable[..., Case]) -> None:
    good = case()
    client = good.client(lambda _, verification: verification.refuse("the first"))
    pair = Pair(client, good.server)
    client.verify_callback = accept
    with pytest.raises(SSLCertVerificationError, match="the first"):
        pair.handshake()
    Pair(client, good.server).handshake()


# --- Policies of programs --------------------------------------------------------------------------------------------
def test_a_pinned_key_is_accepted_and_another_refused(case: Callable[..., Case]) -> None:
    good = case()
    pins = {Certificate.from_der(good.leaf.der).spki_sha256}

    def check_pin(_: Any, verification: Verification) -> None:
        if verification.chain[0].spki_sha256 not in pins:
            verification.refuse("its key is not pinned")

    good.shake_hands(check_pin)
    assert case().refused(check_pin).verify_message == "its key is not pinned"


def test_a_self_signed_certificate_can_be_pinned(case: Callable[..., Case], tmp_path: Path) -> None:
    alone = case()
    own = issue("own", names=[HOST])
    alone.server.load_cert_chain(*own.write(tmp_path, "own"))
    pin = Certificate.from_der(own.der).spki_sha256

    def check_pin(_: Any, verification: Verification) -> None:
        if verification.presented[0].spki_sha256 == pin:
            verification.tolerate(VerifyCode.DEPTH_ZERO_SELF_SIGNED_CERT)

    alone.shake_hands(check_pin)
    assert alone.refused().verify_code == VerifyCode.DEPTH_ZERO_SELF_SIGNED_CERT
    alone.server.load_cert_chain(*issue("own", names=[HOST]).write(tmp_path, "other"))
    assert alone.refused(check_pin).verify_code == VerifyCode.DEPTH_ZERO_SELF_SIGNED_CERT


def test_a_server_admits_a_spiffe_id(case: Callable[..., Case], tmp_path: Path) -> None:
    good = case()

    def admitted(identity: str) -> bool:
        service: Issued = good.intermediate.issue("", names=[identity])
        client = good.client()
        client.load_cert_chain(*service.write(tmp_path, "service"))
        try:
            Pair(client, good.server).handshake()
        except SSLCertVerificationError:
            return False
        return True

    def only_billing(_: Any, verification: Verification) -> None:
        names = verification.chain[0].alternative_names
        if names != [("URI", "spiffe://example.org/billing")]:
            verification.refuse(f"{names} may not do this")

    good.server.verify_mode = wiretight.CERT_REQUIRED
    good.server.load_verify_locations(cadata=good.root.pem)
    good.server.verify_callback = only_billing
    assert admitted("spiffe://example.org/billing")
    assert not admitted("spiffe://example.org/shipping")
    assert not admitted("spiffe://example.com/billing")


# --- Sessions --------------------------------------------------------------------------------------------------------
def resumes(client: Any, server: Any, session: Any) -> bool:
    pair = Pair(client, server, session=session)
    pair.handshake()
    assert pair.transfer(b"data", pair.server) == b"data"
    assert pair.client.session_reused is pair.server.session_reused
    return pair.client.session_reused


def session_of(client: Any, server: Any) -> Any:
    pair = Pair(client, server)
    pair.handshake()
    assert pair.transfer(b"data", pair.server) == b"data"
    return pair.client.session


@pytest.mark.parametrize("side", ["client", "server"])
def test_a_session_is_resumed_under_the_callback_that_verified_it(certificates: Any, version: Any, side: str) -> None:
    client = certificates.client_context(version, credentials=certificates.client)
    server = certificates.server_context(version, client_ca=certificates.ca_file)
    judge = client if side == "client" else server
    calls: list[Verification] = []

    def count(_: Any, verification: Verification) -> None:
        calls.append(verification)

    before = session_of(client, server)
    judge.verify_callback = count
    assert not resumes(client, server, before)
    assert len(calls) == 1
    session = session_of(client, server)
    assert resumes(client, server, session)
    assert len(calls) == 2, "a resumed session is not verified again"
    judge.verify_callback = lambda _, verification: calls.append(verification)
    assert not resumes(client, server, session)
    judge.verify_callback = None
    assert not resumes(client, server, session)


@pytest.mark.parametrize("side", ["client", "server"])
def test_callbacks_of_one_policy_resume_each_others_sessions(certificates: Any, version: Any, side: str) -> None:
    client = certificates.client_context(version, credentials=certificates.client)
    server = certificates.server_context(version, client_ca=certificates.ca_file)
    judge = client if side == "client" else server
    judge.policy_id = b"2026-10"
    judge.verify_callback = lambda *_: None
    session = session_of(client, server)
    judge.verify_callback = lambda *_: None
    assert resumes(client, server, session)
    judge.policy_id = b"2026-11"
    assert not resumes(client, server, session)
    judge.policy_id = b"2026-10"
    assert resumes(client, server, session)
    judge.policy_id = None
    assert not resumes(client, server, session)


def test_a_policy_id_without_a_callback_says_nothing(client_context: Any, server_context: Any) -> None:
    session = session_of(client_context, server_context)
    client_context.policy_id = b"2026-10"
    assert client_context.policy_id == b"2026-10"
    assert resumes(client_context, server_context, session)


# --- Sockets ---------------------------------------------------------------------------------------------------------
def test_a_blocking_socket_raises_the_same(case: Callable[..., Case]) -> None:
    good = case()
    with Server(good.server, echo) as server:
        context = good.client(lambda _, verification: verification.refuse("its key is not pinned"))
        with pytest.raises(SSLCertVerificationError) as caught, connect(context, server.address):
            pass
        assert caught.value.verify_message == "its key is not pinned"
        assert len(caught.value.peer_chain) == 2
        assert isinstance(server.next_error(), wiretight.SSLError)
        seen: list[Any] = []
        context.verify_callback = lambda connection, verification: seen.append(connection)
        with connect(context, server.address) as sock:
            assert seen == [sock]
            sock.sendall(b"data")
            assert sock.recv(4) == b"data"
            sock.unwrap()


def test_another_thread_may_ask_while_it_runs(case: Callable[..., Case]) -> None:
    good = case()
    began, go_on = threading.Event(), threading.Event()

    def wait(*_: Any) -> None:
        began.set()
        assert go_on.wait(PATIENCE)

    pair = Pair(good.client(wait), good.server)
    task = Task(pair.handshake)
    assert began.wait(PATIENCE)
    assert pair.client.server_hostname == HOST
    assert pair.client.version() is None
    assert pair.client.pending() == 0
    go_on.set()
    task.result()
