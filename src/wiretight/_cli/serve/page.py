"""The page that shows a browser its own handshake, and the same as JSON.

Everything on it that comes from a client or a certificate is text, whatever it says: it is escaped, shortened, and no
script, frame, form or file from elsewhere is allowed (Content-Security-Policy).
"""

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from wiretight._cli.serve.handshakes import Document
from wiretight._cli.serve.pagestyle import STYLE
from wiretight._cli.terminal import clean

PAGE, JSON = "/_tls", "/_tls.json"

_LONGEST, _MOST = 200, 60  # characters of a text, and entries of a list, that are shown
_STYLE_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{_STYLE_DIGEST}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect x='2.5' y='7' width='11' height='7.5' rx='2' fill='%230b7a6b'/%3E"
    "%3Cpath d='M5 7V5a3 3 0 0 1 6 0v2' fill='none' stroke='%230b7a6b'"
    " stroke-width='1.8'/%3E%3C/svg%3E"
)
_PLAIN = {"ClientHello", "ServerHello", "HelloRetryRequest"}  # in TLS 1.3; before, all but the Finished

_PURPOSES = {
    "server_name": "which host it wants",
    "status_request": "asks for proof that the certificate is not revoked",
    "supported_groups": "groups for the key exchange",
    "ec_point_formats": "how points of a curve are written",
    "signature_algorithms": "signatures that it can verify",
    "application_layer_protocol_negotiation": "protocols to speak over TLS",
    "signed_certificate_timestamp": "asks for proof that the certificate is logged in public",
    "padding": "makes the message longer, for old devices in between",
    "encrypt_then_mac": "a safer order, for the suites of TLS 1.2 with CBC",
    "extended_master_secret": "binds the secrets of TLS 1.2 to the whole handshake",
    "compress_certificate": "certificates may come compressed",
    "record_size_limit": "the longest record that it accepts",
    "delegated_credential": "accepts short-lived keys in a certificate's name",
    "session_ticket": "sessions of TLS 1.2 can be resumed",
    "pre_shared_key": "offers to resume a session",
    "early_data": "sends data along with it",
    "supported_versions": "versions of TLS",
    "cookie": "returns what a HelloRetryRequest gave it",
    "psk_key_exchange_modes": "how a session may be resumed",
    "certificate_authorities": "issuers that it trusts",
    "post_handshake_auth": "can show a certificate later",
    "signature_algorithms_cert": "signatures that it can verify in certificates",
    "key_share": "public keys, so that a round trip is saved",
    "application_settings": "settings of HTTP/2, sent early",
    "encrypted_client_hello": "hides the name of the host, or practises it",
    "trust_anchors": "roots that it trusts, by short names",
    "renegotiation_info": "closes a hole of TLS 1.2",
    "GREASE": "means nothing: it keeps servers tolerant",
}


class Response(NamedTuple):
    """What is answered with status 200."""

    kind: str
    body: bytes

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Without those about the connection."""
        return [
            ("Content-Type", self.kind),
            ("Content-Length", str(len(self.body))),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", _POLICY),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
        ]


def response(path: str, document: Document) -> Response:
    """The page, or the JSON, by the path."""
    if path == JSON:
        return Response("application/json", (json.dumps(document, indent=2) + "\n").encode("ascii"))
    return Response("text/html; charset=utf-8", render(document).encode())


def render(document: Document) -> str:
    """The page, as HTML."""
    version = _version(document)
    parts = [
        f'<p class="brand"><b>wiretight</b> serve</p>\n<h1>Your handshake</h1>\n<p class="lead">{_lead(document)}</p>',
        f'<section class="tiles">{"".join(_tiles(document))}</section>',
        _section("What was said", _talk(document)),
        _section("Who you seem to be", _prints(document), "JA4, the fingerprint of a program by what it offers"),
        _section("The server's certificate", _certificate(document["certificate"], _sent(document))),
        _section("Your certificate", _certificate(document["client_certificate"], "You have shown none.")),
    ]
    hello = document["client_hello"]
    if hello is not None:
        parts += [
            _section("What you offered", _offer(document, hello), f"a ClientHello of {_count(hello['bytes'], 'byte')}"),
            _section("Its extensions", _extensions(hello["extensions"]), _count(len(hello["extensions"]), "extension")),
        ]
    parts.append(
        f'<footer>The same as JSON: <a href="{JSON}">{JSON}</a>. Only you see this page: '
        "each connection is shown its own handshake, and nothing is kept when it ends.</footer>"
    )
    content = "\n".join(parts)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>Your handshake: {version}</title>\n<link rel="icon" href="{_ICON}">\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n{content}\n</main>\n</body>\n</html>\n"
    )


def text(value: object) -> str:
    """A text from anywhere, for HTML: control characters visible, of a bearable length, escaped."""
    cleaned = clean(str(value))
    if len(cleaned) > _LONGEST:
        cleaned = f"{cleaned[:_LONGEST]}… ({len(cleaned)} characters)"
    return html.escape(cleaned)


def _lead(document: Document) -> str:
    group, milliseconds = document["group"], document["milliseconds"]
    took = "" if milliseconds is None else f", in&nbsp;{max(round(milliseconds), 1)}&nbsp;ms"
    keys = "" if group is None else f", with keys from <strong>{text(group)}</strong>"
    return f"You and this server agreed on <strong>{_version(document)}</strong>{keys}{took}."


def _tiles(document: Document) -> Iterable[str]:
    current = document["version"] == "TLSv1.3"
    yield _tile(
        "Version",
        _version(document),
        "The current one." if current else "Sound, but the one before the current one.",
        ("current", "good") if current else ("older", "fair"),
    )
    yield _key_exchange(document)
    yield _tile("Cipher suite", text(document["cipher_suite"]), f"A key of {_count(document['cipher_bits'], 'bit')}.")
    if document["session_reused"]:
        yield _tile("Session", "Resumed", "An earlier session: nobody had to show a certificate.", ("quick", "good"))
    else:
        offered = document["client_hello"] is not None and document["client_hello"]["offers_session"]
        yield _tile("Session", "New", "You offered an earlier one." if offered else "You offered no earlier one.")
    signature = document["server_signature"]
    yield _tile(
        "Signature",
        text(signature) if signature is not None else "none",
        "By it, the server proved that it has the key of its certificate."
        if signature is not None
        else "A resumed session needs none."
        if document["session_reused"]
        else "This OpenSSL does not tell.",
    )
    alpn = document["alpn"]
    yield _tile(
        "Protocol",
        text(alpn) if alpn is not None else "not negotiated",
        "Agreed on by ALPN." if alpn is not None else "You and the server had no ALPN protocol in common.",
    )


def _key_exchange(document: Document) -> str:
    hello = document["client_hello"]
    if document["post_quantum"]:
        note = "Whoever records this connection cannot decrypt it with a quantum computer later."
        badge = ("post-quantum", "good")
    else:
        note = "A recording could be decrypted by a large quantum computer, once there is one."
        if hello is not None and hello["post_quantum"]:
            note += " You offered better: this server's OpenSSL does not know it, or prefers another."
        badge = ("classical", "fair")
    group = document["group"]
    if group is None:
        return _tile("Key exchange", "unknown", "This OpenSSL does not tell.")
    if document["hello_retry_request"]:
        note += " It took a second attempt, because you had sent no key for it."
    return _tile("Key exchange", text(group), note, badge)


def _talk(document: Document) -> str:
    messages = document["messages"]
    if not messages:
        return _nothing("Nothing was seen.")
    is_1_3 = document["version"] == "TLSv1.3"
    rows = []
    for message in messages:
        sealed = message["name"] not in _PLAIN if is_1_3 else message["name"] == "Finished"
        side = "client" if message["from"] == "client" else "server"
        size, when = _count(message["bytes"], "byte"), f"{message['milliseconds']:.1f} ms"
        rows.append(
            f'<li class="{side}{" sealed" if sealed else ""}"><b>{text(message["name"])}</b>'
            f'<span>{size}</span><span class="when">{when}</span></li>'
        )
    return (
        '<div class="ends"><span>you</span><span>the server</span></div>\n'
        f'<ol class="talk">{"".join(rows)}</ol>\n'
        '<p class="legend"><i></i>in the clear<i class="sealed"></i>encrypted</p>'
    )


def _prints(document: Document) -> str:
    if document["ja4"] is None:
        return _nothing("Your ClientHello was not kept.")
    offer, suites, rest = document["ja4"].split("_")
    return (
        f'<p class="print mono"><span>{text(offer)}</span>_<span>{suites}</span>_<span>{rest}</span></p>\n<dl>'
        f"<dt><code>{text(offer)}</code></dt><dd>{_offer_in_words(offer)}</dd>"
        f"<dt><code>{suites}</code></dt><dd>a digest of the cipher suites, sorted</dd>"
        f"<dt><code>{rest}</code></dt><dd>a digest of the extensions, sorted, and the signature algorithms</dd>"
        f"<dt>JA3</dt><dd><code>{document['ja3_hash']}</code>, its predecessor, which the order changes</dd></dl>"
    )


def _offer_in_words(offer: str) -> str:
    version = {"1": f"TLS 1.{offer[2]}", "s": f"SSL {offer[2]}"}.get(offer[1], "an unknown version")
    name = "a host's name" if offer[3] == "d" else "no host's name"
    alpn = "no ALPN" if offer[8:] == "00" else f"ALPN {offer[8]}…{offer[9]}"
    return text(f"over TCP, {version}, {name}, {int(offer[4:6])} suites, {int(offer[6:8])} extensions, {alpn}")


def _sent(document: Document) -> str:
    return "The server has none." if not document["session_reused"] else "A resumed session needs none."


def _certificate(certificate: Document | None, otherwise: str) -> str:
    if certificate is None:
        return _nothing(otherwise)
    days = certificate["days_left"]
    left = "" if days is None else " (expired)" if certificate["expired"] else f" ({_count(days, 'day')} left)"
    key = f"{certificate['key_type']}, {certificate['key_bits']} bits" if certificate["key_type"] else "unknown"
    facts = [
        ("Subject", text(certificate["subject"]) or '<span class="none">empty</span>'),
        ("Names", _chips(certificate["names"])),
        ("Issuer", text(certificate["issuer"])),
        ("Valid", text(f"{_day(certificate['not_before'])} to {_day(certificate['not_after'])}{left}")),
        ("Key", text(key)),
        ("Signed with", text(certificate["signature"])),
        ("SHA-256", f"<code>{text(certificate['sha256'])}</code>"),
    ]
    if certificate.get("sent") is False:
        facts.insert(0, ("Not sent", "a resumed session needs none; a new one would get this"))
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in facts)}</dl>"


def _offer(document: Document, hello: Document) -> str:
    name = document["server_name"]
    said = text(name) if name is not None else '<span class="none">none, as for an IP address</span>'
    shares = hello.get("key_shares", [])
    lists = [
        ("Versions", hello["versions"], [_version(document)]),
        ("Cipher suites", hello["cipher_suites"], [document["cipher_suite"]]),
        ("Groups for the key exchange", hello["groups"], [document["group"]]),
        ("Of which it sent a key for", shares, [document["group"]]),
        ("Signatures that it can verify", hello["signature_algorithms"], [document["server_signature"]]),
        ("ALPN", hello.get("alpn", []), [document["alpn"]]),
    ]
    shown = "".join(f"<h3>{title}</h3>{_chips(values, chosen)}" for title, values, chosen in lists if values)
    return f"<dl><dt>Host</dt><dd>{said}</dd></dl>{shown}"


def _extensions(extensions: Sequence[Document]) -> str:
    rows = []
    for extension in extensions[:_MOST]:
        name = extension["name"]
        css = ' class="grease"' if name == "GREASE" else ""
        rows.append(
            f'<tr{css}><td>{text(name)}</td><td class="number">{extension["number"]}</td>'
            f'<td class="number">{extension["bytes"]}</td><td class="why">{_PURPOSES.get(name, "")}</td></tr>'
        )
    left = len(extensions) - _MOST
    if left > 0:
        rows.append(f'<tr><td colspan="4">and {left} more</td></tr>')
    heading = '<th>name</th><th class="number">number</th><th class="number">bytes</th><th class="why">what for</th>'
    return f"<table><thead><tr>{heading}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _chips(values: Sequence[str], chosen: Sequence[Any] = ()) -> str:
    items = []
    for value in values[:_MOST]:
        css = "chosen" if value in chosen else "grease" if value == "GREASE" else ""
        items.append(f'<li class="{css}">{text(value)}</li>' if css else f"<li>{text(value)}</li>")
    left = len(values) - _MOST
    if left > 0:
        items.append(f'<li class="more">and {left} more</li>')
    return f'<ul class="chips">{"".join(items)}</ul>' if items else _nothing("none")


def _tile(label: str, value: str, note: str, badge: tuple[str, str] | None = None) -> str:
    shown = "" if badge is None else f'<span class="badge {badge[1]}">{badge[0]}</span>'
    return (
        f'<div class="tile"><p class="label"><span>{label}</span>{shown}</p>'
        f'<p class="value">{value.replace("_", "_<wbr>")}</p><p class="note">{note}</p></div>'
    )


def _section(title: str, content: str, note: str = "") -> str:
    small = f" <small>{note}</small>" if note else ""
    return f'<section><h2>{title}{small}</h2>\n<div class="card">{content}</div></section>'


def _nothing(sentence: str) -> str:
    return f'<p class="none">{sentence}</p>'


def _day(date: str) -> str:
    return date[:10] if date[10:11] == "T" else date


def _version(document: Document) -> str:
    return text(str(document["version"]).replace("TLSv", "TLS "))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
