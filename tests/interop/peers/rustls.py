"""rustls, of Debian's source packages, in a program of ours."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.interop.peers.scripted import PROGRAMS, Compiled

# Where Debian's packages put sources of Rust.
REGISTRY = Path("/usr/share/cargo/registry")


class Rustls(Compiled):
    name = "rustls"
    programs = ("cargo", "rustc")
    packages = ("cargo", "librust-rustls-dev", "librust-rustls-pemfile-dev", "librust-serde-json-dev")

    def missing(self) -> str | None:
        missing = super().missing()
        if missing is None and not all(sources(name) for name in ("rustls", "rustls-pemfile", "serde_json")):
            return f"needs the sources of rustls: {self.install}"
        return missing

    def version(self) -> str:
        return sources("rustls")[0].name.removeprefix("rustls-")

    def compile(self, folder: Path) -> Path:
        package = shutil.copytree(PROGRAMS / "rustls", folder / "package")
        of_debian = ['source.crates-io.replace-with="debian"', f'source.debian.directory="{REGISTRY}"']
        options = [f"--config={setting}" for setting in of_debian]
        subprocess.run(["cargo", "build", "--quiet", "--offline", *options], cwd=package, check=True)
        return package / "target" / "debug" / "peer"


@cache
def sources(name: str) -> list[Path]:
    return [path for path in REGISTRY.glob(f"{name}-*") if re.fullmatch(rf"{name}-[\d.]+", path.name)]
