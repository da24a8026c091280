"""Files of certificates that others have made are read as by `ssl`: a system's, certifi's, those of `cryptography`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import wiretight
from tests.kit.bundles import check_is_read_alike
from tests.kit.standard import beside_ssl


def files() -> Iterator[Path]:
    """As far as they are here: the dependency group `interop` has the packages."""
    system = wiretight.get_default_verify_paths().cafile
    if system is not None:
        yield Path(system)
    for package in ("certifi", "cryptography_vectors"):
        try:
            folder = Path(str(importlib.import_module(package).__file__)).parent
        except ImportError:
            continue
        yield from sorted(path for path in folder.rglob("*") if path.suffix in {".pem", ".crt", ".der"})


@beside_ssl
def test_every_file_is_read_as_by_ssl(tmp_path: Path) -> None:
    read = [check_is_read_alike(path, tmp_path / "at_once.pem") for path in files()]
    assert any(read) or not read
