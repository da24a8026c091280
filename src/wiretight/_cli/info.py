"""`info`: the versions, features and trust paths that a bug report should contain."""

import argparse
import importlib.metadata
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

import wiretight as ssl
from wiretight._cli.terminal import print_facts, print_json

_VERSIONS = ("SSLv2", "SSLv3", "TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3")


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "info",
        help="show versions, features and where trusted certificates come from",
        description="Shows the versions of wiretight, Python and OpenSSL, what they can do, and the trust paths.",
    )
    command.add_argument("--json", action="store_true", help="print it as JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    facts = collect()
    if options.json:
        print_json(facts)
        return 0
    print_facts("wiretight", [(name.replace("_", " "), _words(value)) for name, value in facts.items()])
    return 0


def collect() -> dict[str, object]:
    """The facts, as `info --json` prints them."""
    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    origin = "found on this system" if ssl.OPENSSL_STATIC else "where this OpenSSL looks"
    features = sorted(name.removeprefix("HAS_") for name in dir(ssl) if name.startswith("HAS_") and getattr(ssl, name))
    return {
        "wiretight": version(),
        "python": f"{platform.python_implementation()} {platform.python_version()} on {sys.platform}",
        "openssl": ssl.OPENSSL_VERSION,
        "openssl_is": "wiretight's own" if ssl.OPENSSL_STATIC else "the system's",
        "versions": [name for name in _VERSIONS if name in features],
        "features": [name for name in features if name not in _VERSIONS],
        "ciphers": [cipher["name"] for cipher in context.get_ciphers()],
        "groups": _listed(context.get_groups),
        "signature_algorithms": _listed(ssl.get_sigalgs),
        "ca_file": _path(paths.openssl_cafile_env, paths.openssl_cafile, origin),
        "ca_folder": _path(paths.openssl_capath_env, paths.openssl_capath, origin),
        "ca_certificates_loaded": context.cert_store_stats()["x509_ca"],
    }


def version() -> str:
    """The version of the package, or a word that it has none."""
    try:
        return importlib.metadata.version("wiretight")
    except importlib.metadata.PackageNotFoundError:
        return "not installed: run from its source"


def _listed(names: Callable[[], list[str]]) -> list[str] | str:
    try:
        return names()
    except NotImplementedError:
        return "this OpenSSL cannot list them"


def _path(variable: str, default: str, origin: str) -> str:
    named = os.environ.get(variable)
    path = named or default
    missing = "" if Path(path).exists() else "; it does not exist"
    return f"{path} ({f'from {variable}' if named else origin}{missing})"


def _words(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
