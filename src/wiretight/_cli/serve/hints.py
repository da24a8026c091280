"""Hints: where a server is, and what to try with it first."""

import re

import wiretight as ssl

_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104  # only compared
_HOST_NAME = re.compile(r"[0-9A-Za-z.-]+")


def url(bind: str, port: int) -> str:
    """The URL of a server on this machine that listens on the address `bind`."""
    host = "localhost" if bind == "127.0.0.1" or bind in _EVERYWHERE else bind
    return f"https://[{host}]:{port}/" if ":" in host else f"https://{host}:{port}/"


def curl(at: str, context: ssl.SSLContext, ca_file: str | None) -> str:
    """A command that fetches the URL `at`, and trusts the server's certificate."""
    words = ["curl"]
    if ca_file is not None:
        words += ["--cacert", ca_file]
    if context.verify_mode == ssl.CERT_REQUIRED:
        words += ["--cert CLIENT.pem", "--key CLIENT.key"]
    name = _other_name(context)
    if name is not None and at.startswith("https://localhost:"):
        # Wherever the certificate's name leads to, here it is this server.
        words += ["--connect-to ::localhost:"]
        at = at.replace("localhost", name, 1)
    return " ".join([*words, at])


def _other_name(context: ssl.SSLContext) -> str | None:
    """A host that the certificate is for, unless it is for localhost, too."""
    try:
        leaves = [credential.certificates[0] for credential in context.credentials]
        hosts = [name for leaf in leaves for kind, name in leaf.alternative_names if kind == "DNS"]
    except (ValueError, ssl.SSLError):
        return None
    usable = [host for host in hosts if isinstance(host, str) and _HOST_NAME.fullmatch(host)]
    return usable[0] if usable and "localhost" not in usable else None
