"""NSS, in a program of ours: its own tools, tstclnt and selfserv, have neither ALPN on both sides nor an echo."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.interop.peers.peer import output
from tests.interop.peers.scripted import PROGRAMS, Compiled, credentials_of
from tests.interop.peers.terms import Terms
from tests.kit.certificates import Credentials
from tests.kit.threads import PATIENCE

NICKNAME = "own"


class NSS(Compiled):
    name = "NSS"
    programs = ("cc", "pkg-config", "certutil", "pk12util", "openssl")
    packages = ("gcc", "libc6-dev", "pkg-config", "libnss3-dev", "libnss3-tools", "openssl")

    def missing(self) -> str | None:
        missing = super().missing()
        if missing is None and "-lnss3" not in output("pkg-config", "--libs", "nss"):
            return f"needs the headers of NSS: {self.install}"
        return missing

    def version(self) -> str:
        return output("pkg-config", "--modversion", "nss").strip()

    def compile(self, folder: Path) -> Path:
        flags = output("pkg-config", "--cflags", "nss").split(), output("pkg-config", "--libs", "nss").split()
        subprocess.run(["cc", *flags[0], PROGRAMS / "nss_peer.c", "-o", folder / "peer", *flags[1]], check=True)
        return folder / "peer"

    def arguments(self, role: str, terms: Terms, port: int) -> list[str]:
        """In the order in which the program has them: C has no JSON."""
        own = credentials_of(role, terms)
        database = make_database(terms.folder, terms.certificates.ca_file, *([own] if own else []))
        words = [role, str(port), terms.number, database, NICKNAME if own else "", ",".join(terms.alpn)]
        flags = (terms.demands_certificate, terms.resume, terms.half_close)
        return [*words, *("yes" if flag else "no" for flag in flags), str(len(terms.data))]


def make_database(folder: Path, ca_file: Path, *own: Credentials) -> str:
    """NSS keeps certificates and keys in a folder: the CA, trusted, and `own` ones. Programs of NSS share it."""
    database = f"sql:{folder}"
    run("certutil", "-N", "-d", database, "--empty-password")
    run("certutil", "-A", "-d", database, "-n", "ca", "-t", "CT,C,C", "-a", "-i", ca_file)
    for at, (chain, key) in enumerate(own):
        package, password = folder / "own.p12", "secret"
        export = ("openssl", "pkcs12", "-export", "-name", f"{NICKNAME}-{at}" if at else NICKNAME)
        run(*export, "-passout", f"pass:{password}", "-in", chain, "-inkey", key, "-out", package)
        run("pk12util", "-i", package, "-d", database, "-W", password, "-K", "")
    return database


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], capture_output=True, check=True, timeout=PATIENCE)
